"""Claiming at the gate: ready actions that have a free send slot, and the locks they need before they are judged."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from agents.registry import Snapshot
from agents.sections import Lock

READY = """
SELECT c.id FROM unnest(%s::bigint[], %s::int[]) AS c(id, slots) WHERE EXISTS (
    SELECT FROM agents_action
    WHERE connection_id = c.id AND state = 'ready' AND not_before <= clock_timestamp())
AND slots > (SELECT count(*) FROM agents_action s WHERE s.connection_id = c.id AND s.state = 'sending')
ORDER BY c.id
"""
SLOTS = "SELECT pg_advisory_xact_lock(%s, id) FROM unnest(%s::int[]) AS t(id)"
CLAIM = """
SELECT a.id, a.run_id, a.agent_id, a.play_id, a.play_version, a.connection_id, a.policy_id, a.region_id,
       a.segment_id, a.account, a.contact, a.target, a.payload, a.payload_hash, a.approval_id, a.permitted_by,
       a.received_at, a.undo_of, a.tries, a.step
FROM unnest(%s::bigint[], %s::int[]) AS c(id, slots), LATERAL (
    SELECT * FROM agents_action
    WHERE connection_id = c.id AND state = 'ready' AND not_before <= clock_timestamp()
    ORDER BY not_before, id
    LIMIT greatest(0, c.slots - (
        SELECT count(*) FROM agents_action s WHERE s.connection_id = c.id AND s.state = 'sending'))
    FOR UPDATE SKIP LOCKED) a
"""


class Claimed(NamedTuple):
    """One action as claimed, in the order of CLAIM's columns."""

    id: UUID
    run: UUID
    agent: int
    play: int
    play_version: int
    connection: int
    policy: int
    region: int
    segment: int
    account: str
    contact: bytes | None
    target: str
    payload: bytes
    payload_hash: bytes
    approval: UUID | None
    permitted_by: str
    received_at: datetime
    undo_of: UUID | None
    tries: int
    step: str


class TurnedAway(NamedTuple):
    """`state`: refused, held by the pause that `why` names, or ready again at `until`."""

    action: Claimed
    state: str
    why: str
    until: datetime | None = None


def claim(cursor: Any, now: Snapshot) -> list[Claimed]:
    """
    Lock the slots of each connection that has something ready and a slot free, in order of their ids, and claim.

    Slots are counted again once locked, and stay locked until the transaction ends, so what two gates have in flight
    together never passes them.
    """
    ids = list(now.connections)
    ready = [row[0] for row in cursor.execute(READY, [ids, [now.connections[id_].slots for id_ in ids]]).fetchall()]
    if not ready:
        return []
    cursor.execute(SLOTS, [Lock.SLOTS, ready])
    rows = cursor.execute(CLAIM, [ready, [now.connections[id_].slots for id_ in ready]]).fetchall()
    return [Claimed(*row) for row in rows]


def locks(now: Snapshot, claimed: list[Claimed]) -> set[tuple[int, int]]:
    """Everything these actions belong to and could be paused by."""
    keys: set[tuple[int, int]] = {(Lock.EVERYTHING, 0)}
    for action in claimed:
        keys.add((Lock.AGENT, action.agent))
        keys.add((Lock.PLAY, action.play))
        keys.add((Lock.CONNECTION, action.connection))
        keys.update((Lock.REGION, id_) for id_ in now.regions[action.region].path)
        keys.update((Lock.SEGMENT, id_) for id_ in now.segments[action.segment].path)
    return keys
