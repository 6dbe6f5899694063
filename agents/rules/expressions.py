"""
What the form can't say: a condition in CEL, the Common Expression Language (https://cel.dev).

Evaluated by Google's implementation, with declared variables, so that a name nobody knows is found while it is typed.
It sees the facts of one action and nothing else: no clock, no network, no functions but the language's. Its size is
bounded here and its time by the implementation (nesting, iterations, patterns in linear time).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from cel_expr_python import cel

from agents.rules.facts import Facts, known_number
from agents.rules.hours import DAYS

MAX_LENGTH = 1000
MAX_LOOPS = 2
MAX_PLUS = 20
LOOPS = re.compile(r"\b(?:all|exists|exists_one|existsOne|map|filter)\b")
OUTCOME = frozenset(("BOOL", "DYN"))
TYPES = {"text": cel.Type.STRING, "whole": cel.Type.INT, "yes or no": cel.Type.BOOL, "any": cel.Type.DYN}
VARIABLES = {
    "play": "text",
    "region": "text",
    "segment": "text",
    "account": "text",
    "person": "text",
    "confidence": "whole",
    "risk": "text",
    "reversible": "yes or no",
    "value": "any",
    "currency": "text",
    "age_minutes": "any",
    "hour": "whole",
    "minute": "whole",
    "weekday": "text",
    "fields": "any",
}
"""What an expression may name, and of what kind it is; docs/boundaries.md says what each holds."""
FAULT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\(([^']*)\)'")
TOKEN = re.compile(r"token recognition error at: '([=&|])")
KINDS = {"int": "a whole number", "double": "a number with a point", "string": "text", "bool": "yes or no"}


@dataclass(frozen=True, slots=True)
class ExpressionFault:
    """One thing wrong with an expression: where (both from 1), what, and how to mend it."""

    line: int
    column: int
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what}, at column {self.column}. {self.mend}"


class Expression:
    """A compiled expression; made by `compile_expression`, safe to share. Two of the same text are equal."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str, compiled: Any) -> None:
        self.text = text
        self._compiled = compiled

    def holds(self, activation: Any) -> bool | None:
        """Whether it is true of an `activation`; None where it can't be told: an error, or not yes or no. Total."""
        try:
            found = self._compiled.eval(activation).value()
        except Exception:
            return None
        return found if isinstance(found, bool) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def check_expression(text: Any) -> list[ExpressionFault]:
    """All that is wrong with an expression, in the order it is read; empty when it compiles to a yes or no. Never
    raises; for a form, as it is typed."""
    found = _compile(text)
    return found if isinstance(found, list) else []


def compile_expression(text: Any) -> Expression | list[ExpressionFault]:
    """The expression ready to be asked, or what is wrong with it."""
    found = _compile(text)
    return found if isinstance(found, list) else Expression(text, found)


def activate(facts: Facts, local: datetime | None) -> Any:
    """What expressions see of the facts; `local` is their moment by the recipient's clock. None when it can't be made:
    then no expression can be told."""
    value = known_number(facts.value)
    seen: dict[str, Any] = {
        "play": facts.play,
        "region": facts.region or "unassigned",
        "segment": facts.segment or "unassigned",
        "account": facts.account,
        "person": facts.person,
        "confidence": facts.confidence_pct,
        "risk": facts.risk,
        "reversible": facts.reversible,
        "value": None if value is None else float(value),
        "currency": facts.currency,
        "age_minutes": float(facts.age_minutes),
        "fields": _plain(facts.fields),
    }
    if local is not None:
        seen |= {"hour": local.hour, "minute": local.minute, "weekday": DAYS[local.weekday()]}
    try:
        return _environment().Activation(seen)
    except Exception:
        return None


@cache
def _environment() -> Any:
    return cel.NewEnv(variables={name: TYPES[kind] for name, kind in VARIABLES.items()})


def _compile(text: Any) -> Any:
    if not isinstance(text, str) or not text.strip():
        return [ExpressionFault(1, 1, "There is no expression", "Write one such as value > 5000.0")]
    if len(text) > MAX_LENGTH:
        return [ExpressionFault(1, MAX_LENGTH, "The expression is too long", f"Keep to {MAX_LENGTH} characters")]
    loops = list(LOOPS.finditer(text))
    if len(loops) > MAX_LOOPS:
        place = _place(text, loops[MAX_LOOPS].start())
        return [ExpressionFault(*place, f"It loops more than {MAX_LOOPS} times", "Use fewer of exists and all")]
    if text.count("+") > MAX_PLUS:
        return [ExpressionFault(1, 1, f"It adds more than {MAX_PLUS} times", "Make it shorter")]
    try:
        compiled = _environment().compile(text)
        kind = compiled.return_type().name()
    except Exception as error:
        return _faults(text, str(error))
    if kind not in OUTCOME:
        return [ExpressionFault(1, 1, "It gives no yes or no", "Compare with something, such as value > 5000.0")]
    return compiled


def _faults(text: str, said: str) -> list[ExpressionFault]:
    found = []
    for line, column, what in FAULT.findall(said):
        place = (max(1, int(line)), max(1, int(column)))
        found.append(ExpressionFault(*place, *_words(what.removesuffix(" [INVALID_ARGUMENT]"))))
    return found or [ExpressionFault(1, 1, "It is too deep or too long to be read", "Make it shorter")]


def _words(what: str) -> tuple[str, str]:
    undeclared, overload = UNDECLARED.search(what), OVERLOAD.search(what)
    if undeclared:
        return f"There is no “{undeclared[1]}”", f"Use {', '.join(VARIABLES)}; what else a signal holds is in fields.…"
    if overload:
        kinds = " and ".join(KINDS.get(kind, kind) for kind in overload[2].split(", "))
        name = overload[1].strip("_")
        return (
            f"“{name}” does not go with {kinds}",
            "Compare like with like: 5000 is whole, 5000.0 is not",
        )
    if "recursion" in what:
        return "It is nested too deep", "Make it simpler"
    if "<EOF>" in what and "mismatched input '<EOF>'" in what:
        return "It ends too early", "Finish the comparison, or close the bracket"
    single = TOKEN.search(what)
    if single:
        return f"“{single[1]}” means nothing here", "Write == for is, && for and, || for or"
    return f"It can't be read: {what[:160]}", "Write it such as region.startsWith('emea') && value > 5000.0"


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as CEL can hold them: a whole number beyond 64 bits becomes one with a point."""
    return {
        name: float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value
        for name, value in fields.items()
        if type(name) is str
    }
