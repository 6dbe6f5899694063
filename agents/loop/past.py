"""What past runs were decided on, read back in bulk: for a replay of other boundaries, and to decide again."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from agents.rules.facts import Facts, facts_of
from agents.rules.scopes import UNASSIGNED

ROWS = """
SELECT r.id, r.verdict, r.clause, r.policy_id, r.facts, {fields}, p.slug, p.risk, g.code, s.code, r.confidence,
    r.account, r.contact, r.decided_at, r.received_at
FROM agents_run r LEFT JOIN agents_play p ON p.id = r.play_id JOIN agents_region g ON g.id = r.region_id
JOIN agents_segment s ON s.id = r.segment_id{join}
"""
FIELDS = {"fields": "n.fields", "join": " LEFT JOIN agents_signal n ON n.id = r.signal_id"}
NO_FIELDS = {"fields": "NULL", "join": ""}
NEWEST = ROWS + "WHERE r.agent_id = %s AND r.play_id IS NOT NULL ORDER BY r.id DESC LIMIT %s"
THESE = ROWS + "WHERE r.id = ANY(%s::uuid[])"


class Past(NamedTuple):
    """A run with the verdict, clause and policy it had, and what it was decided on."""

    run: UUID
    verdict: str
    clause: str
    policy: int
    facts: Facts


def newest(cursor: Any, agent: int, *, limit: int, fields: bool = True) -> Iterator[Past]:
    """The agent's newest runs that chose a play, newest first. Without `fields` the signals are not read: enough for
    boundaries in which no clause has an expression (`Policy.reads_fields`). `cursor`: Django's or psycopg's."""
    cursor.execute(NEWEST.format(**FIELDS if fields else NO_FIELDS), [agent, limit])
    return map(_past, cursor.fetchall())


def these(cursor: Any, runs: Sequence[UUID], *, fields: bool = True) -> dict[UUID, Past]:
    """These runs, by id, in one statement; none where there are no ids."""
    if not runs:
        return {}
    cursor.execute(THESE.format(**FIELDS if fields else NO_FIELDS), [list(runs)])
    return {past.run: past for past in map(_past, cursor.fetchall())}


def _past(row: tuple[Any, ...]) -> Past:
    run, verdict, clause, policy, kept, fields, play, risk, *rest = row
    region, segment, confidence, account, contact, at, came = rest
    kept, fields = _read(kept), _read(fields)
    if kept:
        return Past(run, verdict, clause, policy, facts_of(kept, fields))
    return Past(
        run,
        verdict,
        clause,
        policy,
        Facts(
            play=play or "",
            region=None if region == UNASSIGNED else region,
            segment=None if segment == UNASSIGNED else segment,
            confidence_pct=confidence,
            risk=risk or "high",
            stage="autonomous",
            age_minutes=max(0.0, (at - came).total_seconds() / 60),
            account=account,
            person=bytes(contact).hex() if contact else "",
            at=at,
            fields=fields or {},
        ),
    )


def _read(document: Any) -> Any:
    """JSON as it is; Django's cursors hand it over as text."""
    return orjson.loads(document) if isinstance(document, str) else document
