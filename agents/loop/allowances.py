"""What is taken at the gate and may run out: allowances, budgets, and the contact lock on a person."""

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from agents.loop.claim import Claimed, TurnedAway
from agents.registry import Snapshot

COUNTERS_OPEN = """
INSERT INTO agents_counter (key, used, expires_at) SELECT key, 0, clock_timestamp() + days * '1 day'::interval
FROM unnest(%s::text[], %s::int[]) AS t(key, days) ON CONFLICT DO NOTHING
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


class Cap(NamedTuple):
    """One counter that an action takes from: its key, how much, out of how much, and in words what is then over. It is
    kept for so many days."""

    key: str
    takes: int
    most: int
    over: str
    days: int = 2


def take_allowance(
    cursor: Any, now: Snapshot, clock: datetime, passing: list[Claimed]
) -> tuple[list[Claimed], list[TurnedAway]]:
    """Take each agent's allowances and budget, counters in key order; undoing and trying again are free."""
    caps = {action.id: found for action in passing if (found := _caps(now, clock, action))}
    if not caps:
        return passing, []
    keys = sorted({cap.key for found in caps.values() for cap in found})
    days = {cap.key: cap.days for found in caps.values() for cap in found}
    cursor.execute(COUNTERS_OPEN, [keys, [days[key] for key in keys]])
    used = dict(cursor.execute(COUNTERS_TAKE, [keys]).fetchall())
    before = dict(used)
    within, over = [], []
    for action in passing:
        mine = caps.get(action.id, ())
        full = next((cap for cap in mine if used[cap.key] + cap.takes > cap.most), None)
        if full:
            over.append(TurnedAway(action, "refused", full.over))
            continue
        for cap in mine:
            used[cap.key] += cap.takes
        within.append(action)
    changed = [key for key in keys if used[key] != before[key]]
    if changed:
        cursor.execute(COUNTERS_WRITE, [changed, [used[key] for key in changed]])
    return within, over


def _caps(now: Snapshot, clock: datetime, action: Claimed) -> list[Cap]:
    """What an action takes at its first try, for this hour, this day and this month (UTC)."""
    agent = now.agents.get(action.agent)
    if agent is None or action.undo_of is not None or action.tries:
        return []
    limits, mine = agent.policy.limits, f"agent:{agent.id}"
    hour, day, month = f"{clock:%Y%m%d%H}", f"{clock:%Y%m%d}", f"{clock:%Y%m}"
    found = []
    for most, key, what in (
        (limits.hourly, f"{mine}:{hour}", "actions an hour"),
        (limits.daily, f"{mine}:{day}", "actions a day"),
        (limits.account_daily, f"{mine}:{day}:account:{action.account}", "actions a day for one account"),
        (limits.person_daily, f"{mine}:{day}:person:{_person(action)}", "actions a day for one person"),
    ):
        if most is not None and not key.endswith(":"):
            found.append(Cap(key, 1, most, f"The limit of {most} {what} is reached."))
    if limits.budget_daily is not None or limits.budget_monthly is not None:
        play = now.plays_by_id.get(action.play)
        cost = _exact(play.cost(action.step)) if play else 0
        for budget, key, what, days in (
            (limits.budget_daily, f"{mine}:{day}:cost", "a day", 2),
            (limits.budget_monthly, f"{mine}:{month}:cost", "a month", 33),
        ):
            if budget is not None and cost:
                found.append(Cap(key, cost, _exact(budget), f"The budget of {budget:,g} {what} is spent.", days))
    return found


def _person(action: Claimed) -> str:
    return action.contact.hex() if action.contact else ""


def _exact(amount: float) -> int:
    """An amount in ten-thousandths, so that adding up loses nothing."""
    return round(amount * 10_000)


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
    for one in taken:
        for cap in _caps(now, clock, one.action):
            back[cap.key] += cap.takes
    if back:
        keys = sorted(back)
        rows = dict(cursor.execute(COUNTERS_TAKE, [keys]).fetchall())
        cursor.execute(COUNTERS_WRITE, [keys, [max(0, rows[key] - back[key]) for key in keys]])
