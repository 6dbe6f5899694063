"""What happened lately, in numbers: signals, runs and actions of the last day, failures of the last hour."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agents.access.reach import EVERYWHERE, Reach
from audit.ids import floor_id

MOST = 50_000
"""How many of the newest rows of each table are counted; beyond it a count is "50,000+"."""
BROKEN = ("failed", "unknown")
ENDED = ("delivered", *BROKEN)

DAY = """
SELECT 'action', agent_id, state, count(*), count(*) FILTER (WHERE at >= %(hour)s) FROM (
    SELECT agent_id, state, coalesce(settled_at, flight_until, created_at) AS at FROM agents_action a
    WHERE id >= %(day)s AND {action} ORDER BY id DESC LIMIT %(most)s) AS a GROUP BY 2, 3
UNION ALL
SELECT 'run', agent_id, '', count(*), 0 FROM (
    SELECT agent_id FROM agents_run a WHERE id >= %(day)s AND {action} ORDER BY id DESC LIMIT %(most)s) AS r GROUP BY 2
UNION ALL
SELECT 'signal', 0, state, count(*), 0 FROM (
    SELECT state FROM agents_signal a WHERE id >= %(day)s AND {signal} ORDER BY id DESC LIMIT %(most)s) AS s GROUP BY 3
UNION ALL
SELECT 'dead', 0, '', count(*), 0 FROM (SELECT FROM agents_deadletter WHERE state = 'open' AND {letter} LIMIT 1000) AS d
"""
WAITING = """
SELECT agent, count(*), min(opened_at), (array_agg(id ORDER BY opened_at))[1] FROM (
    SELECT agent, opened_at, id FROM approvals_approval WHERE state = 'waiting' ORDER BY expires_at LIMIT 5000
) AS w GROUP BY agent
"""


class Rate(NamedTuple):
    """`failed` (or unknown) of `total` actions that came to an end."""

    failed: int
    total: int

    @property
    def share(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.failed / self.total if self.total else None


@dataclass(slots=True)
class Lately:
    """Counts of the last 24 hours (by when they were received or made), and of the last hour where named so."""

    actions: dict[int, dict[str, int]] = field(default_factory=dict)
    hour: dict[int, dict[str, int]] = field(default_factory=dict)
    runs_of: dict[int, int] = field(default_factory=dict)
    signals_by: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0

    @property
    def signals(self) -> int:
        return sum(self.signals_by.values())

    @property
    def unheard(self) -> int:
        return self.signals_by.get("unheard", 0)

    @property
    def runs(self) -> int:
        return sum(self.runs_of.values())

    def count(self, *states: str) -> int:
        """Actions now in any of these states."""
        return sum(mine.get(state, 0) for mine in self.actions.values() for state in states)

    def failures(self, agent: int) -> tuple[Rate, Rate]:
        """The agent's failure rate of the last hour, and of the last 24 hours."""
        return _rate(self.hour.get(agent, {})), _rate(self.actions.get(agent, {}))


def lately(*, now: datetime | None = None, reach: Reach = EVERYWHERE) -> Lately:
    """One statement over the newest MOST rows of the last day of each table, of those within `reach`."""
    now = now or timezone.now()
    found = Lately()
    actions, given = reach.sql("a", "agent", "region", "segment")
    signals, _ = reach.sql("a", "region", "segment")
    with connection.cursor() as cursor:
        cursor.execute(
            DAY.format(action=actions, signal=signals, letter="true" if reach.everywhere else "false"),
            {**given, "day": floor_id(now - timedelta(days=1)), "hour": now - timedelta(hours=1), "most": MOST},
        )
        for what, agent, state, day, hour in cursor.fetchall():
            if what == "action":
                found.actions.setdefault(agent, {})[state] = day
                found.hour.setdefault(agent, {})[state] = hour
            elif what == "run":
                found.runs_of[agent] = day
            elif what == "signal":
                found.signals_by[state] = day
            else:
                found.dead_letters = day
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """Questions of one agent that wait for an answer; the oldest's time and id."""

    count: int
    since: datetime
    oldest: UUID


def waiting() -> dict[str, Waiting]:
    """By agent slug, of the 5,000 soonest to expire."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return {slug: Waiting(*rest) for slug, *rest in cursor.fetchall()}


def _rate(states: dict[str, int]) -> Rate:
    return Rate(sum(states.get(s, 0) for s in BROKEN), sum(states.get(s, 0) for s in ENDED))
