"""The watchdog: finds what stalled or broke, sets it right or opens an incident, and pages."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from agents import held, paging, pause_mail, pauses, questions, telling
from agents.connectors import CannotTell, Connector, Found, NotFound
from agents.loop.hot import hot
from agents.models import Agent, Connection, Play
from agents.plants import plant_due
from agents.redecide import redecide_left
from agents.registry import snapshot
from agents.rules.metrics import is_failing
from audit import indexing, outlets, watch
from audit.entries import Line, append, record
from audit.ids import floor_id
from audit.partitions import ensure_partitions
from audit.seal import direct_connection

log = logging.getLogger(__name__)

ACTOR = "worker:watchdog"
LOOKUP_GRACE_SECONDS = 60
"""Past `flight_until`, before a far side's "not found" is believed; more where its connector says so."""
LOOKUPS = 100
"""How many unknowns one round looks at."""
LOOKUPS_AT_ONCE = 10
LOOKUP_SECONDS = 10.0
"""For all look-ups of a round together: paging waits for them."""
MIN_SAMPLE = 10
FAILURE_WINDOW = timedelta(hours=1)
WAITS = timedelta(days=4)
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
SELECT a.id, a.run_id, a.attempt, a.connection_id,
    (SELECT count(*) FROM agents_attempt t WHERE t.action_id = a.id AND t.verdict = 'unknown')
FROM agents_action a JOIN unnest(%s::bigint[], %s::float8[]) AS c (id, grace) ON c.id = a.connection_id
WHERE a.state = 'unknown' AND a.attempt IS NOT NULL
    AND a.flight_until < clock_timestamp() - c.grace * '1 second'::interval
ORDER BY a.id <= %s, a.id LIMIT %s
"""
"""Those after the last one looked at come first, so that those nobody can tell of keep nobody waiting."""
RESOLVE = """
UPDATE agents_action SET state = %s, why = %s, not_before = clock_timestamp(),
    settled_at = CASE WHEN %s = 'delivered' THEN clock_timestamp() END
