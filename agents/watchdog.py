"""The watchdog: finds what stalled or broke, sets it right or opens an incident, and pages."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from agents import paging, pauses, questions
from agents.connectors import CannotTell, Found, NotFound
from agents.loop.hot import hot
from agents.loop.render import ASK_HOURS
from agents.models import Agent, Connection, Play
from agents.registry import ConnectionNow, Snapshot, snapshot
from agents.rules.metrics import is_failing
from audit.entries import Line, append
from audit.ids import floor_id
from audit.partitions import ensure_partitions

log = logging.getLogger(__name__)

ACTOR = "worker:watchdog"
LOOKUP_GRACE_SECONDS = 60
"""Past `flight_until`, before a far side's "not found" is believed; more where its connector says so."""
MIN_SAMPLE = 10
FAILURE_WINDOW = timedelta(hours=1)
WAITS = timedelta(hours=2 * ASK_HOURS)
"""How long after its run's decision, beyond its step's delay, an action still counts: asked about, tried again."""
BROKEN_AFTER = 5
"""Permanent failures in a row, within the window, after which a connection is broken."""
STALLED_SECONDS = 60

OVERDUE = """
UPDATE agents_action SET state = 'unknown', why = 'The worker was gone before the answer was.'
WHERE id IN (SELECT id FROM agents_action WHERE state = 'sending' AND flight_until < clock_timestamp()
             LIMIT 500 FOR UPDATE SKIP LOCKED)
RETURNING id, run_id, attempt
"""
UNKNOWN = """
SELECT id, run_id, attempt, connection_id, extract(epoch FROM clock_timestamp() - flight_until) FROM agents_action
WHERE state = 'unknown' AND attempt IS NOT NULL AND connection_id = ANY(%s) ORDER BY id LIMIT 100
"""
RESOLVE = """
UPDATE agents_action SET state = %s, why = %s, not_before = clock_timestamp(),
    settled_at = CASE WHEN %s = 'delivered' THEN clock_timestamp() END
WHERE id = %s AND state = 'unknown' AND attempt = %s
"""
WORK = """
SELECT EXISTS (SELECT FROM agents_signal WHERE state = 'new')
    OR EXISTS (SELECT FROM unnest(%s::bigint[]) c(id) WHERE EXISTS (
        SELECT FROM agents_action WHERE connection_id = c.id AND state = 'ready' AND not_before <= clock_timestamp()))
"""


def sweep() -> bool:
    """
    One round of everything that must not stay stuck; whether there is work for the loop.

    Each part stands alone: one that fails is logged and the others go on.
    """
    for part in (_overdue, _resolve_unknown, _lift_pauses, _expire, _watch_connections, _watch_agents, _watch_stall):
        _alone(part)
    with hot.transaction() as cursor:
        (work,) = cursor.execute(WORK, [list(snapshot(cursor).connections)]).fetchone() or (False,)
        return bool(work)


def page() -> None:
    """Tell whoever is next of each open incident."""
    paging.page_due()


def housekeep() -> None:
    """Months ahead for growing tables, and counters whose window is over; each stands alone, as in `sweep`."""
    for part in (_months_ahead, _drop_counters):
        _alone(part)


def _months_ahead() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        ensure_partitions(cursor)


def _drop_counters() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM agents_counter WHERE expires_at < clock_timestamp()")


def _alone(part: Callable[[], None]) -> None:
    try:
        part()
    except Exception:
        log.exception("the watchdog's %s failed", part.__name__)


def _overdue() -> None:
    """Sends whose worker died: nobody knows, so they are unknown (I1)."""
    with hot.transaction() as cursor:
        rows = cursor.execute(OVERDUE).fetchall()
        if rows:
            cursor.execute(
                "UPDATE agents_attempt SET settled_at = clock_timestamp(), verdict = 'unknown', "
                "detail = 'The worker was gone before the answer was.' WHERE id = ANY(%s) AND settled_at IS NULL",
                [[row[2] for row in rows]],
            )
            append(cursor, [_line("action.unknown", id_, run, attempt=str(attempt)) for id_, run, attempt in rows])


def _resolve_unknown() -> None:
    """What the connector declares: same key again, or ask the far side; else it waits for a person."""
    with hot.transaction() as cursor:
        now = snapshot(cursor)
        able = [
            one.id
            for one in now.connections.values()
            if one.connector and (one.connector.idempotent or one.connector.lookup_after is not None)
        ]
        rows = cursor.execute(UNKNOWN, [able]).fetchall()
    for id_, run, attempt, connection_id, since in rows:
        verdict = _verdict(now, id_, connection_id, float(since or 0))
        if verdict is None:
            continue
        state, why = verdict
        with hot.transaction() as cursor:
            if cursor.execute(RESOLVE, [state, why, state, id_, attempt]).rowcount:
                append(cursor, [_line("action.resolved", id_, run, attempt=str(attempt), state=state, why=why)])


