"""A clause of a policy: when it applies, and how that is said in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agents.rules.expressions import Expression, activate
from agents.rules.facts import Facts, known_number
from agents.rules.hours import Hours, time_zone

Verdict = Literal["alone", "ask", "never"]
RISKS = {"low": 0, "medium": 1, "high": 2}
FEW = 3


class Seen:
    """The facts of one decision, with what several clauses read made once and only when asked for."""

    __slots__ = ("_activation", "_local", "facts")

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._local: datetime | Literal[False] | None = False
        self._activation: Any = False

    @property
    def local(self) -> datetime | None:
        """The moment by the recipient's clock; None when the moment or the zone is not known."""
        if self._local is False:
            self._local = _by_the_clock_of(self.facts.zone, self.facts.at)
        return self._local

    @property
    def activation(self) -> Any:
        """What expressions read; None when it can't be made."""
        if self._activation is False:
            self._activation = activate(self.facts, self.local)
        return self._activation


def _by_the_clock_of(name: str, at: datetime | None) -> datetime | None:
    zone = time_zone(name)
    if zone is None or at is None or at.tzinfo is None:
        return None
    try:
        return at.astimezone(zone)
    except OverflowError:
        return None


Test = Callable[[Seen], bool | None]
"""True, False, or None: it can't be told."""


@dataclass(frozen=True, slots=True)
class Clause:
    """
    One clause; None fits anything. Confidence in percent: from `min_confidence` on, and below `below_confidence`.

    Value in `currency`: from `min_value` on, above `above_value`, up to `max_value`. `people`: keyed hashes in hex.
    `approvers`: how many people must say yes, and `editable` which fields of the payload they may edit, when it asks.
    """

    id: str
    say: Verdict
    plays: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    segments: frozenset[str] | None = None
    min_confidence: int = 0
    below_confidence: int = 101
    min_risk: int = 0
    max_risk: int = 2
    note: str = ""
    accounts: frozenset[str] | None = None
    people: frozenset[str] | None = None
    reversible: bool | None = None
    min_value: float | None = None
    above_value: float | None = None
    max_value: float | None = None
    currency: str = ""
    hours: Hours | None = None
    when: Expression | None = None
    approvers: int = 1
    editable: tuple[str, ...] = ()

    def fits(
        self, play: str, regions: tuple[str, ...], segments: tuple[str, ...], confidence_pct: int, risk: int
    ) -> bool:
        """Whether play, scopes, confidence and risk fit; `regions` and `segments` are the lineages of the two codes.
        What else it names is in `tests`."""
        return (
            self.min_confidence <= confidence_pct < self.below_confidence
            and self.min_risk <= risk <= self.max_risk
            and (self.plays is None or play in self.plays)
            and (self.regions is None or not self.regions.isdisjoint(regions))
            and (self.segments is None or not self.segments.isdisjoint(segments))
        )

    def tests(self) -> tuple[tuple[str, Test], ...]:
        """What else must hold, cheapest first, each with the name of what it reads."""
        found: list[tuple[str, Test]] = []
        if self.reversible is not None:
            found.append(("whether it can be taken back", self._as_reversible))
        if self.accounts is not None:
            found.append(("the account", self._of_accounts))
        if self.people is not None:
            found.append(("the person", self._of_people))
        if self.currency:
            found.append((f"the value in {self.currency}", self._worth))
        if self.hours is not None:
            found.append(("the hour there", self._within))
        if self.when is not None:
            found.append(("what its expression reads", self._true))
        return tuple(found)

    def _as_reversible(self, seen: Seen) -> bool:
        return seen.facts.reversible is self.reversible

    def _of_accounts(self, seen: Seen) -> bool:
        return seen.facts.account in (self.accounts or ())

    def _of_people(self, seen: Seen) -> bool:
        return seen.facts.person in (self.people or ())

    def _worth(self, seen: Seen) -> bool | None:
        value = known_number(seen.facts.value)
        if value is None or seen.facts.currency != self.currency:
            return None
        return (
            (self.min_value is None or value >= self.min_value)
            and (self.above_value is None or value > self.above_value)
            and (self.max_value is None or value <= self.max_value)
        )

    def _within(self, seen: Seen) -> bool | None:
        local = seen.local
        return None if local is None or self.hours is None else self.hours.hold_at(local)

    def _true(self, seen: Seen) -> bool | None:
        activation = seen.activation
        return None if activation is None or self.when is None else self.when.holds(activation)


def words_of(clause: Clause, names: Mapping[str, str] | None = None) -> str:
    """When the clause applies, in English, and who then must say yes; `names` gives the label of a play or code."""
    label = names or {}
    said = [_listed(clause.plays, label) if clause.plays is not None else "any play"]
    if clause.regions is not None:
        said[0] += f" in {_listed(clause.regions, label)}"
    if clause.segments is not None:
        said[0] += f" for {_listed(clause.segments, label)}"
    if clause.accounts is not None:
        said[0] += f" at {_counted(clause.accounts, 'accounts')}"
    if clause.people is not None:
        some = len(clause.people)
        said[0] += f" to {'a person' if some == 1 else f'{some} people'} on its list"
    said += [part for part in (_confidence(clause), _value(clause), _risk(clause)) if part]
    if clause.reversible is not None:
        said.append("can be taken back" if clause.reversible else "can't be taken back")
    if clause.hours is not None:
        said.append(f"{clause.hours} where the recipient is")
    if clause.when is not None:
        said.append(f"when {clause.when.text}")
    if clause.approvers > 1:
        said.append(f"{clause.approvers} people must say yes")
    if clause.editable:
        said.append(
            f"{'who' if clause.approvers > 1 else 'whoever says yes'} may edit {', '.join(sorted(clause.editable))}"
        )
    return ", ".join(said)


def _listed(codes: frozenset[str], label: Mapping[str, str]) -> str:
    said = sorted(label.get(code, code) for code in codes)
    return " or ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _counted(codes: frozenset[str], noun: str) -> str:
    return _listed(codes, {}) if len(codes) <= FEW else f"{len(codes)} {noun} on its list"


def _confidence(clause: Clause) -> str:
    low, high = clause.min_confidence, clause.below_confidence
    if low and high <= 100:
        return f"confidence from {low} % to below {high} %"
    if low:
        return f"confidence {low} % or more"
    return f"confidence below {high} %" if high <= 100 else ""


def _value(clause: Clause) -> str:
    said = []
    if clause.min_value is not None:
        said.append(f"from {clause.min_value:,g}")
    if clause.above_value is not None:
        said.append(f"above {clause.above_value:,g}")
    if clause.max_value is not None:
        said.append(f"up to {clause.max_value:,g}")
    return f"value {' '.join(said)} {clause.currency}" if said else ""


def _risk(clause: Clause) -> str:
    order = list(RISKS)
    if clause.min_risk == clause.max_risk:
        return f"{order[clause.min_risk]} risk"
    if clause.min_risk:
        return f"{order[clause.min_risk]} risk or more"
    return f"{order[clause.max_risk]} risk or less" if clause.max_risk < 2 else ""
