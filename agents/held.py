"""What pauses kept back: letting it go, in bulk with an entry for each action, and what became of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents.models import Pause
from audit.entries import Line, record

BATCH = 1_000
"""How many actions one transaction lets go."""
MOST = 20_000
"""Of so many held actions at most a page says what became of them: the newest."""
TOO_OLD = "The signal is older than"
"""How the gate begins its refusal of what came back too late (`agents.loop.refusal`)."""

LET_GO = """
WITH due AS (
    SELECT h.id, h.action_id FROM agents_hold h
    WHERE h.pause_id = %(pause)s AND h.let_go_at IS NULL AND h.turn < (
        SELECT CASE WHEN p.lifted_at IS NULL THEN p.share ELSE 100 END FROM agents_pause p WHERE p.id = %(pause)s)
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), gone AS (
    UPDATE agents_hold h SET let_go_at = clock_timestamp() FROM due WHERE h.id = due.id
), ready AS (
    UPDATE agents_action a SET state = 'ready', why = '' FROM due
    WHERE a.id = due.action_id AND a.state = 'held' AND a.why = %(why)s
    RETURNING a.id, a.run_id, a.agent_id, a.region_id, a.segment_id, a.account
), named AS (
    SELECT ready.*, g.slug AS agent, r.code AS region, s.code AS segment FROM ready
    LEFT JOIN agents_agent g ON g.id = ready.agent_id
    LEFT JOIN agents_region r ON r.id = ready.region_id LEFT JOIN agents_segment s ON s.id = ready.segment_id
)
SELECT due.id, named.id, named.run_id, named.agent, named.region, named.segment, named.account
FROM due LEFT JOIN named ON named.id = due.action_id
"""
UNFINISHED = """
SELECT p.id FROM agents_pause p WHERE (p.lifted_at IS NULL AND p.share > 0 OR p.lifted_at > %s) AND EXISTS (
    SELECT FROM agents_hold h WHERE h.pause_id = p.id AND h.let_go_at IS NULL
    AND h.turn < CASE WHEN p.lifted_at IS NULL THEN p.share ELSE 100 END)
"""
FLIGHT = """
SELECT count(*) FILTER (WHERE settled_at IS NULL), max(settled_at), count(*) FILTER (WHERE verdict = 'unknown')
FROM agents_attempt WHERE id = ANY(%s)
"""
OLD = """
SELECT count(*) FROM agents_hold h JOIN agents_action a ON a.id = h.action_id
JOIN agents_agent g ON g.id = a.agent_id JOIN agents_policy p ON p.id = g.policy_id
WHERE h.pause_id = %s AND h.let_go_at IS NULL AND a.state = 'held' AND a.undo_of IS NULL
    AND jsonb_typeof(p.spec -> 'max_signal_age_minutes') = 'number' AND a.received_at < clock_timestamp()
        - (p.spec ->> 'max_signal_age_minutes')::float8 * '1 minute'::interval
"""
FATES = """
SELECT count(DISTINCT id), count(DISTINCT id) FILTER (WHERE kept),
    count(DISTINCT id) FILTER (WHERE NOT kept AND state IN ('delivered', 'sending', 'unknown', 'failed')),
    count(DISTINCT id) FILTER (WHERE NOT kept AND state = 'ready'),
    count(DISTINCT id) FILTER (WHERE NOT kept AND state = 'held'),
    count(DISTINCT id) FILTER (WHERE state = 'refused' AND starts_with(why, %(old)s)),
    count(DISTINCT id) FILTER (WHERE state = 'refused' AND NOT starts_with(why, %(old)s)),
    count(DISTINCT id) FILTER (WHERE state IN ('rejected', 'expired', 'withdrawn', 'waiting', 'shadow')),
    count(DISTINCT run_id), count(DISTINCT run_id) FILTER (WHERE NOT kept)
