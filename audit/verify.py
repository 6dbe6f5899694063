"""Verifying: does the record still say what was sealed?

The leaves are walked in order, in chunks, with bounded memory. Each entry's bytes are hashed against its leaf and each
searchable column against the bytes; the tree grown on the way must have the root that each checkpoint signed, those in
the database and those kept outside it, and the stored tiles must be cut from it. After a break the tree is taken up
again from the next checkpoint's stored edge, if its root is the signed one, so that one break does not hide the next.
"""

from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.string import ByteaBinaryLoader

from audit import checkpoints, restore, rotation
from audit.aged import Aged
from audit.checkpoints import Checkpoint, CheckpointError
from audit.entries import iso
from audit.ids import id_time
from audit.keys import Verifier
from audit.merkle import Frontier
from audit.report import KEPT, Report
from audit.standalone import BOUNDLESS, Refused
from audit.swift import Chunk, intact
from audit.tiled import Tiled
from audit.tiles import TileError

CHUNK = 5_120
_COLUMNS = ("verb", "subject", "actor", "agent", "region", "segment", "account", "request")

_WALK = """
select l.seq, l.entry, l.hash, e.body, e.id,
    case when e.at between '0001-01-02' and '9999-12-30' then e.at end, e.run,
    e.verb, e.subject, e.actor, e.agent, e.region, e.segment, e.account, e.request
from audit_leaf l left join audit_entry e on e.id = l.entry
where l.seq >= %s and l.seq < %s order by l.seq
"""
_PENDING = """
select null, p.entry, null, e.body, e.id,
    case when e.at between '0001-01-02' and '9999-12-30' then e.at end, e.run,
    e.verb, e.subject, e.actor, e.agent, e.region, e.segment, e.account, e.request
from audit_pending p left join audit_entry e on e.id = p.entry
where p.entry > %s order by p.entry limit %s
"""
_COUNTS = """
select (select count(*) from audit_entry), (select count(*) from audit_leaf),
    (select count(*) from audit_pending p where exists (select from audit_entry e where e.id = p.entry))
"""
_ENDS = """
select (select coalesce(max(seq) + 1, 0) from audit_leaf), (select coalesce(max(size), 0) from audit_checkpoint)
"""
_STRANGERS = """
select id from audit_entry e where not exists (select from audit_leaf where entry = e.id)
and not exists (select from audit_pending where entry = e.id) order by id limit %s
"""


def verify(
    conn: Any,
    *,
    verifiers: list[Verifier] | None = None,
    outside: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    start: int = 0,
    stop: int | None = None,
    whole: bool = True,
    restored: Collection[str] = (),
) -> Report:
    """Check the record on `conn`, a psycopg 3 connection in autocommit; a sealer may go on meanwhile. Reads only.

    Trusts the keys in `verifiers` and those that sealed changes brought in after them, else those in `audit_key`;
    `outside` is the file of checkpoints, by default the one the sealer writes. `progress` hears (numbers walked, of
    how many). A part of the record goes from the checkpoint of size `start` to that of size `stop`; what is not sealed
    yet is looked at when it goes to the end, and for entries without a seal only if the record is asked for `whole`:
    so are all the months of which something went by rule, wherever the part lies. Restores from backups that are said
    beside `outside`, or named in `restored` ("200-356"), are notes; any other is a break and excuses nothing.
    """
    report = Report()
    known = [Verifier.parse(row[0]) for row in conn.execute("select vkey from audit_key order by at").fetchall()]
    keys = dict.fromkeys(known if verifiers is None else verifiers, BOUNDLESS)
    try:
        if verifiers is None:
            brought_in = rotation.followed(conn, known[:1])
            report.notes += [f"nothing sealed brought in the key {v.vkey}" for v in known if v not in brought_in]
        keys = rotation.followed(conn, keys)
    except (Refused, TileError) as error:
        report.add(None, None, str(error))
    report.keys = [v.vkey for v in keys]
    head = conn.execute("select coalesce(max(size), 0) from audit_checkpoint").fetchone()[0]
    stop = head if stop is None else min(stop, head)
    walk = _Walk(conn, report, keys, outside or checkpoints.outside_file(), start, restored)
    for at in range(start, stop, CHUNK):
        walk.chunk(at, min(at + CHUNK, stop))
        progress(min(at + CHUNK, stop) - start, stop - start)
    report.sealed = stop - start
    if stop == head:
        walk.finish(whole=whole)
    for fault in walk.aged.faults() if whole else ():
        report.add(fault.seq, None, fault.what)
    for broken in walk.tiled.faults:
        report.add(broken.seq, None, broken.what)
    return report


