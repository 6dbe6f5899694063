"""
Reading a policy's spec: its clauses and limits. docs/boundaries.md says exactly what each part means.

A clause: {"id", "say": "alone|ask|never", "plays": [slugs], "regions": [codes], "segments": [codes], "accounts":
[keys], "people": [keyed hashes in hex], "min_confidence", "below_confidence" (percent), "min_risk", "max_risk" (low|
medium|high), "reversible": true|false, "min_value", "above_value", "max_value", "currency", "hours": ["18:00",
"08:00"], "days": ["mon", …], "when": CEL, "approvers", "editable": [fields], "note"}; null or left out fits anything.
The code "unassigned" names what has no region or segment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agents.rules.clauses import RISKS, Clause, words_of
from agents.rules.errors import Faults
from agents.rules.expressions import Expression, compile_expression
from agents.rules.facts import as_currency
from agents.rules.hours import DAYS, MIDNIGHT, Hours, always, minutes
from agents.rules.scopes import UNASSIGNED

__all__ = ["RISKS", "SAYS", "STAGES", "Clause", "Limits", "clause_words", "read_clauses", "read_limits"]

STAGES = ("draft", "shadow", "supervised", "autonomous", "retired")
SAYS = ("alone", "ask", "never")
VALUES = ("min_value", "above_value", "max_value")
PARTS = {
    *("id", "say", "plays", "regions", "segments", "accounts", "people", "min_confidence", "below_confidence"),
    *(
        "min_risk",
        "max_risk",
        "reversible",
        *VALUES,
        "currency",
        "hours",
        "days",
        "when",
        "approvers",
        "editable",
        "note",
    ),
}
OWN_IDS = frozenset(("default", UNASSIGNED, "stale"))
MAX_CLAUSES = 100
MAX_LISTED = 5000
MAX_APPROVERS = 5
MAX_EDITABLE = 50
MAX_AMOUNT = 1_000_000_000_000
CONTACT = re.compile(r"[0-9a-f]{32}")
FIELD = re.compile(r"[^\s.]+(?:\.[^\s.]+){0,5}")
Known = Mapping[str, Collection[str] | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What is taken at the gate. Actions an hour and a day, and a day for one account and one person; cost a day and a
    month (None: no limit). Hours one person is left to one agent (0: no lock), the greatest age of a signal in minutes
    (None: any), the hours over which the failure rate is looked at, and when nothing is sent.
    """

    hourly: int | None = None
    daily: int | None = None
    contact_lock_hours: float = 0
    max_signal_age_minutes: int | None = None
    failure_rate_window: int = 24
    account_daily: int | None = None
    person_daily: int | None = None
    budget_daily: float | None = None
    budget_monthly: float | None = None
    quiet: tuple[Hours, ...] = ()


def clause_words(clause: Clause | dict[str, Any], names: Mapping[str, str] | None = None) -> str:
    """When the clause applies, in English, for its column "alone", "asks" or "never": "sdr_call in emea, confidence
    70 % or more". `names` gives the label of a play or code. A dict must be a clause that compiled."""
    return words_of(_clause(clause) if isinstance(clause, dict) else clause, names)


def read_clauses(spec: Any, known: Known, faults: Faults) -> list[Clause]:
    """The clauses of a policy; what is wrong is noted in `faults`."""
    parts = spec.get("clauses") if isinstance(spec, dict) else None
    if not isinstance(parts, list) or len(parts) > MAX_CLAUSES:
        faults.add("clauses", f"a policy has a list of at most {MAX_CLAUSES} clauses", 'Write {"clauses": []}')
        return []
    clauses: list[Clause] = []
    for index, part in enumerate(parts):
        where, before = f"clauses[{index}]", len(faults.found)
        if not isinstance(part, dict):
            faults.add(where, "a clause is an object", 'Write {"id": "c1", "say": "ask"}')
            continue
        _check(part, where, known, faults)
        if any(clause.id == part.get("id") for clause in clauses):
            faults.add(f"{where}.id", f"{part['id']} is used twice", "Give it another id")
        if len(faults.found) == before:
            clauses.append(_clause(part))
    return clauses


def read_limits(spec: Any, faults: Faults) -> Limits:
    """The limits of a policy; what is wrong is noted in `faults`."""
    if not isinstance(spec, dict):
        return Limits()
    for key in sorted(str(k) for k in spec.keys() - _POLICY_PARTS):
        faults.add(key[:60], "a policy has no such part", f"Use {', '.join(sorted(_POLICY_PARTS))}")
    counts = _object(spec.get("limits"), "limits", _LIMITS, '{"hourly": 20, "daily": 100}', faults)
    budget = _object(spec.get("budget"), "budget", _BUDGET, '{"daily": 50, "monthly": 1000}', faults)
    found: dict[str, Any] = {}
    for name in _LIMITS:
        found[name] = _number(counts.get(name), f"limits.{name}", faults, whole=True)
    for name in _BUDGET:
        found[f"budget_{name}"] = _number(budget.get(name), f"budget.{name}", faults)
    found["contact_lock_hours"] = _number(spec.get("contact_lock_hours"), "contact_lock_hours", faults) or 0
    age = _number(spec.get("max_signal_age_minutes"), "max_signal_age_minutes", faults, whole=True)
    found["max_signal_age_minutes"] = age
    window = _number(spec.get("failure_rate_window"), "failure_rate_window", faults, whole=True)
    found["failure_rate_window"] = window or 24
    found["quiet"] = _quiet(spec.get("quiet_hours"), faults)
    return Limits(**found)


