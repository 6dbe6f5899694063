"""What other boundaries would have made of an agent's past runs. Reads, and writes nothing."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from agents.loop import past
from agents.rules.boundaries import Policy
from agents.rules.policy_specs import Limits

USUAL, MOST = 1_200, 12_000
"""How many of the newest runs are looked at: usually, and at most."""
SIZES = (USUAL, 5_000, MOST)
EXAMPLES = 3
UNTOLD = "is not known, so it counts as fitting"
"""How a decision ends whose clause fitted since something could not be told."""
VERDICTS = ("alone", "ask", "never")


class Example(NamedTuple):
    """One run that a shift concerns."""

    run: UUID
    account: str
    at: datetime | None


@dataclass(slots=True)
class Shift:
    """Runs that one clause decided before and another would have; `untold`: what that asks for is not known."""

    before: str
    after: str
    clause_before: str
    clause_after: str
    runs: int = 0
    untold: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class Replayed:
    """
    `runs` were decided again, of at most `size` newest ones that chose a play; `since` and `until` are the oldest and
    newest. `unread` had no facts that can be read; `thin` are from before facts were kept, so that value, time zone
    and the like are not known of them. `was` and `now` count verdicts. `shifts`: the most frequent first.
    """

    size: int
    runs: int = 0
    unread: int = 0
    thin: int = 0
    since: datetime | None = None
    until: datetime | None = None
    was: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    now: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    shifts: list[Shift] = field(default_factory=list)

    @property
    def shifted(self) -> int:
        """How many would have been decided otherwise."""
        return sum(shift.runs for shift in self.shifts)

    @property
    def freed(self) -> int:
        """How many asked or were never done, and would have gone alone."""
        return sum(shift.runs for shift in self.shifts if shift.after == "alone")


def replay(agent: int, before: Policy | None, after: Policy, *, size: int = USUAL) -> Replayed:
    """
    Decide the agent's newest runs by both policies (None: by nothing, which is never), as though it were autonomous.

    One statement, its cost bounded by `size` (at most MOST), not by history. What is decided only at the gate (limits,
    budgets, contact locks) is not replayed.
    """
    found = Replayed(min(size, MOST))
    was = before or Policy([], Limits())
    shifts: dict[tuple[str, str, str, str], Shift] = {}
    fields = any(getattr(policy, "reads_fields", True) for policy in (was, after))
    fresh: defaultdict[tuple[str, str], int] = defaultdict(int)
    with connection.cursor() as cursor:
        runs = past.newest(cursor, agent, limit=found.size, fields=fields)
    for run in runs:
        facts = run.facts
        if not facts.play:
            found.unread += 1
            continue
        found.runs += 1
        found.thin += not (facts.currency or facts.zone)
        if facts.at is not None:
            found.since = facts.at if found.since is None else min(found.since, facts.at)
            found.until = facts.at if found.until is None else max(found.until, facts.at)
        facts.stage = "autonomous"
        one, other = was.decide(facts), after.decide(facts)
        fresh[one.verdict, other.verdict] += 1
        if one.verdict == other.verdict:
            continue
        key = (one.verdict, other.verdict, one.clause, other.clause)
        shift = shifts.get(key)
        if shift is None:
            shift = shifts[key] = Shift(*key)
        shift.runs += 1
        shift.untold += other.why.endswith(UNTOLD)
        if len(shift.examples) < EXAMPLES:
            shift.examples.append(Example(run.run, facts.account, facts.at))
    for (one_says, other_says), count in fresh.items():
        found.was[one_says] += count
        found.now[other_says] += count
    found.shifts = sorted(shifts.values(), key=lambda shift: -shift.runs)
    return found