class _Walk:
    """The state of one walk along the leaves."""

    def __init__(
        self,
        conn: Any,
        report: Report,
        verifiers: dict[Verifier, int],
        outside: Path,
        start: int,
        restored: Collection[str],
    ) -> None:
        self.conn, self.report, self.verifiers, self.restored = conn, report, verifiers, restored
        self.cursor = conn.cursor(binary=True)
        self.cursor.adapters.register_loader("uuid", ByteaBinaryLoader)
        self.frontier: Frontier | None = Frontier()
        """The tree up to `at`; None between a break and the next checkpoint that can be trusted."""
        self.start = self.at = start
        self.window = start
        """Where the stretch that the next checkpoint seals begins."""
        self.missing = 0
        self.last_id = b""
        self.aged = Aged(conn)
        self.tiled = Tiled(self._rows)
        self.outside = self._outside(outside)
        self.next_outside = next(self.outside, None)
        while self.next_outside is not None and self.next_outside.size <= start and start:
            self.next_outside = next(self.outside, None)
        if start:
            self._take_up(start)

    def _take_up(self, start: int) -> None:
        row = self.conn.execute(
            "select size, root, note, frontier from audit_checkpoint where size = %s", [start]
        ).fetchone()
        signed = self._signed(row) if row else None
        self.frontier = _edge(row, signed) if signed else None
        if self.frontier is None:
            self.report.add(start - 1, None, f"the checkpoint for {start:,} gives no edge to go on from")

    def chunk(self, start: int, stop: int) -> None:
        """Check the entries numbered from `start` up to `stop`, and the checkpoints among them."""
        self.marks = self._marks(start, stop)
        self.mark = next(self.marks)
        quick = self._asked(lambda: intact(self.cursor, start, stop))
        if quick is not None and self._in_order(quick, start):
            self._along(quick, start, stop)
        else:
            self._one_by_one(start, stop)
        self.tiled.compare()

    def _one_by_one(self, start: int, stop: int) -> None:
        for row in self._rows(_WALK, [start, stop]):
            seq, entry, leaf = row[0], row[1], row[2]
            self._reach(seq)
            if entry <= self.last_id and seq > self.window:
                self.report.add(seq - 1, self.last_id, "stands out of order among those sealed with it")
            self.last_id = entry
            self._entry(row, leaf)
            self.tiled.extend(self.frontier, seq, [leaf])
            self.at = seq + 1
        self._reach(stop)

    def _in_order(self, quick: Chunk, start: int) -> bool:
        """Whether ids ascend among those sealed together; a checkpoint may begin again from an older one."""
        ids = quick.ids
        if start > self.window and ids[0] <= self.last_id:
            return False
        return quick.ascending or all(
            later > earlier or start + n in self.stored for n, (earlier, later) in enumerate(pairwise(ids), 1)
        )

    def _along(self, quick: Chunk, start: int, stop: int) -> None:
        """Go on to `stop` through entries with which nothing is wrong."""
        first, last = quick.ids[0], quick.ids[-1]
        self._pass(start)
        while self.at < stop:
            to = min(self.mark, stop)
            self.tiled.extend(self.frontier, self.at, quick.leaves[self.at - start : to - start])
            self.at = to
            self._pass(to)
        self.last_id = last
        self.report.since = self.report.since or id_time(_uuid(first))
        self.report.until = id_time(_uuid(last))

    def finish(self, *, whole: bool) -> None:
        """What lies beyond the last checkpoint: unsealed entries, checkpoints that know of more, strangers."""
        last = b"\0" * 16
        while rows := self._rows(_PENDING, [UUID(bytes=last), CHUNK]):
            for row in rows:
                self.report.unsealed += 1
                self._entry(row, None)
            last = rows[-1][1]
        end, size = self.conn.execute(_ENDS).fetchone()
        if end > size:
            self.report.add(size, None, f"{end - size:,} leaves that no checkpoint signs")
        if whole and self._strangers():
            for (id,) in self.conn.execute(_STRANGERS, [KEPT]):
                self.report.add(None, id, "was slipped in: it is neither sealed nor waiting to be")
        self.report.dropped, self.report.aged = self.aged.dropped, self.aged.told()
        while self.next_outside is not None:
            self._newer(self.next_outside, size)
            self.next_outside = next(self.outside, None)

    def _strangers(self) -> bool:
        """Whether there may be more entries than leaves and pending rows account for."""
        if self.start:
            return True
        entries, leaves, pending = self.conn.execute(_COUNTS).fetchone()
        return bool(entries > leaves - self.missing + pending)

    def _rows(self, sql: str, params: list[Any]) -> list[Any]:
        rows: list[Any] = self._asked(lambda: self.cursor.execute(sql, params).fetchall())
        return rows

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """What `ask` gives, with the plans that suit a walk whatever stale statistics make of it."""
        with self.conn.transaction():
            for costly in ("hashjoin", "mergejoin", "seqscan"):
                self.conn.execute(f"set local enable_{costly} = off")
            self.conn.execute("set local max_parallel_workers_per_gather = 0")
            self.conn.execute("set local plan_cache_mode = force_generic_plan")
            return ask()

    def _marks(self, start: int, stop: int) -> Iterator[int]:
        """The sizes at which a root is known within (start, stop], ascending; then a number past every other."""
        stored = self.conn.execute(
            "select size, root, note, frontier from audit_checkpoint where size > %s and size <= %s", [start, stop]
        ).fetchall()
        self.stored = {row[0]: row for row in stored}
        self.known: dict[int, list[Checkpoint]] = {}
        while self.next_outside is not None and self.next_outside.size <= stop:
            if self.next_outside.size <= start:
                self.report.add(None, None, f"the checkpoints outside go back to {self.next_outside.size:,}")
            self.known.setdefault(self.next_outside.size, []).append(self.next_outside)
            self.next_outside = next(self.outside, None)
        yield from sorted(self.stored.keys() | self.known.keys())
        yield 2**63

    def _reach(self, seq: int) -> None:
        """Go on to `seq`, past the checkpoints on the way; numbers that are not there are a gap."""
        self._pass(self.at)
        if self.at < seq:
            many = f" to {seq - 1:,}" if seq - self.at > 1 else ""
            self.report.add(self.at, None, f"no such number{many}: deleted")
            self.frontier = None
            self.at = seq
            self._pass(seq)

    def _pass(self, size: int) -> None:
        while self.mark <= size:
            self._checkpoint(self.mark)
            self.mark = next(self.marks)

    def _entry(self, row: Any, leaf: bytes | None) -> None:
        seq, entry, body = row[0], row[1], row[3]
        if body is None:
            self.missing += leaf is not None
            if leaf is not None and self.aged.took(entry):
                return
            self.report.add(seq, entry, "is gone; only its seal is left" if leaf else "is gone before it was sealed")
            return
        if leaf is not None and sha256(b"\0" + body).digest() != leaf:
            self.report.add(seq, entry, "its bytes are not those that were sealed")
            return
        wrong = _wrong_columns(row, body)
        if wrong:
            self.report.add(seq, entry, f"{wrong} differs from its bytes")
        at = row[5]
        self.report.since = self.report.since or at
        self.report.until = at or self.report.until

    def _checkpoint(self, size: int) -> None:
        """Compare the tree of `size` leaves with what is signed for it, in the database and outside."""
        row = self.stored.get(size)
        root = self.frontier.root() if self.frontier is not None else None
        signed = self._signed(row) if row else None
        if row:
            self.report.checkpoints += 1
        if row and signed:
            if root is not None and root != signed.root:
                stretch = f"{self.window:,} to {size - 1:,}"
                self.report.add(self.window, None, f"{stretch} do not give the root signed for {size:,}")
                root = None
            if root is None:
                self.frontier = _edge(row, signed) if size == self.at else None
            elif self.frontier is not None and bytes(row[3]) != self.frontier.to_bytes():
                self.report.add(size - 1, None, f"the edge stored with the checkpoint for {size:,} was changed")
            root = signed.root
        for other in self.known.get(size, ()):
            self.report.outside += 1
            if root is not None and other.root != root:
                self.report.add(
                    self.window, None, f"the checkpoint for {size:,} kept outside has another root: rewritten"
                )
        if row:
            self.window = size

    def _signed(self, row: Any) -> Checkpoint | None:
        size, root, note, _ = row
        try:
            stated = self._believed(note)
        except CheckpointError as error:
            self.report.add(size - 1, None, f"the checkpoint for {size:,}: {error}")
            return None
        if (stated.size, stated.root) != (size, root):
            self.report.add(size - 1, None, f"the checkpoint for {size:,} is not what its note states")
        return stated if stated.size == size else None

    def _believed(self, note: str) -> Checkpoint:
        """What `note` states, signed by a key that no other had followed by then; CheckpointError otherwise."""
        size = checkpoints.parse(note).size
        return checkpoints.verify(note, [key for key, until in self.verifiers.items() if size <= until])

    def _outside(self, path: Path) -> Iterator[Checkpoint]:
        """The checkpoints in the file that a restore did not make void, in its order."""
        told, others = restore.believed(self.conn, path, self.restored)
        self.report.notes += map(str, told)
        for other in others:
            if path.exists():
                self.report.add(other.seq, None, f"tells of a restore ({other.name}) that nothing outside knows of")
        for one in restore.standing(self._read_outside(path, 0 if told else self.start), told):
            if isinstance(one, Checkpoint):
                yield one
            elif path.exists():
                self.report.add(
                    one.seq, None, f"tells of a restore from {one.lost:,} entries that nothing outside knows of"
                )

    def _read_outside(self, path: Path, after: int) -> Iterator[Checkpoint]:
        """Of a part's walk, those of before it go unverified: nothing is compared with them."""
        for n, note in enumerate(checkpoints.read_outside(path, after=after)):
            try:
                known = checkpoints.parse(note)
                yield known if 0 < known.size <= self.start else self._believed(note)
            except CheckpointError as error:
                self.report.add(None, None, f"checkpoint {n + 1} in {path}: {error}")

    def _newer(self, known: Checkpoint, size: int) -> None:
        """A checkpoint outside that was written after the walk began, or that knows of more than there is."""
        self.report.outside += 1
        if known.size > size:
            self.report.add(size, None, f"the record ends here; a checkpoint outside knows of {known.size:,} entries")
            return
        row = self.conn.execute("select root from audit_checkpoint where size = %s", [known.size]).fetchone()
        if row is None or row[0] != known.root:
            self.report.add(None, None, f"the checkpoint for {known.size:,} kept outside has another root: rewritten")


