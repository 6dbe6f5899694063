"""
Carrying rules out: what they name of a month that is over goes, first into a file where the rule says so.

Only the owner of the tables can: the month's partition is made anew without what goes, and takes the old one's place.
A file is written whole, put on disk, named, and verified by the standalone program before that, and the entry that
tells of it commits with the change itself, so that a process killed at any point leaves either all of it or none; the
same again goes on from there.
"""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from psycopg import errors

from audit import standalone
from audit.age import Rule, Ruled, bounds, ruled, stretches
from audit.entries import Line, append
from audit.export import proved
from audit.holds import Hold, standing
from audit.indexing import BLOCK, forget
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from audit.partitions import guard_sql, plain

LOCK_TIMEOUT = "2s"
"""How long writers may be made to wait for a month to be taken out, at most; then it is tried again later."""

LOCK = 0x5EA1 << 32 | 0xA6ED
"""Key of the session advisory lock that a carrying out holds from its first line written to the last one dropped."""

TIDIED = 50
"""Blocks of the index of terms that one transaction tidies."""

_PARTS = """
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'public.audit_entry'::regclass order by 1
"""
_MONTH = re.compile(r"audit_entry_y(\d{4})m(\d{2})\Z")
_LEFT = """
select distinct l.seq / %s from audit_leaf l join audit_entry e on e.id = l.entry where l.seq >= %s and l.seq < %s
"""
_TOLD = "select missing, root from audit_aged where month = %s order by id desc limit 1"
_MISSING = "select count(*) from audit_aged where month = %s"


class ArchiveError(RuntimeError):
    """Nothing was dropped, and why."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a rule would take out of a month now: `going` entries. `held` stay for a legal hold; `unsealed` stop it."""

    part: str
    month: date
    rule: Rule
    going: int
    held: int
    unsealed: int


@dataclass(frozen=True, slots=True)
class Done:
    """What went, and where it is: `file` is empty where it was dropped only."""

    due: Due
    entry: UUID
    file: str
    sha256: str


class _Which:
    """SQL for the rows of audit_entry `e` of a month that a rule takes, and those of them that holds keep."""

    def __init__(self, now: Ruled, rule: Rule, holds: Sequence[Hold], runs: Mapping[str, Sequence[UUID]]) -> None:
        longer = now.longer(rule)
        self.named = " and ".join(["starts_with(e.verb, %s)", *["not starts_with(e.verb, %s)"] * len(longer)])
        self.named_params: list[Any] = [rule.verbs, *longer]
        covers = [hold.covers(runs.get(hold.key, ())) for hold in holds]
        self.held = " or ".join(sql for sql, _ in covers) or "false"
        self.held_params = [param for _, params in covers for param in params]

    @property
    def going(self) -> tuple[str, list[Any]]:
        """Named by the rule, and not held."""
        return f"({self.named}) and not ({self.held})", [*self.named_params, *self.held_params]


def due(conn: Any, *, today: date | None = None, runs: Mapping[str, Sequence[UUID]] | None = None) -> list[Due]:
    """
    What the rules would take out now, month by month. Reads each month that is old enough once a rule.

    Rules hold COOLING after they were set. `runs` gives the runs of each held contact, by the hold's key, which only
    the agents' room knows. `conn` is a psycopg 3 connection in autocommit.
    """
    now, today = ruled(conn.cursor()), today or datetime.now(UTC).date()
    if now.holds_from is None or now.holds_from > datetime.now(UTC):
        return []
    holds = standing(conn.cursor())
    found = []
    for part, month in months(conn):
        for rule in now.rules:
            if rule.ends(month) <= today:
                one = _count(conn, part, month, rule, _Which(now, rule, holds, runs or {}))
                if one.going or one.held:
                    found.append(one)
    return found


def months(conn: Any) -> list[tuple[str, date]]:
    """The months there are partitions of, oldest first, with the partition's name."""
    names = [row[0] for row in conn.execute(_PARTS).fetchall()]
    return [(name, date(int(m[1]), int(m[2]), 1)) for name in names if (m := _MONTH.match(name))]