FROM (
    SELECT a.id, a.run_id, a.state, a.why, h.let_go_at IS NULL AND a.state = 'held' AS kept
    FROM (SELECT action_id, let_go_at FROM agents_hold WHERE pause_id = %(pause)s ORDER BY id DESC LIMIT %(most)s) h
    JOIN agents_action a ON a.id = h.action_id
) AS held
"""


def kept(pause_id: int) -> int:
    """How many actions it keeps back now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM agents_hold WHERE pause_id = %s AND let_go_at IS NULL", [pause_id])
        return int(cursor.fetchone()[0])


def too_old(pause: Pause) -> int:
    """How many of those it keeps the gate would refuse by now, as their policies' greatest age of a signal is past."""
    with connection.cursor() as cursor:
        cursor.execute(OLD, [pause.pk])
        return int(cursor.fetchone()[0])


def let_go(pause_id: int, *, actor: str) -> int:
    """
    Send to the gate again what a pause kept and, lifted or staged as it is now, keeps no more; how many actions.

    Each batch is a transaction of its own with an entry for every action. Two at once share the work.
    """
    went = 0
    values: dict[str, Any] = {"pause": pause_id, "why": f"pause:{pause_id}", "batch": BATCH}
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LET_GO, values)
            rows = cursor.fetchall()
            lines = [_let_go(pause_id, actor, *row) for _, *row in rows if row[0]]
            if lines:
                record(*lines)
        went += len(lines)
        if len(rows) < BATCH:
            return went


def finish(*, actor: str) -> int:
    """Let go what a process that died had not come to yet, of pauses lifted within a day; how many actions."""
    with connection.cursor() as cursor:
        cursor.execute(UNFINISHED, [timezone.now() - timedelta(days=1)])
        pauses = [row[0] for row in cursor.fetchall()]
    return sum(let_go(pause, actor=actor) for pause in pauses)


@dataclass(frozen=True, slots=True)
class Flight:
    """What was under way when a pause closed: how much still is, when the last was settled, how many are unknown."""

    at_first: int
    left: int
    quiet_at: datetime | None
    unknown: int


def flight(pause: Pause) -> Flight:
    """As it is now, by the attempts that the pause met."""
    closed = pause.closed_at or pause.set_at
    if not pause.in_flight:
        return Flight(0, 0, pause.quiet_at or closed, 0)
    with connection.cursor() as cursor:
        cursor.execute(FLIGHT, [pause.in_flight])
        left, last, unknown = cursor.fetchone()
    quiet = pause.quiet_at or (None if left else max(last or closed, closed))
    return Flight(len(pause.in_flight), left, quiet, unknown)


def note_quiet() -> int:
    """Keep when the last of what was in flight was settled, for every pause and drill that does not know yet."""
    noted = 0
    for pause in Pause.objects.filter(quiet_at=None, closed_at__isnull=False)[:100]:
        if quiet := flight(pause).quiet_at:
            noted += Pause.objects.filter(pk=pause.pk, closed_at=pause.closed_at).update(quiet_at=quiet)
    return noted


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of the actions that a pause held, by now. `went`: to the far side, whatever it answered."""

    held: int = 0
    kept: int = 0
    went: int = 0
    ready: int = 0
    elsewhere: int = 0
    """Let go by this pause, held by another."""
    too_old: int = 0
    refused: int = 0
    over: int = 0
    """Rejected, expired or withdrawn meanwhile."""
    runs: int = 0
    runs_gone: int = 0
    capped: bool = False
    """Only the newest MOST were looked at."""


def fates(pause: Pause) -> Fates:
    """One statement, bounded by MOST."""
    with connection.cursor() as cursor:
        cursor.execute(FATES, {"pause": pause.pk, "most": MOST, "old": TOO_OLD})
        row: tuple[Any, ...] = cursor.fetchone()
    return replace(Fates(*row), capped=row[0] >= MOST)


def _let_go(
    pause: int, actor: str, action: UUID, run: UUID, agent: str | None, region: str | None, segment: str | None,
    account: str,
) -> Line:  # fmt: skip
    detail: dict[str, Any] = {"pause": pause}
    return Line(
        verb="action.let_go",
        subject=f"action:{action}",
        actor=actor,
        agent=agent or "",
        run=run,
        region=region or "",
        segment=segment or "",
        account=account,
        detail=detail,
    )
