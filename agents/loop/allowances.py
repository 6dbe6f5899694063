"""What is taken at the gate and may run out: hourly and daily allowances, and the contact lock on a person."""

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.loop.claim import Claimed, TurnedAway
from agents.registry import Snapshot

COUNTERS_OPEN = """
INSERT INTO agents_counter (key, used, expires_at) SELECT key, 0, clock_timestamp() + '2 days'::interval
FROM unnest(%s::text[]) AS t(key) ON CONFLICT DO NOTHING
"""
COUNTERS_TAKE = "SELECT key, used FROM agents_counter WHERE key = ANY(%s::text[]) ORDER BY key FOR UPDATE"
COUNTERS_WRITE = """
UPDATE agents_counter c SET used = v.used FROM unnest(%s::text[], %s::bigint[]) AS v(key, used) WHERE c.key = v.key
"""
CONTACTS = """
INSERT INTO agents_contactlock AS l (contact, agent_id, action_id, taken_at, until)
SELECT contact, agent, action, clock_timestamp(), clock_timestamp() + hours * '1 hour'::interval
FROM unnest(%s::bytea[], %s::bigint[], %s::uuid[], %s::float8[]) AS t(contact, agent, action, hours) ORDER BY contact
ON CONFLICT (contact) DO UPDATE
SET agent_id = excluded.agent_id, action_id = excluded.action_id, taken_at = excluded.taken_at, until = excluded.until
WHERE l.agent_id = excluded.agent_id OR l.until <= clock_timestamp()
"""
HOLDERS = (
    "SELECT contact, agent_id FROM agents_contactlock WHERE contact = ANY(%s::bytea[]) AND until > clock_timestamp()"
)


def take_allowance(
    cursor: Any, now: Snapshot, clock: datetime, passing: list[Claimed]
) -> tuple[list[Claimed], list[TurnedAway]]:
    """Take each agent's hourly and daily allowance, counters in key order; undoing and trying again are free."""
    caps = {}
    for action in passing:
        caps.update(_caps(now, clock, action))
    if not caps:
        return passing, []
    keys = sorted(caps)
    cursor.execute(COUNTERS_OPEN, [keys])
    used = dict(cursor.execute(COUNTERS_TAKE, [keys]).fetchall())
    before = dict(used)
    within, over = [], []
    for action in passing:
        mine = _caps(now, clock, action)
        full = next((key for key in mine if used[key] >= mine[key][0]), None)
        if full:
            over.append(TurnedAway(action, "refused", f"The limit of {mine[full][0]} {mine[full][1]} is reached."))
            continue
        for key in mine:
            used[key] += 1
        within.append(action)
    changed = [key for key in keys if used[key] != before[key]]
    if changed:
        cursor.execute(COUNTERS_WRITE, [changed, [used[key] for key in changed]])
    return within, over


def _caps(now: Snapshot, clock: datetime, action: Claimed) -> dict[str, tuple[int, str]]:
    """Counter key → (cap, words) of what an action takes at its first try, for this hour and this day (UTC)."""
    agent = now.agents.get(action.agent)
    if agent is None or action.undo_of is not None or action.tries:
        return {}
    caps = {}
    if agent.policy.limits.hourly is not None:
        caps[f"agent:{agent.id}:{clock:%Y%m%d%H}"] = (agent.policy.limits.hourly, "actions an hour")
    if agent.policy.limits.daily is not None:
        caps[f"agent:{agent.id}:{clock:%Y%m%d}"] = (agent.policy.limits.daily, "actions a day")
    return caps


def take_contacts(cursor: Any, now: Snapshot, passing: list[Claimed]) -> tuple[list[Claimed], list[TurnedAway]]:
    """
    Compare-and-set on each person: whoever holds one keeps every other agent off until their lock ends.

    Agents whose boundaries set no hours take no lock, and are kept off all the same.
    """
    wanted: dict[bytes, tuple[int, UUID, float]] = {}
    for action in passing:
        hours = _hours(now, action)
        if action.contact and hours:
            wanted.setdefault(action.contact, (action.agent, action.id, hours))
    contacts = sorted(wanted)
    if contacts:
        cursor.execute(CONTACTS, [contacts, *([wanted[contact][n] for contact in contacts] for n in range(3))])
    people = [action.contact for action in passing if action.contact and action.undo_of is None]
    holders = dict(cursor.execute(HOLDERS, [people]).fetchall()) if people else {}
    through, refused = [], []
    for action in passing:
        free = action.contact is None or action.undo_of is not None
        if free or holders.get(action.contact, action.agent) == action.agent:
            through.append(action)
        else:
            refused.append(
                TurnedAway(action, "refused", "Another agent is working this person: the contact lock holds.")
            )
    return through, refused


def _hours(now: Snapshot, action: Claimed) -> float:
    agent = now.agents.get(action.agent)
    return (agent.policy.limits.contact_lock_hours or 0) if agent is not None and action.undo_of is None else 0


def give_back(cursor: Any, now: Snapshot, clock: datetime, taken: list[TurnedAway]) -> None:
    """Return the allowance of what the contact lock refused; its counters are locked already."""
    back: dict[str, int] = defaultdict(int)
    for action, _, _ in taken:
        for key in _caps(now, clock, action):
            back[key] += 1
    if back:
        keys = sorted(back)
        rows = dict(cursor.execute(COUNTERS_TAKE, [keys]).fetchall())
        cursor.execute(COUNTERS_WRITE, [keys, [max(0, rows[key] - back[key]) for key in keys]])
