"""Conditions over a document: {"field", "op", "value"}, grouped by {"all": […]}, {"any": […]} and {"not": …}.

Three outcomes are told apart: matched, not_matched, and missing (the fact is absent, null, blank text, or cannot be
read as the number that is asked for). Groups treat missing as "not known": `all` fails on any that fails, `any` holds
on any that holds, and otherwise one missing part makes the whole missing. `exists` alone is never missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from agents.rules.comparisons import OPS, BadValue, Test
from agents.rules.errors import Faults, SpecError
from agents.rules.paths import MISSING, Document, Getter, compile_path

Outcome = Literal["matched", "not_matched", "missing"]
MATCHED: Final = "matched"
NOT_MATCHED: Final = "not_matched"
UNKNOWN: Final = "missing"

Probe = Callable[[Document], tuple[Outcome, Any]]
MAX_DEPTH = 12
MAX_PARTS = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition. `probe` gives the outcome with the fact that decided it (None when there is none);
    `words` say it in English; `fields` are the paths it reads."""

    probe: Probe
    words: str
    fields: tuple[str, ...]

    def outcome(self, document: Document) -> Outcome:
        return self.probe(document)[0]

    def matches(self, document: Document) -> bool:
        """True only when matched; missing counts as no."""
        return self.probe(document)[0] is MATCHED


def compile_condition(spec: Any, *, where: str = "condition", depth: int = 0) -> Condition:
    """The condition of a spec. SpecError lists everything that is wrong with it and with its parts."""
    if not isinstance(spec, dict):
        raise SpecError(where, "a condition is an object", 'Write {"field": …, "op": …, "value": …}')
    if depth > MAX_DEPTH:
        raise SpecError(where, f"groups are nested more than {MAX_DEPTH} deep", "Flatten them")
    for name, combine in (("all", _all), ("any", _any)):
        if name in spec:
            return _group(spec, name, combine, where, depth)
    if "not" in spec:
        _only(spec, {"not"}, where)
        inner = compile_condition(spec["not"], where=f"{where}.not", depth=depth + 1)
        return Condition(_not(inner.probe), f"not ({inner.words})", inner.fields)
    return _leaf(spec, where)


def _group(
    spec: dict[str, Any], name: str, combine: Callable[[list[Probe]], Probe], where: str, depth: int
) -> Condition:
    _only(spec, {name}, where)
    parts = spec[name]
    if not isinstance(parts, list) or not parts:
        raise SpecError(f"{where}.{name}", "the group is empty", "Give it a list with at least one condition")
    if len(parts) > MAX_PARTS:
        raise SpecError(f"{where}.{name}", f"more than {MAX_PARTS} conditions", "Use in or matches_any with a list")
    faults, inner = Faults(), list[Condition]()
    for index, part in enumerate(parts):
        with faults.gather():
            inner.append(compile_condition(part, where=f"{where}.{name}[{index}]", depth=depth + 1))
    faults.raise_any()
    if len(inner) == 1:
        return inner[0]
    joined = (" and " if name == "all" else " or ").join(
        f"({part.words})" if " and " in part.words or " or " in part.words else part.words for part in inner
    )
    fields = tuple(dict.fromkeys(field for part in inner for field in part.fields))
    return Condition(combine([part.probe for part in inner]), joined, fields)


def _leaf(spec: dict[str, Any], where: str) -> Condition:
    faults = Faults()
    get: Getter | None = None
    test: Test | None = None
    with faults.gather():
        _only(spec, {"field", "op", "value"}, where)
    with faults.gather():
        get = compile_path(spec.get("field", ""), where=f"{where}.field")
    field, op, value = str(spec.get("field", "")).strip(), spec.get("op"), spec.get("value")
    if op == "exists":
        if not isinstance(value, bool | None):
            faults.add(f"{where}.value", "exists takes true or false", "Leave the value out, or give true or false")
        faults.raise_any()
        assert get is not None
        wanted = value is not False
        return Condition(_exists(get, wanted), f"{field} is {'known' if wanted else 'not known'}", (field,))
    if not isinstance(op, str) or op not in OPS:
        faults.add(f"{where}.op", f"there is no op {op!r}", f"Use one of {', '.join((*OPS, 'exists'))}")
        raise SpecError.of(faults.found)
    maker, phrase = OPS[op]
    try:
        test = maker(value)
    except BadValue as error:
        faults.add(f"{where}.value", f"the value does not suit {op}", str(error))
    faults.raise_any()
    assert get is not None
    assert test is not None
    return Condition(_compare(get, test), f"{field} {phrase} {_say(value, op)}", (field,))


def _compare(get: Getter, test: Test) -> Probe:
    def probe(document: Document) -> tuple[Outcome, Any]:
        fact = get(document)
        if fact is MISSING or fact == "":
            return UNKNOWN, None
        answer = test(fact)
        if answer is None:
            return UNKNOWN, fact
        return (MATCHED if answer else NOT_MATCHED), fact

    return probe


def _exists(get: Getter, wanted: bool) -> Probe:
    def probe(document: Document) -> tuple[Outcome, Any]:
        fact = get(document)
        known = fact is not MISSING and fact != ""
        return (MATCHED if known is wanted else NOT_MATCHED), (fact if known else None)

    return probe


def _all(probes: list[Probe]) -> Probe:
    def probe(document: Document) -> tuple[Outcome, Any]:
        verdict: tuple[Outcome, Any] | None = None
        for part in probes:
            found = part(document)
            if found[0] is NOT_MATCHED:
                return found
            if verdict is None or (found[0] is UNKNOWN and verdict[0] is MATCHED):
                verdict = found
        assert verdict is not None
        return verdict

    return probe


def _any(probes: list[Probe]) -> Probe:
    def probe(document: Document) -> tuple[Outcome, Any]:
        verdict: tuple[Outcome, Any] | None = None
        for part in probes:
            found = part(document)
            if found[0] is MATCHED:
                return found
            if verdict is None or (found[0] is UNKNOWN and verdict[0] is NOT_MATCHED):
                verdict = found
        assert verdict is not None
        return verdict

    return probe


def _not(inner: Probe) -> Probe:
    def probe(document: Document) -> tuple[Outcome, Any]:
        outcome, fact = inner(document)
        if outcome is UNKNOWN:
            return UNKNOWN, fact
        return (NOT_MATCHED if outcome is MATCHED else MATCHED), fact

    return probe


def _only(spec: dict[str, Any], known: set[str], where: str) -> None:
    extra = sorted(str(key) for key in spec.keys() - known)
    if extra:
        raise SpecError(where, f"not understood: {', '.join(extra)}", f"Keep only {', '.join(sorted(known))}")


def _say(value: Any, op: str) -> str:
    if isinstance(value, list):
        shown = [str(item) for item in value[:6]] + (["…"] if len(value) > 6 else [])
        return " and ".join(shown) if op == "between" else ", ".join(shown)
    return str(value).lower() if isinstance(value, bool) else str(value)