_LIMITS = ("hourly", "daily", "account_daily", "person_daily")
_BUDGET = ("daily", "monthly")
_POLICY_PARTS = {
    *("clauses", "limits", "budget", "contact_lock_hours", "max_signal_age_minutes", "failure_rate_window"),
    "quiet_hours",
}


def _object(value: Any, where: str, parts: Collection[str], example: str, faults: Faults) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or value.keys() - set(parts):
        faults.add(where, f"it holds {', '.join(parts)} and nothing else", f"Write {example}")
        return {}
    return value


def _quiet(value: Any, faults: Faults) -> tuple[Hours, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 7:
        faults.add("quiet_hours", "quiet hours are a list of at most 7", 'Write [{"hours": ["20:00", "08:00"]}]')
        return ()
    found: list[Hours] = []
    for index, part in enumerate(value):
        where, before = f"quiet_hours[{index}]", len(faults.found)
        if not isinstance(part, dict) or part.keys() - {"hours", "days"}:
            faults.add(where, "it holds hours and days", 'Write {"hours": ["20:00", "08:00"], "days": null}')
            continue
        _check_hours(part, where, faults)
        hours = _hours(part) if len(faults.found) == before else None
        if hours is not None:
            found.append(hours)
        elif len(faults.found) == before:
            faults.add(where, "it names neither hours nor days", 'Write {"hours": ["20:00", "08:00"]}')
    if always(found):
        faults.add("quiet_hours", "it is never anything but quiet, so nothing would go", "Leave some hours free")
    return tuple(found)


def _check(part: dict[str, Any], where: str, known: Known, faults: Faults) -> None:
    for key in sorted(str(k) for k in part.keys() - PARTS):
        faults.add(f"{where}.{key}"[:80], "a clause has no such part", f"Use {', '.join(sorted(PARTS))}")
    own = part.get("id")
    if not isinstance(own, str) or not own.strip() or len(own) > 60:
        faults.add(f"{where}.id", "the id is missing", "Give it a short id, such as c1")
    elif own in OWN_IDS or own.startswith("stage:"):
        faults.add(f"{where}.id", f"{own} is one of Signalbox's own", "Give it another id")
    if part.get("say") not in SAYS:
        faults.add(f"{where}.say", "a clause says alone, ask or never", "Choose one of the three")
    for name, codes in known.items():
        _check_list(part.get(name), f"{where}.{name}", codes, faults)
    _check_list(part.get("accounts"), f"{where}.accounts", None, faults)
    _check_list(part.get("people"), f"{where}.people", None, faults)
    if isinstance(part.get("people"), list) and not all(CONTACT.fullmatch(str(one)) for one in part["people"]):
        faults.add(
            f"{where}.people", "a person is named by 32 hexadecimal digits", "Give the keyed hash of the address"
        )
    if not isinstance(part.get("reversible"), bool | None):
        faults.add(f"{where}.reversible", "it is true or false", "Give true, false, or null for either")
    _check_value(part, where, faults)
    _check_hours(part, where, faults)
    if part.get("when") is not None:
        compiled = compile_expression(part["when"])
        for fault in compiled if isinstance(compiled, list) else ():
            faults.add(f"{where}.when", f"{fault.what}, at line {fault.line}, column {fault.column}", fault.mend)
    _check_asking(part, where, faults)
    bounds = {name: part.get(name) for name in ("min_confidence", "below_confidence")}
    for name, bound in bounds.items():
        if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool) or not 0 <= bound <= 100):
            faults.add(f"{where}.{name}", "confidence is a whole percentage", "Give 0 to 100")
    low, high = bounds["min_confidence"], bounds["below_confidence"]
    if isinstance(low, int) and isinstance(high, int) and low >= high:
        faults.add(
            f"{where}.below_confidence", "no confidence is both at least the one and below the other", "Widen it"
        )
    risks = {name: part.get(name) for name in ("min_risk", "max_risk")}
    for name, risk in risks.items():
        if risk is not None and (not isinstance(risk, str) or risk not in RISKS):
            faults.add(f"{where}.{name}", f"there is no risk {risk!r}", f"Use one of {', '.join(RISKS)}")
    least, most = RISKS.get(str(risks["min_risk"])), RISKS.get(str(risks["max_risk"]))
    if least is not None and most is not None and least > most:
        faults.add(f"{where}.max_risk", "no risk is both at least the one and at most the other", "Widen it")
    if not isinstance(part.get("note"), str | None):
        faults.add(f"{where}.note", "the note is not text", "Say why the clause is there")


