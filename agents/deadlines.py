"""
Deadlines of questions: they stand still while what is asked about lies in a pause.

Nothing is written when a pause is set: what lies in a standing pause is not due, whatever its times say. When the pause
lets go of it (`thaw`) its times move on by the working time that passed meanwhile.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from agents.models import Pause
from agents.rules.deadlines import shifted
from agents.rules.working_hours import compile_calendar
from audit.entries import Line, record

IS_ACTION = "a.id = substr(p.subject, 8)::uuid"
"""A question `p` and its action; a planted one has none."""
PLACE_OF = "JOIN agents_region r ON r.id = a.region_id JOIN agents_segment s ON s.id = a.segment_id"
TURN = "mod(('x' || right(a.run_id::text, 12))::bit(48)::bigint, 100)"
"""As `sections.turn`, in SQL."""
COVERS = """
    (z.agent_id IS NULL OR z.agent_id = a.agent_id) AND (z.play_id IS NULL OR z.play_id = a.play_id)
    AND (z.connection_id IS NULL OR z.connection_id = a.connection_id)
    AND (z.region_id IS NULL OR EXISTS (SELECT FROM agents_region t WHERE t.id = z.region_id
        AND (t.code = r.code OR starts_with(r.code, t.code || '/'))))
    AND (z.segment_id IS NULL OR EXISTS (SELECT FROM agents_segment t WHERE t.id = z.segment_id
        AND (t.code = s.code OR starts_with(s.code, t.code || '/'))))
"""
HOLDS = f"z.lifted_at IS NULL AND NOT z.is_drill AND {TURN} >= z.share AND {COVERS}"
"""Whether the pause `z` holds what lies there. One whose time is up holds until it is lifted."""
FROZEN = f"EXISTS (SELECT FROM agents_action a {PLACE_OF} JOIN agents_pause z ON {HOLDS} WHERE {IS_ACTION})"
"""Whether the question `p` stands still."""
STILL = f"SELECT p.id FROM approvals_approval p WHERE p.id = ANY(%s) AND {FROZEN}"  # noqa: S608
LAY = f"""
SELECT p.id, p.opened_at, p.next_at, p.warn_at, p.expires_at, r.time_zone, r.working_hours,
    (SELECT jsonb_agg(jsonb_build_array(z.set_at, z.lifted_at)) FROM agents_pause z
     WHERE z.id <> %(pause)s AND NOT z.is_drill AND (z.lifted_at IS NULL OR z.lifted_at >= p.opened_at) AND {COVERS})
FROM approvals_approval p JOIN agents_action a ON {IS_ACTION} {PLACE_OF} JOIN agents_pause z ON z.id = %(pause)s
WHERE p.state = 'waiting' AND {COVERS} AND {TURN} >= %(low)s AND {TURN} < %(high)s
    AND NOT EXISTS (SELECT FROM agents_pause z WHERE z.id <> %(pause)s AND {HOLDS})
ORDER BY p.id FOR UPDATE OF p
"""  # noqa: S608
SHIFT = """
UPDATE approvals_approval p SET next_at = v.next_at, warn_at = v.warn_at, expires_at = v.expires_at
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
    AS v(id, next_at, warn_at, expires_at) WHERE p.id = v.id AND p.state = 'waiting'
RETURNING p.subject, p.agent, p.region, p.segment, p.expires_at
"""


def frozen(ids: Collection[UUID]) -> set[UUID]:
    """Which of these questions stand still, because their action lies in a pause; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(STILL, [list(ids)])
        return {row[0] for row in cursor.fetchall()}


def thaw(pause: Pause, *, actor: str, at: datetime | None = None, turns: tuple[int, int] = (0, 100)) -> int:
    """
    Let time pass again for waiting questions that `pause` let go of at `at`, and that no other standing pause holds.

    Call it in the transaction that lifts the pause or widens its share; `turns` is what it lets go of now: (0, 100) is
    all, (10, 50) those that go at a share of 50 but did not at 10. Their times move on by the working time, in their
    region, since the pauses that held them one after the other began. Locks the questions. How many moved.
    """
    at = at or timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LAY, {"pause": pause.pk, "low": turns[0], "high": turns[1]})
        moved = [_moved(row, pause.set_at, at) for row in cursor.fetchall()]
        if moved:
            cursor.execute(SHIFT, [list(column) for column in zip(*moved, strict=True)])
            record(*[_line(pause, actor, *row) for row in cursor.fetchall()])
    return len(moved)


def _line(pause: Pause, actor: str, subject: str, agent: str, region: str, segment: str, until: datetime) -> Line:
    detail = {"pause": pause.pk, "until": until.isoformat(timespec="seconds")}
    return Line("action.thawed", subject, actor, agent=agent, region=region, segment=segment, detail=detail)


def _moved(
    row: Iterable[Any], set_at: datetime, at: datetime
) -> tuple[UUID, datetime | None, datetime | None, datetime]:
    id_, opened, next_at, warn_at, expires_at, zone, hours, others = row
    calendar = compile_calendar(zone, _json(hours))
    since = max(opened, _chained(set_at, _json(others) or []))

    def on(moment: datetime | None) -> datetime | None:
        return moment and shifted(calendar, moment, frozen_at=since, thawed_at=at)

    return id_, on(next_at), on(warn_at), shifted(calendar, expires_at, frozen_at=since, thawed_at=at)


def _chained(since: datetime, others: list[list[str | None]]) -> datetime:
    """The beginning of the unbroken row of pauses that this one, set at `since`, ends."""
    spans = [
        (datetime.fromisoformat(begun), ended and datetime.fromisoformat(ended)) for begun, ended in others if begun
    ]
    while True:
        earlier = [begun for begun, ended in spans if begun < since and (not ended or ended >= since)]
        if not earlier:
            return since
        since = min(earlier)


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value
