"""Sealing: the one process that numbers entries and signs how far they go.

Writers take no chain lock; they leave a row in `audit_pending`. The sealer takes those rows in batches, in one
transaction each: dense sequence numbers, RFC 6962 leaves, a signed checkpoint. The leaf's sequence key and the
checkpoint it goes on from are the fence: a second sealer that slipped past the session lock fails on them and starts
over from what is stored.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import psycopg
from django.db import connections

from audit import checkpoints, keys, restore, rotation, tiles
from audit.ids import id_time
from audit.keys import Signer
from audit.merkle import Frontier
from audit.outlets import Outlet, Sender, configured

LOCK = 0x5EA1 << 32 | 0x5EA1
"""Key of the session advisory lock that a sealer holds as long as it lives."""

BATCH = 5_000
INTERVAL = 0.25
OUTSIDE_EVERY = 1.0
"""Seconds between two copies of checkpoints outside the database while entries keep coming."""

log = logging.getLogger(__name__)

_TAKE = """
with taken as (
    delete from audit_pending p using (
        select e.id, e.body from audit_pending q
        cross join lateral (select id, body from audit_entry where id = q.entry offset 0) e order by q.entry limit %s
    ) t where p.entry = t.id returning t.id, t.body
), leaf as (
    insert into audit_leaf (seq, entry, hash)
    select %s + row_number() over (order by id) - 1, id, sha256('\\x00'::bytea || body) from taken returning seq, hash
)
select string_agg(hash, ''::bytea order by seq) from leaf
"""
"""Each waiting row looks up its entry: a plain join left PostgreSQL free to begin with all that was ever written."""


class SealError(RuntimeError):
    """The stored record contradicts itself, so that sealing on would hide it. `verify` says where."""


class Health(NamedTuple):
    """How sealing stands. `behind` is the age of the oldest unsealed entry in seconds, 0 when there is none."""

    alive: bool
    behind: float


LAST = """
select l.leaves, c.size, c.root, c.frontier from (select coalesce(max(seq) + 1, 0) as leaves from audit_leaf) l
left join (select size, root, frontier from audit_checkpoint order by size desc limit 1) c on true
"""
"""One statement, so that another sealer's commit is seen whole or not at all."""


def load_frontier(conn: Any) -> Frontier:
    """The right edge as of the last checkpoint; SealError when leaves and checkpoint do not agree."""
    leaves, size, root, edge = conn.execute(LAST).fetchone()
    frontier = Frontier() if edge is None else Frontier.from_bytes(edge)
    if leaves != frontier.size or (edge is not None and (size, root) != (frontier.size, frontier.root())):
        raise SealError(f"{leaves} leaves stored, the last checkpoint is for {size or 0}: run verify")
    return frontier


def seal_batch(conn: Any, frontier: Frontier, signer: Signer, *, limit: int = BATCH) -> tuple[int, str]:
    """Seal up to `limit` pending entries in one transaction of `conn`; (how many, the note), or (0, "") when none wait.

    `frontier` moves on only once the transaction has committed. IntegrityError when another sealer was here since the
    frontier was loaded: nothing is changed, load it again. A pending row whose entry is gone is left for `verify`.
    """
    after = frontier.copy()
    with conn.transaction():
        hashes = conn.execute(_TAKE, [limit, frontier.size]).fetchone()[0]
        if hashes is None:
            return 0, ""
        tiles.grow(conn, after, tiles.cut(hashes))
        root = after.root()
        note = checkpoints.sign(signer, after.size, root)
        conn.execute(
            "insert into audit_checkpoint (size, root, note, frontier) values (%s, %s, %s, %s)",
            [after.size, root, note, after.to_bytes()],
        )
    count = after.size - frontier.size
    frontier.size, frontier.edge = after.size, after.edge
    return count, note


def run(
    stop: Event,
    *,
    connect: Callable[[], Any] | None = None,
    outside: Path | None = None,
    outlets: Sequence[Outlet] | None = None,
) -> int:
    """Seal until `stop` is set; how many entries this process sealed.

    Waits while another sealer holds the lock. Survives the loss of its connection, waiting a little longer each time
    (5 s at most). Writes nothing while nothing is pending. Checkpoints go to `outlets`, by default those configured, by
    a thread of its own, so that none of them holds up sealing. SealError ends it, as does a database older than
    the checkpoints in the file `outside`, until an entry explains that.
    """
    connect, outside = connect or direct_connection, outside or checkpoints.outside_file()
    with Sender(connect, configured() if outlets is None else outlets) as sender:
        return _run(stop, connect, outside, sender)


