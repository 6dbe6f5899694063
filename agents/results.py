"""What an agent's runs came to: its metric day by day, and how often its outcome came where it acted and where not."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from agents.models import Agent, Metric
from agents.rules.metrics import is_met, wilson
from audit.ids import floor_id

MOST_RUNS = 20_000
"""How many of an agent's newest runs are looked at, so that the cost is bounded however busy it is."""
FIRST_VERDICT_DAYS = 30

RUNS = """
SELECT g.agent, x.day, x.acted, count(*), count(o.id), coalesce(sum(o.value), 0), min(x.decided_at)
FROM unnest(%s::bigint[], %s::text[], %s::uuid[]) AS g(agent, kind, since) CROSS JOIN LATERAL (
    SELECT r.id, r.decided_at, (r.decided_at AT TIME ZONE 'UTC')::date AS day,
        r.verdict IN ('alone', 'ask') AND NOT r.shadow AND EXISTS (
            SELECT FROM agents_action a WHERE a.run_id = r.id AND a.id >= r.id AND a.state = 'delivered'
            AND a.undo_of IS NULL) AS acted
    FROM agents_run r WHERE r.agent_id = g.agent AND r.id >= g.since ORDER BY r.id DESC LIMIT %s
) AS x LEFT JOIN agents_outcome o ON o.run_id = x.id AND o.kind = g.kind AND (o.acted OR NOT x.acted)
GROUP BY 1, 2, 3
"""
VERDICTS = """
SELECT state, count(*) FROM (
    SELECT state FROM approvals_approval
    WHERE state <> 'waiting' AND decided_at >= %s AND agent = %s ORDER BY decided_at DESC LIMIT 5000
) AS decided GROUP BY state
"""


@dataclass(slots=True)
class Group:
    """Runs of one kind, and how many of them ended in the outcome."""

    runs: int = 0
    hits: int = 0

    @property
    def rate(self) -> float | None:
        """0 to 1; None without runs."""
        return self.hits / self.runs if self.runs else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by Wilson; 0 to 1 without runs."""
        return wilson(self.hits, self.runs)


class Day(NamedTuple):
    """One UTC day: the metric's value then (None: nothing to measure), and how many runs it acted on."""

    day: date
    value: float | None
    acted: int


@dataclass(slots=True)
class Results:
    """Over the metric's window. `since`: the oldest run looked at, where MOST_RUNS cut the window short; else None."""

    metric: Metric
    days: list[Day] = field(default_factory=list)
    value: float | None = None
    acted: Group = field(default_factory=Group)
    rest: Group = field(default_factory=Group)
    since: datetime | None = None

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return is_met(self.value, float(self.metric.target), direction=self.metric.direction)  # type: ignore[arg-type]

    @property
    def daily_target(self) -> float:
        """What one day should bring: a rate is the same every day, a count or sum is spread over the window."""
        target = float(self.metric.target)
        return target if self.metric.measure == Metric.Measure.RATE else target / self.metric.window_days

    @property
    def values(self) -> list[float | None]:
        return [day.value for day in self.days]


def results(agents: Iterable[Agent], *, now: datetime | None = None) -> dict[int, Results]:
    """By agent id, for those with a metric; one statement, bounded by window and MOST_RUNS for each."""
    now = now or timezone.now()
    metrics = {agent.pk: metric for agent in agents if (metric := getattr(agent, "metric", None)) is not None}
    found = {pk: Results(metric) for pk, metric in metrics.items()}
    if not found:
        return {}
    since = {pk: _midnight(now) - timedelta(days=metric.window_days - 1) for pk, metric in metrics.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            RUNS,
            [
                list(metrics),
                [metric.outcome for metric in metrics.values()],
                [floor_id(moment) for moment in since.values()],
                MOST_RUNS,
            ],
        )
        rows = cursor.fetchall()
    for pk, one in found.items():
        _fill(one, [row[1:] for row in rows if row[0] == pk], since[pk].date(), now)
    return found


def _fill(one: Results, rows: list[tuple[date, bool, int, int, Decimal, datetime]], first: date, now: datetime) -> None:
    acted: dict[date, tuple[int, int, Decimal]] = {}
    for day, did, runs, hits, value, _ in rows:
        group = one.acted if did else one.rest
        group.runs += runs
        group.hits += hits
        if did:
            acted[day] = (runs, hits, value)
    if one.acted.runs + one.rest.runs >= MOST_RUNS:
        one.since = min(row[-1] for row in rows)
        first = max(first, one.since.date())
    for n in range((now.astimezone(UTC).date() - first).days + 1):
        day = first + timedelta(days=n)
        runs, hits, value = acted.get(day, (0, 0, Decimal(0)))
        one.days.append(Day(day, _measure(one.metric, runs, hits, value), runs))
    total = sum((value for _, _, value in acted.values()), Decimal(0))
    one.value = _measure(one.metric, one.acted.runs, one.acted.hits, total)


def _measure(metric: Metric, runs: int, hits: int, value: Decimal) -> float | None:
    if metric.measure == Metric.Measure.RATE:
        return round(100 * hits / runs, 2) if runs else None
    return float(value) if metric.measure == Metric.Measure.VALUE else float(hits)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class FirstMonth(NamedTuple):
    """Day `day` since go-live; `verdict` is None before day 30, then whether the metric is met (or not measured)."""

    day: int
    over: bool
    met: bool | None


def first_month(agent: Agent, one: Results | None, *, now: datetime | None = None) -> FirstMonth | None:
    """The verdict after thirty days in production; None for an agent that never went live."""
    if agent.live_since is None:
        return None
    day = ((now or timezone.now()) - agent.live_since).days + 1
    return FirstMonth(day, day > FIRST_VERDICT_DAYS, one.met if one else None)


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How people answered the agent's questions since `since`."""

    since: datetime
    approved: int = 0
    rejected: int = 0
    expired: int = 0
    withdrawn: int = 0

    @property
    def answered(self) -> Group:
        """Approved of all that a person answered."""
        return Group(self.approved + self.rejected, self.approved)


def track_record(agent: Agent, *, days: int = 90, now: datetime | None = None) -> TrackRecord:
    """Of the last `days`, at most the newest 5,000 answers."""
    since = (now or timezone.now()) - timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(VERDICTS, [since, agent.slug])
        return TrackRecord(since, **dict(cursor.fetchall()))
