"""A database older than the checkpoints outside: a restore from a backup, which is an entry and not a mystery.

The sealer does not seal on from there by itself, as that would fork the record. `explain` writes the entry that names
the stretch that was lost; then it goes on, and verify tells of the stretch instead of calling it a break. It also says
so outside the database: an entry alone excuses nothing, or whoever rewrites the database could excuse that.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from audit import checkpoints
from audit.checkpoints import Checkpoint
from audit.entries import Line, append
from audit.tiles import TileError, Tiles

VERB = "record.restored"
SUBJECT = "record:all"

_TOLD = """
select e.body, l.seq, e.at from audit_entry e left join audit_leaf l on l.entry = e.id
where e.subject = %s and e.verb = %s order by e.id
"""


class Astray(RuntimeError):
    """The newest checkpoint outside is not one of this database. The message says what to do."""


class Restore(NamedTuple):
    """A restore that the record tells of: beyond `here` entries, what was sealed up to `lost` is lost."""

    seq: int | None
    here: int
    lost: int
    root: bytes
    by: str
    why: str
    at: str

    @property
    def name(self) -> str:
        """The first and the last number that are lost, such as 200-356."""
        return f"{self.here}-{self.lost - 1}"

    def __str__(self) -> str:
        stretch = f"numbers {self.here:,} to {self.lost - 1:,} as they were before"
        return f"restored from a backup, {stretch} are lost: {self.why} ({self.by}, {self.at})"


def restores(conn: Any) -> list[Restore]:
    """What the record tells of restores, oldest first; an entry that can't be read tells of none."""
    found = []
    for body, seq, _ in conn.execute(_TOLD, [SUBJECT, VERB]).fetchall():
        try:
            said = orjson.loads(bytes(body))
            detail = said["detail"]
            here, lost, root = int(detail["here"]), int(detail["lost"]), bytes.fromhex(detail["root"])
            found.append(Restore(seq, here, lost, root, str(detail["by"]), str(detail["why"]), str(said["at"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def beside(outside: Path) -> Path:
    """The file, next to that of the checkpoints, in which each restore is said outside the database too."""
    return outside.with_name(f"{outside.name}.restored")


def believed(conn: Any, outside: Path, also: Collection[str] = ()) -> tuple[list[Restore], list[Restore]]:
    """Of the restores that the record tells of, those that are said outside as well, or named in `also` ("200-356");
    and the others, which excuse nothing."""
    said = beside(outside).read_text().split("\n") if beside(outside).exists() else []
    known: list[Restore] = []
    others: list[Restore] = []
    for one in restores(conn):
        (known if _line(one) in said or one.name in also else others).append(one)
    return known, others


def _line(one: Restore) -> str:
    return f"{one.name} {one.root.hex()}"


def ahead(conn: Any, outside: Path, size: int) -> Checkpoint | None:
    """The newest checkpoint in the file, when this database, `size` entries long, is not the one it was taken from and
    no entry explains it; None when all is well."""
    last = checkpoints.last_outside(outside)
    if last is None or any((one.lost, one.root) == (last.size, last.root) for one in believed(conn, outside)[0]):
        return None
    if last.size > size:
        return last
    try:
        return None if Tiles(conn).root(0, last.size) == last.root else last
    except TileError:
        return last


def refuse(last: Checkpoint, outside: Path, size: int) -> Astray:
    """What the sealer says before it stops."""
    if last.size > size:
        return Astray(
            f"{outside} knows of {last.size:,} sealed entries, this database has {size:,}. If it was restored from a "
            "backup, say so: manage.py restored --why TEXT. If it is another database, give it a var folder of its own."
        )
    return Astray(
        f"{outside} has another root for the first {last.size:,} entries than this database. Run manage.py verify. If "
        "it is another database, give it a var folder of its own; if it was restored and sealed on elsewhere, say so: "
        "manage.py restored --why TEXT."
    )


def explain(conn: Any, outside: Path, *, actor: str, by: str, why: str) -> Restore | None:
    """Write down outside, then as an entry, which stretch is lost; None when there is nothing to explain.

    `conn` is a psycopg connection in autocommit. The sealer must not run meanwhile, and does not where this is needed.
    """
    size = conn.execute("select coalesce(max(size), 0) from audit_checkpoint").fetchone()[0]
    last = ahead(conn, outside, size)
    if last is None:
        return None
    told = Restore(None, _common(conn, outside, size), last.size, last.root, by, why, "")
    detail = {"here": told.here, "lost": told.lost, "root": told.root.hex(), "by": by, "why": why}
    with beside(outside).open("a") as file:
        file.write(f"{_line(told)}\n")
        file.flush()
        os.fsync(file.fileno())
    with conn.transaction():
        append(conn, [Line(VERB, SUBJECT, actor, detail=detail)])
    return restores(conn)[-1]


def standing(known: Iterable[Checkpoint], told: list[Restore]) -> Iterator[Checkpoint | Restore]:
    """Those of the checkpoints outside, oldest first, that a restore did not make void; then each restore in `told`
    whose lost checkpoint is not among them at all, which explains nothing."""
    waiting = list(told)
    for one in known:
        if waiting and (one.size, one.root) == (waiting[0].lost, waiting[0].root):
            waiting.pop(0)
        elif all(one.size <= each.here for each in waiting):
            yield one
    yield from waiting


def _common(conn: Any, outside: Path, size: int) -> int:
    """The size up to which this database and the checkpoints outside are one record."""
    reader, agreed = Tiles(conn), 0
    for known in standing(map(checkpoints.parse, checkpoints.read_outside(outside)), believed(conn, outside)[0]):
        if isinstance(known, Restore) or known.size > size:
            return size
        try:
            if reader.root(0, known.size) != known.root:
                return agreed
        except TileError:
            return agreed
        agreed = known.size
    return size
