"""Claiming at the gate: ready actions that have a free send slot, and the locks they need before they are judged."""

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from agents.registry import Snapshot
from agents.sections import Lock

AT_ONCE = 64
"""About as many as one transaction judges at most, so that a pause never waits long for its locks, and gates of
different connections don't wait for each other."""

READY = """
SELECT c.id FROM unnest(%s::bigint[], %s::int[]) AS c(id, slots) WHERE EXISTS (
    SELECT FROM agents_action
    WHERE connection_id = c.id AND state = 'ready' AND not_before <= clock_timestamp())
AND slots > (SELECT count(*) FROM agents_action s WHERE s.connection_id = c.id AND s.state = 'sending')
"""
FREE_SLOTS = "SELECT id FROM unnest(%s::int[]) AS t(id) WHERE pg_try_advisory_xact_lock(%s, id)"
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
    Lock the slots of connections that have something ready and a slot free, and claim as much.

    Where those have more slots than AT_ONCE it takes some of them, by chance, that no other gate is at. Slots are
    counted again once locked, and stay locked until the transaction ends, so what two gates have in flight together
    never passes them. It waits for another gate only while holding none, in order of ids, so that two never wait for
    each other.
    """
    ids = list(now.connections)
    able = [row[0] for row in cursor.execute(READY, [ids, [now.connections[id_].slots for id_ in ids]]).fetchall()]
    groups = list(_groups(now, able))
    any_locked = False
    for group in groups:
        locked = [row[0] for row in cursor.execute(FREE_SLOTS, [group, Lock.SLOTS]).fetchall()]
        any_locked = any_locked or bool(locked)
        if claimed := _claim(cursor, now, locked):
            return claimed
    if any_locked or not groups:
        return []
    cursor.execute(SLOTS, [Lock.SLOTS, sorted(groups[0])])
    return _claim(cursor, now, groups[0])


def _claim(cursor: Any, now: Snapshot, ids: list[int]) -> list[Claimed]:
    if not ids:
        return []
    return [
        Claimed(*row) for row in cursor.execute(CLAIM, [ids, [now.connections[id_].slots for id_ in ids]]).fetchall()
    ]


def _groups(now: Snapshot, able: list[int]) -> Iterator[list[int]]:
    """Connections in an order by chance, as many together as have AT_ONCE slots."""
    group: list[int] = []
    for id_ in random.sample(able, len(able)):
        group.append(id_)
        if sum(now.connections[one].slots for one in group) >= AT_ONCE:
            yield group
            group = []
    if group:
        yield group


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
