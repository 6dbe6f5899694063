"""Whether one policy lets an agent do alone what another did not: decided on the clauses, for every possible fact.

Each part of a clause is a set of atoms on an axis of its own: the plays, scopes, lists, confidences, risks, values and
hours that the two policies tell apart, one atom for all they do not name, and one for what can't be told. A clause is
a box, and what a policy does alone is its alone boxes less its ask and never boxes. An expression is an axis of its own
with three atoms, free of all others: so the answer errs to "widens", never to "does not".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice, pairwise
from operator import and_
from typing import Any, TypeVar

from agents.rules.boundaries import Policy
from agents.rules.clauses import Clause
from agents.rules.hours import MIDNIGHT, Hours
from agents.rules.policy_specs import Limits
from agents.rules.scopes import UNASSIGNED, lineage

MOST_BOXES = 3_000
"""Beyond so many pieces the answer is that it may widen."""
MOST_TOLD = 12
"""How many ways in which it widens are told, beside the limits."""
SAID = frozenset({"id", "say", "note", "approvers", "editable"})
"""Parts of a clause that do not say when it applies."""
ORDERED = frozenset({"plays", "regions", "segments", "accounts", "people", "min_confidence", "below_confidence",
                     "min_risk", "max_risk", "reversible", "min_value", "above_value", "max_value", "currency",
                     "hours"})  # fmt: skip
"""Parts with an axis that knows what they mean."""
ELSEWHERE = "\x00elsewhere"
MORE_IS_WIDER = frozenset({"hourly", "daily", "account_daily", "person_daily", "budget_daily", "budget_monthly",
                           "max_signal_age_minutes"})  # fmt: skip
"""Limits under which a greater number lets more through; None is no limit."""
LESS_IS_WIDER = frozenset({"contact_lock_hours"})
NEITHER = frozenset({"failure_rate_window"})

Box = tuple[int, ...]
Boxes = dict[int, Box]
"""Of each clause, by its identity."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Loosened:
    """One way in which it does more alone, or asks fewer: `kind` is alone, approvers, limit or unsure.

    `now` and `before` are ids of clauses, or the name of a limit; `before` is "default" where no clause spoke.
    """

    kind: str
    now: str
    before: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a new policy does to the agent's autonomy. Both may be true."""

    wider: tuple[Loosened, ...]
    narrower: bool

    @property
    def widens(self) -> bool:
        return bool(self.wider)


class _TooMany(Exception):
    """The clauses cut each other into more than MOST_BOXES pieces."""


def compare(old: Policy | None, new: Policy) -> Change:
    """
    What `new` widens or narrows against `old` (None: an agent that does nothing), as though it were autonomous.

    Sound: where it answers that nothing widens, no facts exist on which `new` says alone and `old` did not, on which
    `new` asks fewer approvers than `old`, and no limit of `new` is looser.
    """
    before = old or Policy([], Limits())
    clauses = [*before.clauses, *new.clauses]
    axes = _axes(clauses)
    boxes = {id(clause): tuple(axis(clause) for axis in axes) for clause in clauses}
    wider = _wider(before, new, boxes)
    return Change(tuple(wider), bool(_wider(new, before, boxes, most=1)))


def _wider(old: Policy, new: Policy, boxes: Boxes, *, most: int = MOST_TOLD) -> list[Loosened]:
    ways = chain(_alone(old, new, boxes), _approvers(old, new, boxes))
    try:
        found = list(islice(ways, most))
    except _TooMany:
        found = [Loosened("unsure", "")]
    if any(clause.say == "alone" for clause in new.clauses):
        found += _limits(old.limits, new.limits)
    return found


def _alone(old: Policy, new: Policy, boxes: Boxes) -> Iterable[Loosened]:
    """Where `new` goes alone and `old` did not, once for each pair of clauses."""
    stops = [boxes[id(clause)] for clause in new.clauses if clause.say != "alone"]
    alone_before = [boxes[id(clause)] for clause in old.clauses if clause.say == "alone"]
    for clause in new.clauses:
        if clause.say != "alone":
            continue
        pieces = _less([boxes[id(clause)]], stops)
        if _less(pieces, [*alone_before, *(boxes[id(one)] for one in old.clauses if one.say != "alone")]):
            yield Loosened("alone", clause.id, "default", "never")
        for one in old.clauses:
            if one.say != "alone" and any(_meet(piece, boxes[id(one)]) for piece in pieces):
                yield Loosened("alone", clause.id, one.id, one.say)


def _approvers(old: Policy, new: Policy, boxes: Boxes) -> Iterable[Loosened]:
    """Where `new` asks fewer people than `old` did: of the clauses that fit, the one that wants most asks."""
    asks_now = [clause for clause in new.clauses if clause.say == "ask"]
    nevers = [boxes[id(clause)] for one in (old, new) for clause in one.clauses if clause.say == "never"]
    for before in old.clauses:
        if before.say != "ask" or before.approvers <= 1:
            continue
        enough = [boxes[id(one)] for one in asks_now if one.approvers >= before.approvers]
        pieces = _less([boxes[id(before)]], [*nevers, *enough])
        for now in asks_now:
            if now.approvers < before.approvers and any(_meet(piece, boxes[id(now)]) for piece in pieces):
                yield Loosened("approvers", now.id, before.id, "ask")


def _limits(old: Limits, new: Limits) -> Iterable[Loosened]:
    for field in fields(Limits):
        name, was, now = field.name, getattr(old, field.name), getattr(new, field.name)
        if was == now or name in NEITHER:
            continue
        if name in MORE_IS_WIDER:
            loose = now is None or (was is not None and now > was)
        elif name in LESS_IS_WIDER:
            loose = (now or 0) < (was or 0)
        elif name == "quiet":
            week = _week([*was, *now])
            loose = any(_quiet(was, at) and not _quiet(now, at) for at in week)
        else:
            loose = bool(was)
        if loose:
            yield Loosened("limit", name)