def _wrong_columns(row: Any, body: bytes) -> str:
    """The columns of `row` that are not what `body` says, in words; "" when all are."""
    try:
        doc = orjson.loads(body)
        get = doc.get
        id = bytes.fromhex(doc["id"].replace("-", ""))
        run = get("run")
        run = run and bytes.fromhex(run.replace("-", ""))
        texts = (doc["verb"], doc["subject"], doc["actor"], *[get(name, "") for name in _COLUMNS[3:]])
        said = doc["at"]
        moment = iso(int.from_bytes(row[4][:6]))
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError):
        return "the whole row"
    if (
        texts == row[7:]
        and id == row[4] == row[1]
        and run == row[6]
        and said == moment
        and row[5] == id_time(_uuid(id))
    ):
        return ""
    wrong = [name for name, said, is_ in zip(_COLUMNS, texts, row[7:], strict=True) if said != is_]
    wrong += ["id"] if not id == row[4] == row[1] else []
    wrong += ["run"] if run != row[6] else []
    return ", ".join(wrong) or "at"


def _uuid(raw: bytes) -> UUID:
    return UUID(bytes=raw)


def _edge(row: Any, signed: Checkpoint) -> Frontier | None:
    """The edge stored with a checkpoint, if it leads to the signed root."""
    try:
        frontier = Frontier.from_bytes(bytes(row[3]))
    except ValueError:
        return None
    return frontier if (frontier.size, frontier.root()) == (signed.size, signed.root) else None