def _run(stop: Event, connect: Callable[[], Any], outside: Path, sender: Sender) -> int:
    sealed, pause = 0, 0.1
    while not stop.is_set():
        try:
            with connect() as conn:
                if not _acquire(conn, stop):
                    break
                pause = 0.1
                for count in _seal_on(conn, stop, outside, sender):
                    sealed += count
        except psycopg.IntegrityError:
            log.warning("another sealer was here first; starting over from what is stored")
            stop.wait(INTERVAL)
        except psycopg.OperationalError as error:
            log.warning("the sealer lost its database: %s; trying again in %.1f s", str(error).strip(), pause)
            stop.wait(pause)
            pause = min(5.0, pause * 2)
    return sealed


def health(cursor: Any) -> Health:
    """Whether a sealer lives (its session lock is held) and how far behind it is. Reads only, cheap however long the
    record; `cursor` is Django's or psycopg's."""
    cursor.execute(
        "select exists (select from pg_locks where locktype = 'advisory' and classid = %s and objid = %s and granted"
        " and database = (select oid from pg_database where datname = current_database())),"
        " (select entry from audit_pending order by entry limit 1)",
        [LOCK >> 32, LOCK & 0xFFFF_FFFF],
    )
    alive, oldest = cursor.fetchone()
    return Health(alive, max(0.0, time.time() - id_time(oldest).timestamp()) if oldest else 0.0)


def direct_connection() -> Any:
    """A connection of the sealer's own to Django's database, past any pool."""
    params = connections["default"].get_connection_params()
    wanted = ("dbname", "host", "port", "user", "password", "sslmode", "options", "service")
    return psycopg.connect(**{k: params[k] for k in wanted if params.get(k)}, autocommit=True, connect_timeout=5)


def _acquire(conn: Any, stop: Event) -> bool:
    waiting = False
    while not stop.is_set():
        if conn.execute("select pg_try_advisory_lock(%s)", [LOCK]).fetchone()[0]:
            return True
        if not waiting:
            log.info("another sealer is at work; waiting")
            waiting = True
        stop.wait(0.5)
    return False


def _seal_on(conn: Any, stop: Event, outside: Path, sender: Sender) -> Any:
    """Seal on `conn` until `stop`, yielding how many each time."""
    conn.execute("set application_name = 'signalbox sealer'")
    conn.execute("set synchronous_commit = on")
    step_by_step(conn)
    signer = keys.signer(conn)
    frontier = load_frontier(conn)
    if changed := rotation.due(conn, frontier.size):
        rotation.go_over(conn, changed)
        signer = changed
    if filled := tiles.backfill(conn, frontier.size):
        log.info("wrote the tiles over %d entries", filled)
    if astray := restore.ahead(conn, outside, frontier.size):
        raise SealError(str(restore.refuse(astray, outside, frontier.size)))
    note, written, written_at = _resume_outside(conn, outside, frontier.size)
    sender.offer(frontier.size, note)
    while True:
        began = time.monotonic()
        last = stop.is_set()
        count, latest = seal_batch(conn, frontier, signer)
        if latest:
            note = latest
            sender.offer(frontier.size, note)
        new = rotation.due(conn, frontier.size)
        if frontier.size > written and (not count or last or new or began - written_at >= OUTSIDE_EVERY):
            checkpoints.write_outside(outside, note)
            written, written_at = frontier.size, began
        if new:
            rotation.go_over(conn, new)
            log.info("sealing on with the key %s", new.verifier.vkey)
            signer = new
        yield count
        if last and count < BATCH:
            return
        if count < BATCH:
            stop.wait(max(0.0, INTERVAL - (time.monotonic() - began)))


def step_by_step(conn: Any) -> None:
    """Have `conn` go by index from row to row, whatever stale statistics make other plans look like."""
    for costly in ("hashjoin", "mergejoin", "seqscan"):
        conn.execute(f"set enable_{costly} = off")


def _resume_outside(conn: Any, outside: Path, size: int) -> tuple[str, int, float]:
    """The last checkpoint's note, the size of the last one outside, and when it was written (long ago)."""
    row = conn.execute("select note from audit_checkpoint where size = %s", [size]).fetchone()
    last = checkpoints.last_outside(outside)
    written = last.size if last and last.size <= size else 0
    return row[0] if row else "", written, 0.0
