"""What is taken at the gate and may run out: hourly and daily allowances, and the contact lock on a person."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agents.loop.claim import Claimed, TurnedAway
from agents.registry import AgentNow, Snapshot

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
RETURNING contact
"""


def take_allowance(cursor: Any, now: Snapshot, passing: list[Claimed]) -> tuple[list[Claimed], list[TurnedAway]]:
    """Take each agent's hourly and daily allowance, counters in key order; undoing is free."""
    caps = {}
    for action in passing:
        agent = now.agents.get(action.agent)
        if agent is not None and action.undo_of is None:
            caps.update(_caps(agent))
    if not caps:
        return passing, []
    keys = sorted(caps)
    cursor.execute(COUNTERS_OPEN, [keys])
    used = dict(cursor.execute(COUNTERS_TAKE, [keys]).fetchall())
    before = dict(used)
    within, over = [], []
    for action in passing:
        agent = now.agents.get(action.agent)
        mine = _caps(agent) if agent is not None and action.undo_of is None else {}
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


def _caps(agent: AgentNow) -> dict[str, tuple[int, str]]:
    """Counter key → (cap, words) of the limits that the agent's policy sets, for this hour and this day (UTC)."""
    clock = datetime.now(UTC)
    caps = {}
    if agent.policy.limits.hourly is not None:
        caps[f"agent:{agent.id}:{clock:%Y%m%d%H}"] = (agent.policy.limits.hourly, "actions an hour")
    if agent.policy.limits.daily is not None:
        caps[f"agent:{agent.id}:{clock:%Y%m%d}"] = (agent.policy.limits.daily, "actions a day")
    return caps


def take_contacts(cursor: Any, now: Snapshot, passing: list[Claimed]) -> tuple[list[Claimed], list[TurnedAway]]:
    """Compare-and-set on each person: whoever holds one keeps others off until their lock ends."""
    wanted: dict[bytes, tuple[int, UUID, float]] = {}
    for action in passing:
        agent = now.agents.get(action.agent)
        if action.contact and agent is not None and action.undo_of is None and agent.policy.limits.contact_lock_hours:
            wanted.setdefault(action.contact, (action.agent, action.id, agent.policy.limits.contact_lock_hours))
    if not wanted:
        return passing, []
    contacts = sorted(wanted)
    rows = cursor.execute(
        CONTACTS,
        [contacts, *([wanted[contact][n] for contact in contacts] for n in range(3))],
    ).fetchall()
    held = {row[0] for row in rows}
    through, refused = [], []
    for action in passing:
        holder = wanted.get(action.contact) if action.contact else None
        if holder is None or action.undo_of is not None or (action.contact in held and holder[0] == action.agent):
            through.append(action)
        else:
            refused.append(
                TurnedAway(action, "refused", "Another agent is working this person: the contact lock holds.")
            )
    return through, refused


def give_back(cursor: Any, now: Snapshot, taken: list[TurnedAway]) -> None:
    """Return the allowance of what the contact lock refused; its counters are locked already."""
    back: dict[str, int] = defaultdict(int)
    for action, _, _ in taken:
        agent = now.agents.get(action.agent)
        for key in _caps(agent) if agent is not None else ():
            back[key] += 1
    if back:
        keys = sorted(back)
        rows = dict(cursor.execute(COUNTERS_TAKE, [keys]).fetchall())
        cursor.execute(COUNTERS_WRITE, [keys, [max(0, rows[key] - back[key]) for key in keys]])
