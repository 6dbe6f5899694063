"""
Deciding: a batch of new signals, each handled by every agent that listens to it, in one transaction.

 1. Claim new signals, oldest first, skipping what another worker has (`SKIP LOCKED`).
 2. Lock their accounts in key order: of two signals of one account on two workers the second waits here, and its
    runs then read, and cite, what the first left in the account's history.
 3. Score, decide and render in memory (`handle`), folding each run into the history.
 4. Write runs, actions, questions, histories and entries in bulk; the signals are done, or unheard.
"""

import logging
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg

from agents.loop.handle import Handled, document_of, handle
from agents.loop.hot import Hot
from agents.loop.render import ACTOR, Heard
from agents.registry import Snapshot, snapshot
from agents.rules import history
from approvals.questions import open_questions
from audit.entries import Line, append
from audit.persons import Personal

log = logging.getLogger(__name__)

BATCH = 100

CLAIM = """
SELECT id, source_id, external_id, type, occurred_at, received_at, account, account_name, person, email, contact,
       region_id, segment_id, fields, payload, is_demo
FROM agents_signal WHERE state = 'new' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
PEEK = "SELECT id FROM agents_signal WHERE state = 'new' ORDER BY id LIMIT %s"
CLAIM_ONE = CLAIM.replace("ORDER BY id LIMIT %s", "AND id = %s")
SET_ASIDE = "UPDATE agents_signal SET state = 'faulty' WHERE id = %s AND state = 'new' RETURNING contact"
ACCOUNTS_OPEN = """
INSERT INTO agents_account (key, name, region_id, segment_id, history, first_seen, last_seen, is_demo)
SELECT key, name, region, segment, '{}', seen, seen, demo
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bool[])
    AS t(key, name, region, segment, seen, demo) ORDER BY key
ON CONFLICT (key) DO NOTHING
"""
ACCOUNTS_LOCK = "SELECT key, history FROM agents_account WHERE key = ANY(%s::text[]) ORDER BY key FOR UPDATE"
ACCOUNTS_WRITE = """
UPDATE agents_account a SET history = v.history, last_seen = v.seen, region_id = v.region, segment_id = v.segment,
    name = CASE WHEN v.name = '' THEN a.name ELSE v.name END
FROM unnest(%s::text[], %s::jsonb[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[])
    AS v(key, history, seen, region, segment, name)
WHERE a.key = v.key
"""
RUNS = """
INSERT INTO agents_run (id, signal_id, agent_id, region_id, segment_id, play_id, policy_id, account, contact, score,
    confidence, reasons, verdict, clause, why, shadow, brain, received_at, decided_at, is_demo, facts)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::text[], %s::bytea[], %s::int2[], %s::int2[], %s::jsonb[], %s::text[], %s::text[], %s::text[], %s::bool[],
    %s::text[], %s::timestamptz[], %s::timestamptz[], %s::bool[], %s::jsonb[])
"""
ACTIONS = """
INSERT INTO agents_action (id, run_id, agent_id, play_id, play_version, step, connection_id, policy_id, region_id,
    segment_id, account, contact, target, payload, payload_hash, state, why, not_before, approval_id, permitted_by,
    received_at, created_at, settled_at, is_demo, undo_of, tries)
SELECT *, 0 FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bytea[], %s::text[], %s::bytea[], %s::bytea[],
    %s::text[], %s::text[], %s::timestamptz[], %s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[],
    %s::timestamptz[], %s::bool[], %s::uuid[])