WHERE id = %s AND state = 'unknown' AND attempt = %s
"""
_last_looked_at = UUID(int=0)
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
    for part in PARTS:
        _alone(part)
    with hot.transaction() as cursor:
        (work,) = cursor.execute(WORK, [list(snapshot(cursor).connections)]).fetchone() or (False,)
        return bool(work)


def page() -> None:
    """Tell whoever is next of each open incident, and whoever a new pause concerns."""
    paging.page_due()
    pause_mail.tell_due()


def housekeep() -> None:
    """Months ahead for growing tables, and counters whose window is over; each stands alone, as in `sweep`."""
    for part in (_months_ahead, _drop_counters, telling.forget_old):
        _alone(part)


def index_record() -> int:
    """Make what was sealed since findable by its words, a bounded piece of it; how many blocks."""
    with transaction.atomic(), connection.cursor() as cursor:
        return indexing.index(cursor)


def verify_record() -> None:
    """What was sealed since the last time, and a share of the old; a break is an incident, as is an outlet for
    checkpoints that has failed for long. That a whole round ended is an entry, and how."""
    with direct_connection() as conn:
        seen = watch.look(conn)
        stuck = outlets.failing(conn.cursor(), longer_than=outlets.LATE)
    if seen.found:
        paging.open_incident("record", f"The record does not verify: {seen.first}", actor=ACTOR)
    if stuck:
        worst = max(stuck, key=lambda one: one.seconds)
        cause = f"Checkpoints have not got to {worst.target} for {worst.seconds / 60:.0f} minutes: {worst.error}"
        paging.open_incident("outlet", cause, actor=ACTOR)
    if seen.ended_round:
        result = f"BROKEN, {seen.round_found} found" if seen.round_found else "it holds"
        detail = {"sealed": seen.size, "found": seen.round_found, "first": seen.round_first, "result": result}
        with transaction.atomic():
            record(Line("record.verified", "record:all", ACTOR, detail=detail))


def _months_ahead() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        ensure_partitions(cursor)


def _drop_counters() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM agents_counter WHERE expires_at < clock_timestamp()")


def _alone(part: Callable[[], object]) -> None:
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
    global _last_looked_at
    with hot.transaction() as cursor:
        now = snapshot(cursor)
        able = {
            one.id: one.connector for one in now.connections.values() if one.connector and _grace(one.connector) >= 0
        }
        graces = [_grace(connector) for connector in able.values()]
        rows = cursor.execute(UNKNOWN, [list(able), graces, _last_looked_at, LOOKUPS]).fetchall()
    _last_looked_at = rows[-1][0] if rows else UUID(int=0)
    answers = asyncio.run(_ask([(able[row[3]], row[0]) for row in rows if not able[row[3]].idempotent]))
    for id_, run, attempt, _, unknowns in rows:
        resolved = _resolved(answers.get(id_), again=unknowns > 1)
        if resolved is None:
            continue
        state, why = resolved
        with hot.transaction() as cursor:
            if cursor.execute(RESOLVE, [state, why, state, id_, attempt]).rowcount:
                append(cursor, [_line("action.resolved", id_, run, attempt=str(attempt), state=state, why=why)])


def _grace(connector: Connector) -> float:
    """Seconds past `flight_until` after which an unknown can be resolved; -1 where only a person can."""
    if connector.idempotent:
        return 0.0
    return -1.0 if connector.lookup_after is None else max(LOOKUP_GRACE_SECONDS, connector.lookup_after)


def _resolved(answer: Found | NotFound | CannotTell | None, *, again: bool) -> tuple[str, str] | None:
    """State and why; None while it stays unknown. `again`: it was sent once more already, so a person says."""
    match answer:
        case None:
            return "ready", "The far side knows the key: sent again under the same one."
        case Found():
            return "delivered", "The far side has it."
        case NotFound() if not again:
            return "ready", "The far side does not have it: sent once more."
        case NotFound():
            log.info("an action that the far side does not have was sent once more already")
        case CannotTell():
            log.info("an unknown action stays so: %s", answer.detail)
    return None


async def _ask(asked: list[tuple[Connector, UUID]]) -> dict[UUID, Found | NotFound | CannotTell]:
    """What the far sides say within LOOKUP_SECONDS, LOOKUPS_AT_ONCE asked at a time of each; who is late can't tell."""
    if not asked:
        return {}
    connectors = {id(connector): connector for connector, _ in asked}
    turns = {key: asyncio.Semaphore(LOOKUPS_AT_ONCE) for key in connectors}

    async def ask(connector: Connector, action: UUID) -> Found | NotFound | CannotTell:
        async with turns[id(connector)]:
            return await connector.lookup(action)

    await _close(connectors.values())
    tasks = [asyncio.create_task(ask(connector, action)) for connector, action in asked]
    try:
        await asyncio.wait(tasks, timeout=LOOKUP_SECONDS)
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await _close(connectors.values())
    return {
        action: CannotTell(f"no answer: {type(answer).__name__}") if isinstance(answer, BaseException) else answer
        for (_, action), answer in zip(asked, answers, strict=True)
    }


async def _close(connectors: Iterable[Connector]) -> None:
    """A connection that one event loop opened is of no use to another."""
    for connector in connectors:
        await connector.close()


def _lift_pauses() -> None:
    pauses.lift_due(actor=ACTOR)
    held.finish(actor=ACTOR)
    held.note_quiet()


def _decide_again() -> None:
    redecide_left(actor=ACTOR)


def _expire() -> None:
    questions.escalate_due(actor=ACTOR)
    questions.expire_due(actor=ACTOR)


def _plant() -> None:
    plant_due(actor=ACTOR)


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
        "metric", "policy"
    ):
        hours = int(agent.policy.spec.get("failure_rate_window") or 24) if agent.policy else 24
        failed, total = _rates(agent, _since(agent.incidents, timedelta(hours=hours)))
        if is_failing(failed, total, float(agent.metric.acceptable_failure_rate) / 100, MIN_SAMPLE):
            cause = (
                f"{agent.name} failed {failed} of {total} actions in the last {hours} h; "
                f"{agent.metric.acceptable_failure_rate.normalize():f} % are accepted"
            )
            paging.open_incident("failure_rate", cause, actor=ACTOR, agent=agent)


def _since(incidents: Any, window: timedelta = FAILURE_WINDOW) -> datetime:
    """From when on failures count: `window` back, and nothing from before someone called it resolved."""
    resolved = incidents.filter(state="resolved").aggregate(at=Max("resolved_at"))["at"]
    begins = timezone.now() - window
    return max(begins, resolved) if resolved else begins


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


PARTS = (
    *(_overdue, _resolve_unknown, _lift_pauses, _decide_again, _expire, _plant),
    *(_watch_connections, _watch_agents, _watch_stall),
)  # fmt: skip
"""Of a round, in this order."""


def _line(verb: str, action: UUID, run: UUID, **detail: Any) -> Line:
    return Line(verb=verb, subject=f"action:{action}", actor=ACTOR, run=run, detail=detail)
