"""
The gate: the one place where permission to act is given (I1, I2).

One transaction for as many ready actions as have a free send slot now:
 1. Lock the slots of connections that have something ready and a slot free; claim as many of their actions.
 2. Take shared locks on everything those actions belong to, again if that changed meanwhile, then, in the next
    statement, read the standing pauses.
 3. Check each: pause, then all that could have changed since (`refusal`), quiet hours, then limits and the contact
    lock, whose rows are taken in key order.
 4. Write each verdict: permitted (`ready → sending`, an attempt, `flight_until`), held (by a pause), delayed (until
    quiet hours are over) or refused; and its entry in the record.
What it can't lock in 200 ms goes back to `ready`, unrecorded, by rolling back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from agents.connectors.contract import boottime
from agents.loop.allowances import give_back, take_allowance, take_contacts
from agents.loop.claim import Claimed, TurnedAway, claim, locks
from agents.loop.hot import Hot
from agents.loop.refusal import known, quiet, refusal
from agents.registry import ConnectionNow, Snapshot, snapshot
from agents.sections import Standing, standing, take_shared, turn
from audit.entries import Line, append
from audit.ids import new_ids

PERMIT_SECONDS = 2.0
FRUITLESS_SECONDS = 0.5
"""How long it goes on while all it judges is turned away; the rest waits for the next sweep, and what is in flight
does not wait for it."""
ACTOR = "worker:gate"

PERMIT = """
WITH v AS (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::float8[], %s::bigint[])
        AS t(id, attempt, connection, timeout, policy)
), moved AS (
    UPDATE agents_action a SET state = 'sending', attempt = v.attempt, policy_id = v.policy, why = '',
        tries = a.tries + 1, flight_until = clock_timestamp() + (%s + v.timeout) * '1 second'::interval
    FROM v WHERE a.id = v.id AND a.state = 'ready'
)
INSERT INTO agents_attempt (id, action_id, connection_id, at, permit_until, flight_until)
SELECT attempt, id, connection, clock_timestamp(), clock_timestamp() + %s * '1 second'::interval,
    clock_timestamp() + (%s + timeout) * '1 second'::interval FROM v
"""
TURN_AWAY = """
UPDATE agents_action a SET state = v.state, why = v.why, not_before = coalesce(v.until, a.not_before),
    settled_at = CASE WHEN v.state = 'refused' THEN clock_timestamp() END
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[]) AS v(id, state, why, until)
WHERE a.id = v.id AND a.state = 'ready'
"""
HOLD = """
INSERT INTO agents_hold (id, pause_id, action_id, turn, at)
SELECT id, pause, action, turn, clock_timestamp()
FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::int2[]) AS v(id, pause, action, turn)
"""


@dataclass(frozen=True, slots=True)
class Permitted:
    """Leave to send one action, once, before `permit_until` (seconds on CLOCK_BOOTTIME)."""

    action: UUID
    attempt: UUID
    connection: ConnectionNow
    payload: dict[str, Any]
    permit_until: float
    line: Line
    """Its entry, from which the settlement's is made."""
    contact: bytes | None = None
    """Whom it reaches, under whose key the far side's words are recorded."""


def gate(hot: Hot) -> list[Permitted]:
    """
    Permit what may be sent now, in as many transactions as it takes to find some, within FRUITLESS_SECONDS; see the
    module for the order of locks.

    Raises psycopg.errors.LockNotAvailable after 200 ms of waiting and psycopg.OperationalError when the database goes
    away; either way nothing was permitted, unless the commit itself was in doubt: then the sweeper finds the attempt.
    """
    ends = boottime() + FRUITLESS_SECONDS
    permitted: list[Permitted] | None = []
    while permitted == [] and boottime() < ends:
        permitted = _judge(hot)
    return permitted or []


def _judge(hot: Hot) -> list[Permitted] | None:
    """One transaction: what is permitted of as many as there are slots; None when there was nothing to judge."""
    began = boottime()
    with hot.transaction(lock_timeout="200ms") as cursor:
        now = snapshot(cursor)
        claimed = claim(cursor, now)
        if not claimed:
            return None
        now = _lock(cursor, now, claimed)
        pauses = standing(cursor)
        clock = datetime.now(UTC)
        passing, away = _check(cursor, now, clock, pauses, claimed)
        passing, over = take_allowance(cursor, now, clock, passing)
        passing, taken = take_contacts(cursor, now, passing)
        give_back(cursor, now, clock, taken)
        return _write(cursor, now, passing, [*away, *over, *taken], permit_until=began + PERMIT_SECONDS)