Axis = Callable[[Clause], int]
"""The atoms of one axis on which a clause applies, a bit for each."""


def _axes(clauses: Sequence[Clause]) -> list[Axis]:
    axes = [
        _named(clauses, "plays", lambda code: (code,)),
        _named(clauses, "regions", lineage, UNASSIGNED),
        _named(clauses, "segments", lineage, UNASSIGNED),
        _named(clauses, "accounts", lambda code: (code,)),
        _named(clauses, "people", lambda code: (code,)),
        _told(
            sorted(
                {0, *(mark for one in clauses for mark in (one.min_confidence, one.below_confidence) if mark < 100)}
            ),
            lambda clause, at: clause.min_confidence <= at < clause.below_confidence,
        ),
        _told([0, 1, 2], lambda clause, at: clause.min_risk <= at <= clause.max_risk),
        _told([False, True], lambda clause, at: clause.reversible is None or clause.reversible is at),
        _told([*_values(clauses), None], _worth),
        _told([*_week([clause.hours for clause in clauses if clause.hours]), None], _within),
    ]
    for field in fields(Clause):
        if field.name not in SAID | ORDERED:
            axes += _opaque(clauses, field.name, field.default)
    return axes


def _told(atoms: Sequence[T], holds: Callable[[Clause, T], bool | None]) -> Axis:
    """An atom for each of `atoms`; where it can't be told (None) a clause that asks or says never fits, as in
    `boundaries`."""

    def fits(clause: Clause, atom: T) -> bool:
        held = holds(clause, atom)
        return clause.say != "alone" if held is None else held

    return lambda clause: sum(1 << n for n, atom in enumerate(atoms) if fits(clause, atom))


def _named(clauses: Sequence[Clause], name: str, above: Callable[[str], tuple[str, ...]], never: str = "") -> Axis:
    """Codes of a tree, slugs or keys: an atom for all that the same clauses name. `never` acts alone, so has none."""
    wanted = [getattr(clause, name) for clause in clauses]
    codes = {code for named in wanted for code in named or ()} - {never}
    fitting: dict[tuple[bool, ...], tuple[str, ...]] = {}
    for path in ((ELSEWHERE,), *(above(code) for code in sorted(codes))):
        fitting.setdefault(tuple(named is None or not named.isdisjoint(path) for named in wanted), path)
    atoms = list(fitting.values())

    def holds(clause: Clause, path: tuple[str, ...]) -> bool:
        named = getattr(clause, name)
        return named is None or not named.isdisjoint(path)

    return _told(atoms, holds)


def _values(clauses: Sequence[Clause]) -> Iterable[tuple[str, float]]:
    """For each currency its marks, something between each two, and something beyond either end."""
    for currency in sorted({clause.currency for clause in clauses if clause.currency}):
        of = [one for one in clauses if one.currency == currency]
        bounds = {mark for one in of for mark in (one.min_value, one.above_value, one.max_value)}
        marks = sorted(mark for mark in bounds if mark is not None)
        if marks:
            between = [(one + other) / 2 for one, other in pairwise(marks)]
            yield from ((currency, value) for value in sorted({marks[0] - 1, *marks, *between, marks[-1] + 1}))


def _worth(clause: Clause, at: tuple[str, float] | None) -> bool | None:
    if not clause.currency:
        return True
    if at is None or at[0] != clause.currency:
        return None
    value = at[1]
    return (
        (clause.min_value is None or value >= clause.min_value)
        and (clause.above_value is None or value > clause.above_value)
        and (clause.max_value is None or value <= clause.max_value)
    )


def _week(stretches: Iterable[Hours]) -> list[tuple[int, int]]:
    """A moment (day, minute) on each day of a week in each stretch of the day that these tell apart."""
    marks = sorted({0, *(mark % MIDNIGHT for hours in stretches for mark in (hours.start, hours.end))})
    return [(day, mark) for day in range(7) for mark in marks]


def _within(clause: Clause, at: tuple[int, int] | None) -> bool | None:
    if clause.hours is None:
        return True
    return None if at is None else clause.hours.hold(*at)


def _quiet(stretches: Iterable[Hours], at: tuple[int, int]) -> bool:
    return any(hours.hold(*at) for hours in stretches)


def _opaque(clauses: Sequence[Clause], name: str, default: Any) -> Iterable[Axis]:
    """For each value that a part takes, an axis of its own: it holds, it does not, it can't be told."""
    values: list[Any] = []
    for clause in clauses:
        value = getattr(clause, name)
        if value not in (default, None) and value not in values:
            values.append(value)
    for value in values:

        def holds(clause: Clause, at: bool | None, value: Any = value) -> bool | None:
            return at if getattr(clause, name) == value else True

        yield _told([True, False, None], holds)


def _meet(one: Box, other: Box) -> Box | None:
    met = tuple(map(and_, one, other))
    return met if all(met) else None


def _less(boxes: Iterable[Box], others: Sequence[Box]) -> list[Box]:
    """The boxes without the others, in disjoint pieces."""
    left = [box for box in boxes if all(box)]
    for other in others:
        left = [piece for box in left for piece in _cut(box, other)]
        if len(left) > MOST_BOXES:
            raise _TooMany
    return left


def _cut(box: Box, other: Box) -> list[Box]:
    if not _meet(box, other):
        return [box]
    pieces, head = [], list(box)
    for n, (mine, theirs) in enumerate(zip(box, other, strict=True)):
        if outside := mine & ~theirs:
            pieces.append((*head[:n], outside, *box[n + 1 :]))
        head[n] = mine & theirs
    return pieces