def _check_value(part: dict[str, Any], where: str, faults: Faults) -> None:
    given = {name: part.get(name) for name in VALUES if part.get(name) is not None}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_AMOUNT:
            faults.add(f"{where}.{name}", "a value is a number", "Give one such as 5000")
            return
    if {"min_value", "above_value"} <= given.keys():
        faults.add(f"{where}.above_value", "it says where the value begins twice", "Give min_value or above_value")
    low, most = given.get("min_value", given.get("above_value")), given.get("max_value")
    if low is not None and most is not None and (low > most or (low == most and "above_value" in given)):
        faults.add(f"{where}.max_value", "no value is both beyond the one and up to the other", "Widen it")
    currency = part.get("currency")
    if currency is not None and (not isinstance(currency, str) or as_currency(currency) != currency):
        faults.add(f"{where}.currency", "a currency has three capital letters", "Write EUR, GBP or USD")
    elif bool(given) != (currency is not None):
        faults.add(f"{where}.currency", "value and currency go together", "Give both, or neither")


def _check_hours(part: dict[str, Any], where: str, faults: Faults) -> None:
    hours, days = part.get("hours"), part.get("days")
    if hours is not None:
        pair = hours if isinstance(hours, list) and len(hours) == 2 else (None, None)
        start, end = minutes(pair[0]), minutes(pair[1], end=True)
        if start is None or end is None:
            faults.add(f"{where}.hours", "hours are two times of day", 'Write ["18:00", "08:00"]')
        elif start == end:
            faults.add(f"{where}.hours", "from and to are the same", 'Write ["00:00", "24:00"] for the whole day')
    if days is not None and (
        not isinstance(days, list) or not days or not all(isinstance(day, str) and day in DAYS for day in days)
    ):
        faults.add(f"{where}.days", "days are a list of days of the week", f"Use {', '.join(DAYS)}")


def _check_asking(part: dict[str, Any], where: str, faults: Faults) -> None:
    approvers, editable = part.get("approvers"), part.get("editable")
    if approvers is not None and (
        isinstance(approvers, bool) or not isinstance(approvers, int) or not 1 <= approvers <= MAX_APPROVERS
    ):
        faults.add(f"{where}.approvers", "approvers are a whole number", f"Give 1 to {MAX_APPROVERS}")
    if editable is not None and (
        not isinstance(editable, list)
        or not 1 <= len(editable) <= MAX_EDITABLE
        or not all(isinstance(name, str) and len(name) <= 100 and FIELD.fullmatch(name) for name in editable)
    ):
        faults.add(f"{where}.editable", "editable is a list of fields of the payload", 'Write ["subject", "text"]')
    if part.get("say") in ("alone", "never"):
        for name in ("approvers", "editable"):
            if part.get(name) is not None:
                faults.add(f"{where}.{name}", "only a clause that asks has it", "Leave it out, or let the clause ask")


def _check_list(codes: Any, where: str, known: Collection[str] | None, faults: Faults) -> None:
    if codes is None:
        return
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) and code for code in codes):
        faults.add(where, "it names nothing", "Name at least one, or give null for any")
        return
    if len(codes) > MAX_LISTED:
        faults.add(where, f"it names more than {MAX_LISTED:,}", "Name fewer")
        return
    for code in codes:
        if known is not None and code not in known and code != UNASSIGNED:
            faults.add(where, f"there is no {code!r}", "Choose an existing one")


def _clause(part: dict[str, Any]) -> Clause:
    def chosen(name: str) -> frozenset[str] | None:
        return None if part.get(name) is None else frozenset(part[name])

    low, high = part.get("min_confidence"), part.get("below_confidence")
    return Clause(
        id=part["id"],
        say=part["say"],
        plays=chosen("plays"),
        regions=chosen("regions"),
        segments=chosen("segments"),
        min_confidence=0 if low is None else low,
        below_confidence=101 if high is None else high,
        min_risk=RISKS[part.get("min_risk") or "low"],
        max_risk=RISKS[part.get("max_risk") or "high"],
        note=part.get("note") or "",
        accounts=chosen("accounts"),
        people=chosen("people"),
        reversible=part.get("reversible"),
        min_value=part.get("min_value"),
        above_value=part.get("above_value"),
        max_value=part.get("max_value"),
        currency=part.get("currency") or "",
        hours=_hours(part),
        when=_expression(part.get("when")),
        approvers=part.get("approvers") or 1,
        editable=tuple(part.get("editable") or ()),
    )


def _hours(part: dict[str, Any]) -> Hours | None:
    hours, days = part.get("hours"), part.get("days")
    if hours is None and days is None:
        return None
    start, end = (minutes(hours[0]) or 0, minutes(hours[1], end=True)) if hours else (0, MIDNIGHT)
    on = frozenset(range(7)) if days is None else frozenset(DAYS.index(day) for day in days)
    return Hours(start, MIDNIGHT if end is None else end, on)


def _expression(text: Any) -> Expression | None:
    compiled = None if text is None else compile_expression(text)
    return compiled if isinstance(compiled, Expression) else None


def _number(value: Any, where: str, faults: Faults, *, whole: bool = False) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not 0 <= value <= 10_000_000:
        faults.add(where, f"{value!r} is no {'whole ' if whole else ''}number from 0 up", "Give one, or null for none")
        return None
    return value