def _lock(cursor: Any, now: Snapshot, claimed: list[Claimed]) -> Snapshot:
    """Shared locks on all that could be paused; the registry as it is then. A region moved meanwhile is locked anew."""
    while True:
        take_shared(cursor, locks(now, claimed))
        fresh = snapshot(cursor)
        if fresh is now:
            return now
        now = fresh


def _check(
    cursor: Any, now: Snapshot, clock: datetime, pauses: list[Standing], claimed: list[Claimed]
) -> tuple[list[Claimed], list[TurnedAway]]:
    facts = known(cursor, now, clock, claimed)
    passing, away = [], []
    for action in claimed:
        pause = next((pause for pause in pauses if _holds(pause, now, action)), None)
        if pause is not None:
            away.append(TurnedAway(action, "held", f"pause:{pause.id}"))
            continue
        why = refusal(facts, action)
        later = None if why else quiet(facts, action)
        if why:
            away.append(TurnedAway(action, "refused", why))
        elif later is not None:
            away.append(TurnedAway(action, "ready", *later))
        else:
            passing.append(action)
    return passing, away


def _holds(pause: Standing, now: Snapshot, action: Claimed) -> bool:
    return pause.covers(
        agent=action.agent,
        regions=now.regions[action.region].path,
        segments=now.segments[action.segment].path,
        play=action.play,
        connection=action.connection,
    ) and not pause.lets_go(action.run)


def _write(
    cursor: Any, now: Snapshot, passing: list[Claimed], away: list[TurnedAway], *, permit_until: float
) -> list[Permitted]:
    permitted = []
    lines = []
    attempts = new_ids(len(passing))
    for action, attempt in zip(passing, attempts, strict=True):
        connection = now.connections[action.connection]
        line = _line(
            "action.permitted",
            action,
            now,
            {
                "attempt": str(attempt),
                "by": action.permitted_by,
                "connection": connection.slug,
                "hash": bytes(action.payload_hash).hex(),
            },
        )
        lines.append(line)
        permitted.append(
            Permitted(action.id, attempt, connection, orjson.loads(action.payload), permit_until, line, action.contact)
        )
    if permitted:
        cursor.execute(
            PERMIT,
            [
                [one.action for one in permitted],
                attempts,
                [one.connection.id for one in permitted],
                [one.connection.timeout for one in permitted],
                [_policy(now, action) for action in passing],
                PERMIT_SECONDS,
                PERMIT_SECONDS,
                PERMIT_SECONDS,
            ],
        )
    if away:
        ids, states = [one.action.id for one in away], [one.state for one in away]
        cursor.execute(TURN_AWAY, [ids, states, [one.why for one in away], [one.until for one in away]])
        _hold(cursor, [one for one in away if one.state == "held"])
        lines += [_line(_verb(one), one.action, now, {"why": one.why}) for one in away]
    append(cursor, lines)
    return permitted


def _hold(cursor: Any, kept: list[TurnedAway]) -> None:
    if kept:
        pauses = [int(one.why.removeprefix("pause:")) for one in kept]
        turns = [turn(one.action.run) for one in kept]
        cursor.execute(HOLD, [new_ids(len(kept)), pauses, [one.action.id for one in kept], turns])


def _verb(one: TurnedAway) -> str:
    return "action.delayed" if one.state == "ready" else f"action.{one.state}"


def _policy(now: Snapshot, action: Claimed) -> int:
    """The policy that governs it: its agent's of now; where it is taken back or has no agent, that of its making."""
    agent = now.agents.get(action.agent)
    return agent.policy_id if agent is not None and action.undo_of is None else action.policy


def _line(verb: str, action: Claimed, now: Snapshot, detail: dict[str, Any]) -> Line:
    agent = now.agents.get(action.agent)
    return Line(
        verb=verb,
        subject=f"action:{action.id}",
        actor=ACTOR,
        agent=agent.slug if agent else "",
        run=action.run,
        region=now.regions[action.region].code,
        segment=now.segments[action.segment].code,
        account=action.account,
        detail={**detail, "play": action.play, "play_version": action.play_version, "policy": _policy(now, action)},
    )
