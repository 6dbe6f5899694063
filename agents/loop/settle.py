"""Settling: what came of each attempt, written by compare-and-set on the attempt's id, many in one transaction (I1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from agents.connectors.contract import Answer, Verdict
from agents.loop.hot import Hot
from audit.entries import Line, append
from audit.persons import Personal

ACTOR = "worker:loop"
MAX_UNSENT = 12
"""Tries after which something that never gets through is failed instead of tried again."""
BACKOFF_SECONDS = (1, 2, 4, 8, 15, 30, 60)

SETTLE = """
WITH v AS (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int[], %s::int[], %s::text[],
                         %s::jsonb[], %s::text[], %s::float8[])
        AS t(action, attempt, line, verdict, status, ms, detail, receipt, state, wait)
), moved AS (
    UPDATE agents_action a SET
        state = CASE WHEN v.state = 'ready' AND a.tries >= %s THEN 'failed' ELSE v.state END,
        why = v.detail,
        not_before = CASE WHEN v.state = 'ready'
            THEN clock_timestamp() + (CASE WHEN v.wait >= 0 THEN v.wait
                ELSE (%s::float8[])[least(a.tries, %s)] END) * '1 second'::interval
            ELSE a.not_before END,
        settled_at = CASE WHEN v.state IN ('delivered', 'failed') OR (v.state = 'ready' AND a.tries >= %s)
            THEN clock_timestamp() END
    FROM v WHERE a.id = v.action AND a.attempt = v.attempt
        AND (a.state = 'sending' OR a.state = 'unknown' AND v.state <> 'unknown')
    RETURNING a.id, a.state
), noted AS (
    UPDATE agents_attempt t SET settled_at = clock_timestamp(), verdict = v.verdict, status = v.status, ms = v.ms,
        detail = v.detail, receipt = v.receipt
    FROM v WHERE t.id = v.attempt AND (t.settled_at IS NULL OR t.verdict = 'unknown')
    RETURNING t.action_id
)
SELECT id, state FROM moved UNION ALL SELECT action_id, '' FROM noted WHERE action_id NOT IN (SELECT id FROM moved)
"""
STATE = {
    Verdict.DELIVERED: "delivered",
    Verdict.FAILED: "failed",
    Verdict.UNKNOWN: "unknown",
    Verdict.RETRY: "ready",
    Verdict.UNSENT: "ready",
    Verdict.EXPIRED: "ready",
}


class Settled(NamedTuple):
    """An attempt's answer, with the entry that permitted it (from which its own entry is made)."""

    action: UUID
    attempt: UUID
    connection: int
    answer: Answer
    line: Line
    contact: bytes | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What was written: action → its new state. An attempt that someone else settled first is not in it."""

    states: dict[UUID, str]


def settle(hot: Hot, settled: Sequence[Settled]) -> Tally:
    """
    Write the answers in one transaction: each action leaves `sending` only if this attempt still has it.

    So does one that the sweeper gave up as unknown and nobody resolved since: who was only late knows what came of it.
    RETRY and UNSENT go back to `ready` with a growing wait; EXPIRED at once. Raises psycopg.OperationalError when the
    database goes away: then nothing is written, and the caller may settle the same answers again.
    """
    if not settled:
        return Tally({})
    with hot.transaction() as cursor:
        rows = cursor.execute(
            SETTLE,
            [
                [one.action for one in settled],
                [one.attempt for one in settled],
                [one.line.verb for one in settled],
                [one.answer.verdict.value for one in settled],
                [one.answer.status for one in settled],
                [one.answer.ms for one in settled],
                [one.answer.detail for one in settled],
                [orjson.dumps(one.answer.receipt).decode() for one in settled],
                [STATE[one.answer.verdict] for one in settled],
                [_wait(one.answer) for one in settled],
                MAX_UNSENT,
                list(BACKOFF_SECONDS),
                len(BACKOFF_SECONDS),
                MAX_UNSENT,
            ],
        ).fetchall()
        states: dict[UUID, str] = dict(rows)
        append(cursor, [_line(one, states[one.action]) for one in settled if one.action in states])
    return Tally({action: state for action, state in states.items() if state})


def _wait(answer: Answer) -> float:
    """Seconds until it may be tried again; -1: as the backoff says."""
    if answer.verdict is Verdict.EXPIRED:
        return 0.0
    return -1.0 if answer.retry_after is None else max(0.0, min(answer.retry_after, 86_400.0))


def _line(one: Settled, state: str) -> Line:
    verb = "action.retried" if state == "ready" else f"action.{state}" if state else "action.late"
    detail: dict[str, Any] = {"attempt": str(one.attempt), "ms": one.answer.ms}
    if one.answer.status is not None:
        detail["status"] = one.answer.status
    if state != "delivered":
        detail["verdict"] = one.answer.verdict.value
        if one.contact and one.answer.detail:
            detail["why"] = Personal(one.contact, one.answer.detail)
    return one.line._replace(verb=verb, actor=ACTOR, detail=detail)
