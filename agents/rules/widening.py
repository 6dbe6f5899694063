"""Whether one policy lets an agent do alone what another did not: decided on the clauses, for every possible fact.

Each part of a clause is a set of atoms on an axis of its own: the plays, regions, segments, confidences and risks that
the two policies tell apart, with one atom for all they do not name. A clause is a box, and what a policy does alone
is its alone boxes less its ask and never boxes. A part that this module cannot order (an expression, a list, hours) is
an axis of two atoms, holds or not, free of all others: so the answer errs to "widens", never to "does not".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from agents.rules.boundaries import Policy
from agents.rules.policy_specs import Clause, Limits
from agents.rules.scopes import UNASSIGNED, lineage

MOST_BOXES = 20_000
"""Beyond so many pieces the answer is that it may widen."""
SAID = frozenset({"id", "say", "note", "approvers", "editable"})
"""Parts of a clause that do not say when it applies."""
ELSEWHERE = "\x00elsewhere"
MORE_IS_WIDER = frozenset({"hourly", "daily", "max_signal_age_minutes"})
"""Limits under which a greater number lets more through; None is no limit."""
LESS_IS_WIDER = frozenset({"contact_lock_hours"})
NEITHER = frozenset({"failure_rate_window"})

Box = tuple[int, ...]


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
    axes = _axes([*before.clauses, *new.clauses])
    wider = _wider(before, new, axes)
    narrower = _wider(new, before, axes)
    return Change(tuple(wider), bool(narrower))


def _wider(old: Policy, new: Policy, axes: Sequence[_Axis]) -> list[Loosened]:
    try:
        found = [*_alone(old, new, axes), *_approvers(old, new, axes)]
    except _TooMany:
        found = [Loosened("unsure", "")]
    if any(clause.say == "alone" for clause in new.clauses):
        found += _limits(old.limits, new.limits)
    return found


def _alone(old: Policy, new: Policy, axes: Sequence[_Axis]) -> Iterable[Loosened]:
    """Where `new` goes alone and `old` did not, once for each pair of clauses."""
    stops = [_box(clause, axes) for clause in new.clauses if clause.say != "alone"]
    alone_before = [_box(clause, axes) for clause in old.clauses if clause.say == "alone"]
    for clause in new.clauses:
        if clause.say != "alone":
            continue
        pieces = _less([_box(clause, axes)], stops)
        if _less(pieces, [*alone_before, *(_box(one, axes) for one in old.clauses if one.say != "alone")]):
            yield Loosened("alone", clause.id, "default", "never")
        for one in old.clauses:
            if one.say != "alone" and any(_meet(piece, _box(one, axes)) for piece in pieces):
                yield Loosened("alone", clause.id, one.id, one.say)


def _approvers(old: Policy, new: Policy, axes: Sequence[_Axis]) -> Iterable[Loosened]:
    """Where `new` asks fewer people than `old` did; the first clause that fits is the one that asks."""
    asks_before = [clause for clause in old.clauses if clause.say == "ask"]
    asks_now = [clause for clause in new.clauses if clause.say == "ask"]
    nevers = [_box(clause, axes) for one in (old, new) for clause in one.clauses if clause.say == "never"]
    for n, before in enumerate(asks_before):
        wanted = _count(before)
        if wanted <= 1:
            continue
        pieces = _less([_box(before, axes)], [*nevers, *(_box(one, axes) for one in asks_before[:n])])
        for m, now in enumerate(asks_now):
            if _count(now) >= wanted:
                continue
            mine = [met for piece in pieces if (met := _meet(piece, _box(now, axes)))]
            if _less(mine, [_box(one, axes) for one in asks_now[:m]]):
                yield Loosened("approvers", now.id, before.id, "ask")


def _count(clause: Clause) -> int:
    return int(getattr(clause, "approvers", 1) or 1)


def _limits(old: Limits, new: Limits) -> Iterable[Loosened]:
    for field in fields(Limits):
        name, was, now = field.name, getattr(old, field.name), getattr(new, field.name)
        if was == now or name in NEITHER:
            continue
        if name in MORE_IS_WIDER:
            loose = now is None or (was is not None and now > was)
        elif name in LESS_IS_WIDER:
            loose = (now or 0) < (was or 0)
        else:
            loose = bool(was)
        if loose:
            yield Loosened("limit", name)


@dataclass(frozen=True, slots=True)
class _Axis:
    """`all` has a bit for each atom; `mask` gives those on which the clause applies."""

    all: int
    mask: Callable[[Clause], int]


def _axes(clauses: Sequence[Clause]) -> list[_Axis]:
    axes = [
        _named(clauses, "plays", lambda code: (code,)),
        _named(clauses, "regions", lineage),
        _named(clauses, "segments", lineage),
        _range([0, *(clause.min_confidence for clause in clauses), *(clause.below_confidence for clause in clauses)],
               lambda clause, at: clause.min_confidence <= at < clause.below_confidence, most=100),
        _range([0, 1, 2], lambda clause, at: clause.min_risk <= at <= clause.max_risk),
    ]  # fmt: skip
    known = {*SAID, "plays", "regions", "segments", "min_confidence", "below_confidence", "min_risk", "max_risk"}
    for field in fields(Clause):
        if field.name not in known:
            axes += _opaque(clauses, field.name, field.default)
    return axes


def _named(clauses: Sequence[Clause], name: str, above: Callable[[str], tuple[str, ...]]) -> _Axis:
    """Codes of a tree, or slugs. What is unassigned never acts alone, so it has no atom."""
    codes = sorted({code for clause in clauses for code in getattr(clause, name) or ()} - {UNASSIGNED})
    atoms = [(ELSEWHERE,), *(above(code) for code in codes)]
    every = (1 << len(atoms)) - 1

    def mask(clause: Clause) -> int:
        wanted = getattr(clause, name)
        if wanted is None:
            return every
        return sum(1 << n for n, atom in enumerate(atoms) if not wanted.isdisjoint(atom))

    return _Axis(every, mask)


def _range(marks: Iterable[int], holds: Callable[[Clause, int], bool], most: int = 1 << 30) -> _Axis:
    """Numbers: an atom from each mark up to the next."""
    atoms = sorted({mark for mark in marks if 0 <= mark < most})
    every = (1 << len(atoms)) - 1
    return _Axis(every, lambda clause: sum(1 << n for n, at in enumerate(atoms) if holds(clause, at)))


def _opaque(clauses: Sequence[Clause], name: str, default: Any) -> Iterable[_Axis]:
    """For each value that a part takes, an axis of two: it holds, or not."""
    values = {repr(value): value for clause in clauses if (value := getattr(clause, name)) not in (default, None)}
    for value in values.values():
        yield _Axis(3, lambda clause, value=value: 1 if getattr(clause, name) == value else 3)


def _box(clause: Clause, axes: Sequence[_Axis]) -> Box:
    return tuple(axis.mask(clause) for axis in axes)


def _meet(one: Box, other: Box) -> Box | None:
    met = tuple(a & b for a, b in zip(one, other, strict=True))
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