def carry_out(
    conn: Any,
    one: Due,
    *,
    folder: Path,
    actor: str,
    runs: Mapping[str, Sequence[UUID]] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Done:
    """
    Take `one` out of its month: write and verify the file where its rule says so, then drop, with the entry of it.

    `conn` is a session of the owner of the tables. ArchiveError, and nothing dropped: another carrying out is under
    way, something of it is not sealed yet, the file does not verify or holds other entries than go, a hold or an entry
    came meanwhile, or writers could not be kept waiting for it.
    """
    file, digest, root = "", "", b""
    if one.unsealed:
        raise ArchiveError(f"{one.unsealed:,} entries of {one.month:%Y-%m} are not sealed yet.")
    with _alone(conn):
        if one.rule.archive:
            say(f"writing {one.going:,} entries of {one.month:%Y-%m}")
            path = folder / _name(conn, one)
            _write(conn, one, path, actor, runs or {})
            say(f"verifying {path}")
            _verify(conn, path)
            file, digest, root = path.name, _sha256(path), _root(path)
        say(f"dropping {one.going:,} entries of {one.month:%Y-%m}")
        try:
            entry = _drop(conn, one, file, digest, root, actor, runs or {})
        except (errors.LockNotAvailable, errors.DeadlockDetected) as busy:
            raise ArchiveError("Others work on the record just now: the same again goes on from here.") from busy
        tidy(conn)
    return Done(one, entry, file, digest)


@contextmanager
def _alone(conn: Any) -> Iterator[None]:
    """Keep every other carrying out away; it ends with the session too."""
    if not conn.execute("select pg_try_advisory_lock(%s)", [LOCK]).fetchone()[0]:
        raise ArchiveError("Another archive is under way on this record: run this one again when it has ended.")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("select pg_advisory_unlock(%s)", [LOCK])


def tidy(conn: Any) -> None:
    """Take what went last out of the index of terms as well, and index anew what is left beside it.

    Apart from the dropping, so that nobody waits for it; before each carrying out too, lest one was killed before it.
    """
    last = next(iter(stretches(conn)), None)
    if last is None:
        return
    for first in range(last.from_seq // BLOCK, last.to_seq // BLOCK + 1, TIDIED):
        end = min(first + TIDIED, last.to_seq // BLOCK + 1)
        with conn.transaction(), conn.cursor() as cursor:
            cursor.execute(_LEFT, [BLOCK, first * BLOCK, end * BLOCK])
            mixed = [row[0] for row in cursor.fetchall()]
            if not mixed:
                forget(cursor, first * BLOCK, end * BLOCK)
            for block in range(first, end) if mixed else ():
                forget(cursor, block * BLOCK, block * BLOCK + 1)


def _count(conn: Any, part: str, month: date, rule: Rule, which: _Which) -> Due:
    sealed = "exists (select from audit_leaf l where l.entry = e.id)"
    row = conn.execute(
        f"select count(*) filter (where not ({which.held})), count(*) filter (where {which.held}),"  # noqa: S608
        f" count(*) filter (where not {sealed}) from audit_entry e where e.id >= %s and e.id < %s and {which.named}",
        [*which.held_params, *which.held_params, *bounds(month), *which.named_params],
    ).fetchone()
    return Due(part, month, rule, *row)


def _name(conn: Any, one: Due) -> str:
    """Named after the month and how often something went of it, so that no earlier file is written over."""
    number = conn.execute(_MISSING, [one.month]).fetchone()[0] + 1
    verbs = f"-{one.rule.verbs.strip('.')}" if one.rule.verbs else ""
    return f"audit-{one.month:%Y-%m}{verbs}-{number}.ndjson.gz"


def _write(conn: Any, one: Due, path: Path, actor: str, runs: Mapping[str, Sequence[UUID]]) -> None:
    """The provable export of what goes, whole and on disk under its name, or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    header = {
        "filter": {"month": f"{one.month:%Y-%m}", "verbs": one.rule.verbs, "rule": str(one.rule)},
        "made": {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "by": actor},
    }
    line = b"{}"
    with conn.transaction(), draft.open("wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
            for line in proved(conn, _numbers(conn, one, runs), header=header):
                file.write(line)
        raw.flush()
        os.fsync(raw.fileno())
    if (written := orjson.loads(line).get("entries")) != one.going:
        raise ArchiveError(f"{one.going:,} entries were to go, but {written:,} could be written: look again.")
    draft.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _numbers(conn: Any, one: Due, runs: Mapping[str, Sequence[UUID]]) -> Iterator[int]:
    sql, params = _which(conn, one, runs).going
    with conn.cursor(name="going") as cursor:
        cursor.itersize = 10_000
        cursor.execute(
            "select l.seq from audit_entry e join audit_leaf l on l.entry = e.id"  # noqa: S608
            f" where e.id >= %s and e.id < %s and {sql} order by l.seq",
            [*bounds(one.month), *params],
        )
        for (seq,) in cursor:
            yield seq


def _which(conn: Any, one: Due, runs: Mapping[str, Sequence[UUID]]) -> _Which:
    now = ruled(conn.cursor())
    if one.rule not in now.rules:
        raise ArchiveError("The rules were changed meanwhile.")
    return _Which(now, one.rule, standing(conn.cursor()), runs)


def _verify(conn: Any, path: Path) -> None:
    """By the program that others verify it with, in a process of its own, under the keys that the record has now."""
    keys = [row[0] for row in conn.execute("select vkey from audit_key").fetchall()]
    argv = [sys.executable, "-I", standalone.__file__, str(path)]
    done = subprocess.run(  # noqa: S603  our own program on our own file
        [*argv, *(part for key in keys for part in ("--key", key))], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ArchiveError(f"{path} does not verify: {(done.stdout + done.stderr).strip()[-2000:]}")


def _sha256(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _root(path: Path) -> bytes:
    """The root over the leaves of the entries that the file holds, in its order."""
    tree = Frontier()
    with gzip.open(path) as file:
        for line in file:
            if "body" in (doc := orjson.loads(line)):
                tree.append(leaf_hash(doc["body"].encode()))
    return tree.root()


def _drop(
    conn: Any, one: Due, file: str, digest: str, written: bytes, actor: str, runs: Mapping[str, Sequence[UUID]]
) -> UUID:
    """One transaction: everybody kept off the month, what goes held against `written`, the root of what the file holds,
    the rest put in its place, and told."""
    part = plain(one.part)
    with conn.transaction():
        conn.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
        conn.execute(f"lock table audit_retention, audit_legal_hold, audit_legal_release, {part} in share mode")
        which = _which(conn, one, runs)
        now = _count(conn, part, one.month, one.rule, which)
        if now.unsealed:
            raise ArchiveError(f"{now.unsealed:,} entries of {one.month:%Y-%m} are not sealed yet.")
        if now.going != one.going:
            raise ArchiveError(f"{one.going:,} entries were to go, now it would be {now.going:,}: look again.")
        sql, params = which.going
        low, high = bounds(one.month)
        first, last, goes, missing, root = _after(conn, one, low, high, sql, params)
        if one.rule.archive and goes != written:
            raise ArchiveError(f"What goes of {one.month:%Y-%m} now is not what {file} holds: look again.")
        _remake(conn, part, low, high, sql, params, going=one.going)
        rule = one.rule
        detail = {
            "month": f"{one.month:%Y-%m}",
            "rule": str(rule),
            "verbs": rule.verbs,
            "months": rule.months,
            "from": first,
            "to": last,
            "dropped": one.going,
            "missing": missing,
            "root": root.hex(),
            **({"held": one.held} if one.held else {}),
            **({"file": file, "sha256": digest} if rule.archive else {}),
        }
        verb = "record.archived" if rule.archive else "record.aged"
        (entry,) = append(conn, [Line(verb, f"month:{one.month:%Y-%m}", actor, detail=detail)])
        conn.execute(
            "insert into audit_aged (month, verbs, months, archived, low, high, from_seq, to_seq, dropped, missing,"
            " root, file, sha256, entry) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [one.month, rule.verbs, rule.months, rule.archive, low, high, first, last, one.going, missing, root, file,
             digest, entry],
        )  # fmt: skip
    return entry


def _after(
    conn: Any, one: Due, low: UUID, high: UUID, sql: str, params: list[Any]
) -> tuple[int, int, bytes, int, bytes]:
    """First and last number that go and the root over them; how many will be missing of the month then, and their root.

    ArchiveError when something is missing that no rule took, or is not as it was sealed: dropping would hide that.
    """
    tree, before, goes, first, last = Frontier(), Frontier(), Frontier(), -1, -1
    with conn.cursor(name="after") as cursor:
        cursor.itersize = 50_000
        cursor.execute(
            "select l.seq, l.hash, e.id is not null, sha256('\\x00'::bytea || e.body) is distinct from l.hash"  # noqa: S608
            f" from audit_leaf l left join {plain(one.part)} e on e.id = l.entry"
            f" where l.entry >= %s and l.entry < %s and (e.id is null or ({sql})) order by l.seq",
            [low, high, *params],
        )
        for seq, leaf, going, changed in cursor:
            tree.append(bytes(leaf))
            if not going:
                before.append(bytes(leaf))
            elif changed:
                raise ArchiveError(f"Number {seq:,} is not as it was sealed, so nothing is dropped: see verify.")
            else:
                goes.append(bytes(leaf))
                first, last = (seq if first < 0 else first), seq
    row = conn.execute(_TOLD, [one.month]).fetchone()
    if (before.size, before.root()) != ((row[0], bytes(row[1])) if row else (0, EMPTY_ROOT)):
        raise ArchiveError(f"Of {one.month:%Y-%m} {before.size:,} entries are missing that no rule took: see verify.")
    return first, last, goes.root(), tree.size, tree.root()


def _remake(conn: Any, part: str, low: UUID, high: UUID, sql: str, params: list[Any], *, going: int) -> None:
    """The partition made anew without what goes; writers of other months wait from the detaching to the commit.

    Its indexes are there before that, so that attaching takes them over and builds none while writers wait.
    """
    fresh = f"{part}_kept"
    like = ("defaults", "constraints", "indexes", "storage")
    conn.execute(f"create table {fresh} (like audit_entry {' '.join(f'including {what}' for what in like)})")
    kept = conn.execute(f"insert into {fresh} select * from {part} e where not ({sql})", params).rowcount  # noqa: S608
    if conn.execute(f"select count(*) from {part}").fetchone()[0] != kept + going:  # noqa: S608
        raise ArchiveError("What goes and what stays are not all there is: nothing was dropped.")
    bound = f"id is not null and id >= '{low}' and id < '{high}'"
    conn.execute(f"alter table {fresh} add constraint {fresh}_bound check ({bound})")
    conn.execute(f"alter table audit_entry detach partition {part}")
    conn.execute(f"drop table {part}")
    if not kept:
        conn.execute(f"drop table {fresh}")
        return
    conn.execute(f"alter table {fresh} rename to {part}")
    conn.execute(f"alter table audit_entry attach partition {part} for values from ('{low}') to ('{high}')")
    conn.execute(f"alter table {part} drop constraint {fresh}_bound")
    conn.execute(guard_sql(part))