"""
DONE = """
UPDATE agents_signal s SET state = v.state FROM unnest(%s::uuid[], %s::text[]) AS v(id, state) WHERE s.id = v.id
"""


class Decided(NamedTuple):
    """What one batch came to."""

    signals: int
    runs: int
    actions: int


def decide(hot: Hot, *, batch: int = BATCH) -> Decided:
    """
    Decide up to `batch` new signals; all zero when there are none.

    Locks the claimed signals and their accounts until the commit. Raises psycopg.OperationalError (nothing written)
    when the database goes away or an account stays locked for 2 s.
    """
    try:
        return _decide(hot, CLAIM, [batch])
    except psycopg.OperationalError:
        raise
    except Exception:
        log.exception("a batch could not be decided; its signals are tried one by one")
    one_by_one = [_decide_alone(hot, id_) for id_ in _newest(hot, batch)]
    return Decided(*(sum(part) for part in zip(*one_by_one, strict=True))) if one_by_one else Decided(0, 0, 0)


def _newest(hot: Hot, batch: int) -> list[UUID]:
    with hot.transaction() as cursor:
        return [row[0] for row in cursor.execute(PEEK, [batch]).fetchall()]


def _decide_alone(hot: Hot, id_: UUID) -> Decided:
    """One signal by itself; what still cannot be decided is set aside as faulty, in sight, and stops nobody else."""
    try:
        return _decide(hot, CLAIM_ONE, [id_])
    except psycopg.OperationalError:
        raise
    except Exception as error:
        log.exception("a signal could not be decided", extra={"signal": str(id_)})
        with hot.transaction() as cursor:
            if found := cursor.execute(SET_ASIDE, [id_]).fetchone():
                why = Personal(found[0], f"{type(error).__name__}: {error}"[:300])
                detail = {"why": why if why.of else type(error).__name__}
                append(cursor, [Line("signal.faulty", f"signal:{id_}", ACTOR, detail=detail)])
        return Decided(1, 0, 0)


def _decide(hot: Hot, claim: str, parameters: list[Any]) -> Decided:
    with hot.transaction() as cursor:
        heard = [Heard(*row) for row in cursor.execute(claim, parameters).fetchall()]
        if not heard:
            return Decided(0, 0, 0)
        now = snapshot(cursor)
        at = datetime.now(UTC)
        accounts = _lock_accounts(cursor, heard)
        out = Handled()
        states = [_each(out, signal, now, accounts, at) for signal in heard]
        out.lines += [_unheard(signal, now) for signal, state in zip(heard, states, strict=True) if state == "unheard"]
        write(cursor, out)
        _write_accounts(cursor, heard, accounts)
        cursor.execute(DONE, [[signal.id for signal in heard], states])
        return Decided(len(heard), len(out.runs), len(out.actions))


def _lock_accounts(cursor: Any, heard: list[Heard]) -> dict[str, history.State]:
    newest = {signal.account: signal for signal in heard}
    keys = sorted(newest)
    cursor.execute(
        ACCOUNTS_OPEN,
        [
            keys,
            [newest[key].account_name for key in keys],
            [newest[key].region for key in keys],
            [newest[key].segment for key in keys],
            [newest[key].received_at for key in keys],
            [newest[key].is_demo for key in keys],
        ],
    )
    return dict(cursor.execute(ACCOUNTS_LOCK, [keys]).fetchall())


def _each(out: Handled, signal: Heard, now: Snapshot, accounts: dict[str, history.State], at: datetime) -> str:
    """Let every listener handle one signal; its new state."""
    state = accounts[signal.account]
    document = document_of(signal, now, history.facts(state, now=at))
    listeners = now.listeners(signal.source, signal.type, document)
    for agent in listeners:
        run, thought = handle(out, signal, agent, now, document, at=at)
        state = history.fold(
            state,
            signal=str(signal.id),
            type=signal.type,
            at=signal.received_at,
            run=str(run),
            score=thought.score,
            play=thought.play,
            agent=agent.slug,
        )
    accounts[signal.account] = state
    return "done" if listeners else "unheard"


def _unheard(signal: Heard, now: Snapshot) -> Line:
    return Line(
        "signal.unheard",
        f"signal:{signal.id}",
        ACTOR,
        region=now.regions[signal.region].code,
        segment=now.segments[signal.segment].code,
        account=signal.account,
        detail={"type": signal.type},
    )


def write(cursor: Any, out: Handled) -> None:
    """Write what was handled, a statement a table, in the cursor's transaction."""
    if out.runs:
        cursor.execute(RUNS, [list(column) for column in zip(*out.runs, strict=True)])
    if out.actions:
        cursor.execute(ACTIONS, [list(column) for column in zip(*out.actions, strict=True)])
    open_questions(cursor, out.questions)
    append(cursor, out.lines)


def _write_accounts(cursor: Any, heard: list[Heard], accounts: dict[str, history.State]) -> None:
    newest = {signal.account: signal for signal in heard}
    keys = sorted(newest)
    cursor.execute(
        ACCOUNTS_WRITE,
        [
            keys,
            [orjson.dumps(accounts[key]).decode() for key in keys],
            [newest[key].received_at for key in keys],
            [newest[key].region for key in keys],
            [newest[key].segment for key in keys],
            [newest[key].account_name for key in keys],
        ],
    )
