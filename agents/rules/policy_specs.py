"""Reading a policy's spec: its clauses and limits, and a clause in words.

A clause: {"id", "say": "alone|ask|never", "plays": [slugs], "regions": [codes], "segments": [codes], "min_confidence",
"below_confidence" (percent), "min_risk", "max_risk" (low|medium|high), "note"}; null or left out fits anything. The
code "unassigned" names what has no region or segment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agents.rules.errors import Faults
from agents.rules.scopes import UNASSIGNED

STAGES = ("draft", "shadow", "supervised", "autonomous", "retired")
RISKS = {"low": 0, "medium": 1, "high": 2}
SAYS = ("alone", "ask", "never")
PARTS = {
    *("id", "say", "plays", "regions", "segments"),
    *("min_confidence", "below_confidence", "min_risk", "max_risk", "note"),
}
OWN_IDS = frozenset(("default", UNASSIGNED, "stale"))
MAX_CLAUSES = 100
Known = Mapping[str, Collection[str] | None]


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. Confidence in percent: applies from `min_confidence` on, and below `below_confidence`."""

    id: str
    say: Literal["alone", "ask", "never"]
    plays: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    segments: frozenset[str] | None = None
    min_confidence: int = 0
    below_confidence: int = 101
    min_risk: int = 0
    max_risk: int = 2
    note: str = ""

    def fits(
        self, play: str, regions: tuple[str, ...], segments: tuple[str, ...], confidence_pct: int, risk: int
    ) -> bool:
        """Whether the clause applies; `regions` and `segments` are the lineages of the two codes."""
        return (
            self.min_confidence <= confidence_pct < self.below_confidence
            and self.min_risk <= risk <= self.max_risk
            and (self.plays is None or play in self.plays)
            and (self.regions is None or not self.regions.isdisjoint(regions))
            and (self.segments is None or not self.segments.isdisjoint(segments))
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """Actions an hour and a day (None: no limit), hours one person is left to one agent (0: no lock), the greatest age
    of a signal in minutes (None: any), and the hours over which the failure rate is looked at."""

    hourly: int | None = None
    daily: int | None = None
    contact_lock_hours: float = 0
    max_signal_age_minutes: int | None = None
    failure_rate_window: int = 24


def clause_words(clause: Clause | dict[str, Any], names: Mapping[str, str] | None = None) -> str:
    """When the clause applies, in English, for its column "alone", "asks" or "never": "sdr_call in emea, confidence
    70 % or more". `names` gives the label of a play or code. A dict must be a clause that compiled."""
    if isinstance(clause, dict):
        clause = _clause(clause)
    label = names or {}

    def listed(codes: frozenset[str]) -> str:
        said = sorted(label.get(code, code) for code in codes)
        return " or ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)

    said = [listed(clause.plays) if clause.plays is not None else "any play"]
    if clause.regions is not None:
        said[0] += f" in {listed(clause.regions)}"
    if clause.segments is not None:
        said[0] += f" for {listed(clause.segments)}"
    low, high = clause.min_confidence, clause.below_confidence
    if low and high <= 100:
        said.append(f"confidence from {low} % to below {high} %")
    elif low:
        said.append(f"confidence {low} % or more")
    elif high <= 100:
        said.append(f"confidence below {high} %")
    order = list(RISKS)
    if clause.min_risk == clause.max_risk:
        said.append(f"{order[clause.min_risk]} risk")
    elif clause.min_risk:
        said.append(f"{order[clause.min_risk]} risk or more")
    elif clause.max_risk < 2:
        said.append(f"{order[clause.max_risk]} risk or less")
    return ", ".join(said)


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
    limits = spec.get("limits")
    if limits is not None and (not isinstance(limits, dict) or limits.keys() - {"hourly", "daily"}):
        faults.add("limits", "limits are hourly and daily", 'Write {"hourly": 20, "daily": 100}')
        limits = None
    limits = limits or {}
    found: dict[str, Any] = {}
    for name in ("hourly", "daily"):
        found[name] = _number(limits.get(name), f"limits.{name}", faults, whole=True)
    found["contact_lock_hours"] = _number(spec.get("contact_lock_hours"), "contact_lock_hours", faults) or 0
    age = _number(spec.get("max_signal_age_minutes"), "max_signal_age_minutes", faults, whole=True)
    found["max_signal_age_minutes"] = age
    window = _number(spec.get("failure_rate_window"), "failure_rate_window", faults, whole=True)
    found["failure_rate_window"] = window or 24
    return Limits(**found)


_POLICY_PARTS = {"clauses", "limits", "contact_lock_hours", "max_signal_age_minutes", "failure_rate_window"}


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


def _check_list(codes: Any, where: str, known: Collection[str] | None, faults: Faults) -> None:
    if codes is None:
        return
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) and code for code in codes):
        faults.add(where, "it names nothing", "Name at least one, or give null for any")
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
    )


def _number(value: Any, where: str, faults: Faults, *, whole: bool = False) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not 0 <= value <= 10_000_000:
        faults.add(where, f"{value!r} is no {'whole ' if whole else ''}number from 0 up", "Give one, or null for none")
        return None
    return value