def _verdict(now: Snapshot, action: UUID, connection_id: int, since: float) -> tuple[str, str] | None:
    one: ConnectionNow = now.connections[connection_id]
    connector = one.connector
    assert connector is not None
    if connector.idempotent:
        return ("ready", "The far side knows the key: sent again under the same one.") if since > 0 else None
    assert connector.lookup_after is not None
    if since < max(LOOKUP_GRACE_SECONDS, connector.lookup_after):
        return None
    answer = asyncio.run(_ask(one, action))
    if isinstance(answer, Found):
        return "delivered", "The far side has it."
    if isinstance(answer, NotFound):
        return "ready", "The far side does not have it: sent once more."
    log.info("an unknown action stays so: %s", answer.detail)
    return None


async def _ask(one: ConnectionNow, action: UUID) -> Found | NotFound | CannotTell:
    assert one.connector is not None
    try:
        return await one.connector.lookup(action)
    finally:
        await one.connector.close()


def _lift_pauses() -> None:
    pauses.lift_due(actor=ACTOR)


def _expire() -> None:
    questions.expire_due(actor=ACTOR)


def _watch_connections() -> None:
    """A connection whose last attempts all failed for good is broken: one incident."""
    for one in Connection.objects.filter(is_active=True):
        since = _since(one.incidents)
        last = list(
            one.attempt_set.filter(id__gte=floor_id(since), settled_at__gte=since)
            .order_by("-id")
            .values_list("verdict", "detail", "settled_at")[:BROKEN_AFTER]
        )
        if not last:
            continue
        verdict, detail, at = last[0]
        if verdict == "delivered":
            Connection.objects.filter(pk=one.pk).update(last_ok_at=at)
            continue
        Connection.objects.filter(pk=one.pk).update(last_failed_at=at, last_error=detail[:500])
        if len(last) == BROKEN_AFTER and all(verdict == "failed" for verdict, _, _ in last):
            paging.open_incident("connection", f"{one.name} fails: {detail}", actor=ACTOR, connection_=one)


def _watch_agents() -> None:
    """An agent whose actions fail more often than its metric accepts: one incident."""
    for agent in Agent.objects.filter(stage__in=("supervised", "autonomous"), metric__isnull=False).select_related(
        "metric"
    ):
        failed, total = _rates(agent, _since(agent.incidents))
        if is_failing(failed, total, float(agent.metric.acceptable_failure_rate) / 100, MIN_SAMPLE):
            cause = (
                f"{agent.name} failed {failed} of {total} actions in the last hour; "
                f"{agent.metric.acceptable_failure_rate.normalize():f} % are accepted"
            )
            paging.open_incident("failure_rate", cause, actor=ACTOR, agent=agent)


def _since(incidents: Any) -> datetime:
    """From when on failures count: an hour back, and nothing from before someone called it resolved."""
    resolved = incidents.filter(state="resolved").aggregate(at=Max("resolved_at"))["at"]
    window = timezone.now() - FAILURE_WINDOW
    return max(window, resolved) if resolved else window


def _rates(agent: Agent, since: datetime) -> tuple[int, int]:
    floor = floor_id(since - _longest_delay(agent) - WAITS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE state IN ('failed', 'unknown')), count(*) FROM ("
            "  SELECT a.state FROM agents_run r JOIN agents_action a ON a.run_id = r.id"
            "  WHERE r.agent_id = %s AND r.id >= %s AND a.id >= %s AND a.settled_at >= %s"
            "    AND a.state IN ('delivered', 'failed', 'unknown')"
            "  ORDER BY r.id DESC LIMIT 500) AS recent",
            [agent.pk, floor, floor, since],
        )
        row: tuple[int, int] = cursor.fetchone()
        return row


def _longest_delay(agent: Agent) -> timedelta:
    steps = Play.objects.filter(slug__in=[choice["play"] for choice in agent.choices]).values_list("steps", flat=True)
    return timedelta(minutes=max((int(step.get("delay_minutes") or 0) for play in steps for step in play), default=0))


def _watch_stall() -> None:
    """Signals that nobody decides, for a minute: the workers are gone or stuck."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM agents_signal WHERE state = 'new' AND received_at < %s LIMIT 1000) AS s",
            [timezone.now() - timedelta(seconds=STALLED_SECONDS)],
        )
        waiting = cursor.fetchone()[0]
    if waiting:
        paging.open_incident("stalled", f"{waiting} signals wait for more than a minute", actor=ACTOR)


def _line(verb: str, action: UUID, run: UUID, **detail: Any) -> Line:
    return Line(verb=verb, subject=f"action:{action}", actor=ACTOR, run=run, detail=detail)
