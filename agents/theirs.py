"""What there is of one person whom signals are about, by id: what an erasure works on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from agents.models import Agent
from audit.holds import Hold, standing

FIND_SIGNALS = (
    "SELECT id, contact, email, person, account, received_at FROM agents_signal WHERE contact = %s OR account = %s"
)
FIND_RUNS = (
    "SELECT id, contact, agent_id, account, received_at FROM agents_run WHERE contact = %s OR signal_id = ANY(%s)"
)
FIND_ACTIONS = """
SELECT id, contact FROM agents_action WHERE contact = %s
UNION SELECT id, contact FROM agents_action WHERE run_id = ANY(%s)
"""
FIND_QUESTIONS = """
SELECT id, subject FROM approvals_approval WHERE subject = ANY(%s)
UNION SELECT id, 'approval:' || id FROM approvals_approval
    WHERE planted AND (question ->> 'run' = ANY(%s) OR question ->> 'payload_of' = ANY(%s))
"""
FIND_LETTERS = """
SELECT d.id FROM agents_deadletter d WHERE d.id = ANY(%s) OR d.signal_id = ANY(%s) OR EXISTS (
    SELECT FROM unnest(%s::text[]) AS term WHERE position(term IN lower(convert_from(d.envelope, 'UTF8'))) > 0
        OR position(term IN lower(d.external_id)) > 0)
"""
FIND_ACCOUNTS = """
SELECT id FROM agents_account WHERE key = %s
    OR key IN (SELECT account FROM agents_signal WHERE id = ANY(%s)) AND lower(name) = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one person, by id. `names` are their addresses and names as signals gave them, in lower case."""

    contact: bytes
    signals: list[UUID]
    runs: list[UUID]
    actions: list[UUID]
    others: set[str]
    """Those of them, as the record calls them, that bear somebody else's hash, or none."""
    questions: dict[UUID, str]
    """Id → what the record calls it."""
    letters: list[UUID]
    accounts: list[int]
    addresses: list[str]
    names: list[str]
    held: list[Hold]
    """Legal holds on them, or on an account, agent, run or time of theirs."""


def find(contact: bytes, *emails: str) -> Found:
    """All there is of one person. Reads signals and runs whole: they have no index for what is asked once in months."""
    account = f"contact:{contact.hex()}"
    with connection.cursor() as cursor:
        signals = fetch(cursor, FIND_SIGNALS, contact, account)
        addresses = {text.strip().lower() for text in (*emails, *(row[2] for row in signals)) if text.strip()}
        names = addresses | {row[3].strip().lower() for row in signals if row[3].strip()}
        ids = [row[0] for row in signals]
        runs = fetch(cursor, FIND_RUNS, contact, ids)
        actions = fetch(cursor, FIND_ACTIONS, contact, [row[0] for row in runs])
        asked = [f"action:{row[0]}" for row in actions], [str(row[0]) for row in runs]
        questions = dict(fetch(cursor, FIND_QUESTIONS, *asked, []))
        questions |= dict(fetch(cursor, FIND_QUESTIONS, [], [], [str(id_) for id_ in questions]))
        letters = fetch(cursor, FIND_LETTERS, ids, ids, sorted(addresses))
        accounts = fetch(cursor, FIND_ACCOUNTS, account, ids, sorted(names))
    kinds = (("signal", signals), ("run", runs), ("action", actions))
    return Found(
        contact,
        ids,
        [row[0] for row in runs],
        [row[0] for row in actions],
        {f"{kind}:{row[0]}" for kind, rows in kinds for row in rows if row[1] is None or bytes(row[1]) != contact},
        questions,
        [row[0] for row in letters],
        [row[0] for row in accounts],
        sorted(addresses),
        sorted(names),
        _holds(contact, signals, runs),
    )


def _holds(contact: bytes, signals: list[tuple[Any, ...]], runs: list[tuple[Any, ...]]) -> list[Hold]:
    """The standing holds that cover the person, or what is known of them."""
    holds = standing()
    if not holds:
        return []
    agents = dict(Agent.objects.filter(pk__in={row[2] for row in runs}).values_list("pk", "slug"))
    about = [(row[5], {"account": row[4]}) for row in signals]
    about += [(row[4], {"account": row[3], "agent": agents.get(row[2]), "run": str(row[0])}) for row in runs]

    def covers(hold: Hold, at: datetime, named: dict[str, str | None]) -> bool:
        in_time = (hold.since is None or hold.since <= at) and (hold.until is None or at < hold.until)
        return in_time and (hold.kind in ("period", "person") or named.get(hold.kind) == hold.key)

    return [
        hold
        for hold in holds
        if (hold.kind != "person" or hold.key == contact.hex())
        and ((hold.kind == "person" and not about) or any(covers(hold, at, named) for at, named in about))
    ]


def fetch(cursor: Any, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """What a statement gives, all of it."""
    cursor.execute(sql, list(params))
    return list(cursor.fetchall())
