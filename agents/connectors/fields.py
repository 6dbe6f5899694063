"""What a connector asks for, described so that a form can be built from it, and read back with all faults."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "long", "number", "boolean", "choice", "pairs", "json"]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing asked for. `pairs` is an object of text to text; `number` is a float within `low` and `high`."""

    name: str
    label: str
    help: str = ""
    kind: Kind = "text"
    required: bool = False
    secret: bool = False
    default: Any = None
    choices: tuple[tuple[str, str], ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration: where, what, and how to mend it."""

    place: str
    says: str
    mend: str

    def __str__(self) -> str:
        return f"{self.place}: {self.says}. {self.mend}"


class ConfigError(ValueError):
    """A configuration that cannot work, with every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(str(problem) for problem in problems))


def read(
    fields: tuple[Field, ...], config: Mapping[str, Any], secrets: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """Every field's value by name, its default where it is missing or faulty, and the faults."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for source, secret in ((config, False), (secrets, True)):
        known = {field.name for field in fields if field.secret is secret}
        problems += [
            Problem(str(name)[:80], "this is not a setting here", "Remove it or mend its name.")
            for name in source
            if name not in known
        ]
    for field in fields:
        given = (secrets if field.secret else config).get(field.name)
        values[field.name] = field.default
        if given is None or given == "":
            if field.required:
                problems.append(Problem(field.name, "it is missing", f"Give the {field.label.lower()}."))
            continue
        try:
            values[field.name] = _value(field, given)
        except ValueError as fault:
            problems.append(Problem(field.name, str(fault), field.help or f"Mend the {field.label.lower()}."))
    return values, problems


def _value(field: Field, given: Any) -> Any:
    match field.kind:
        case "boolean":
            if isinstance(given, bool):
                return given
            raise ValueError("it is neither yes nor no")
        case "number":
            return _number(field, given)
        case "choice":
            if given in {value for value, _ in field.choices}:
                return given
            raise ValueError("it is none of " + ", ".join(value for value, _ in field.choices))
        case "pairs":
            if isinstance(given, Mapping) and all(isinstance(part, str) for pair in given.items() for part in pair):
                return dict(given)
            raise ValueError("it is not an object of text to text")
        case "json":
            return given
        case _:
            if isinstance(given, str):
                return given if field.secret or field.kind == "long" else given.strip()
            raise ValueError("it is not text")


def _number(field: Field, given: Any) -> float:
    if isinstance(given, bool):
        raise ValueError("it is not a number")
    try:
        number = float(given)
    except (TypeError, ValueError):
        raise ValueError("it is not a number") from None
    if not (float("-inf") < number < float("inf")):
        raise ValueError("it is not a number")
    if field.low is not None and number < field.low:
        raise ValueError(f"it is less than {field.low:g}")
    if field.high is not None and number > field.high:
        raise ValueError(f"it is more than {field.high:g}")
    return number
