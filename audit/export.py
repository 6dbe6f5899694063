"""Exports that prove themselves: entries with the bytes that were sealed, and the hashes of those between them.

The form is lines of JSON, ascending by number, written in one pass. `audit/standalone.py` verifies it with nothing but
Python: it appends leaves and subtrees to one tree and compares the root with the checkpoint's. docs/the-record.md has
the form line by line.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID

from audit import checkpoints, rotation
from audit.age import gone
from audit.proofs import newest
from audit.standalone import check, written
from audit.tiles import Tiles, pieces

PIECE = 1_000
"""Entries read at once."""

_BODIES = """
select l.seq, l.hash, e.body from audit_leaf l left join audit_entry e on e.id = l.entry
where l.seq = any(%s) order by l.seq
"""
_NUMBERS = "select seq from audit_leaf where entry = any(%s)"


class ExportError(RuntimeError):
    """Nothing that can be proven: no checkpoint yet, or numbers that don't ascend."""


def proved(
    conn: Any,
    numbers: Iterable[int] | Iterable[UUID],
    *,
    header: Mapping[str, Any],
    decorate: Callable[[Sequence[tuple[int, bytes]]], Sequence[str]] | None = None,
) -> Iterator[bytes]:
    """The lines of an export of these entries under the newest checkpoint, cosigned where witnesses are configured.

    `numbers` ascend, or are entries' ids in any order (whose numbers are looked up first: 8 bytes of memory each).
    What no checkpoint covers yet is left out and counted in a line of its own. `header` has the `filter`, which may be
    empty, and `made` with `at` and `by`. `decorate` gives a sentence for each (number, bytes) of a piece; it is not
    sealed. Memory is a piece of PIECE entries and the tiles at hand, however long the export. `conn` is a psycopg 3
    connection or cursor, or Django's cursor, and needn't keep a transaction open. ExportError when nothing is sealed.
    """
    size, note = _checkpoint(conn)
    reader, total, at, entries, unsealed = Tiles(conn), sha256(), 0, 0, 0

    def line(doc: dict[str, Any]) -> bytes:
        raw = f"{written(doc)}\n".encode()
        total.update(raw)
        return raw

    def gap(start: int, stop: int) -> bytes:
        hashes = [reader.subtree(*piece).hex() for piece in pieces(start, stop)]
        return line({"from": start, "to": stop, "hashes": hashes})

    yield line(
        {
            "signalbox": "export",
            "v": 1,
            "origin": checkpoints.parse(note).origin,
            "checkpoint": note,
            "vkeys": [row[0] for row in conn.execute("select vkey from audit_key order by at, vkey").fetchall()],
            "rotations": rotation.chain(conn, reader),
            "filter": header["filter"],
            "made": header["made"],
        }
    )
    ascending = iter(_ascending(conn, numbers))
    while piece := list(islice(ascending, PIECE)):
        sealed = [seq for seq in piece if seq < size]
        unsealed += len(piece) - len(sealed)
        rows = [(seq, bytes(leaf), body) for seq, leaf, body in conn.execute(_BODIES, [sealed]).fetchall()]
        if [row[0] for row in rows] != sealed or (sealed and sealed[0] < at):
            raise ExportError("numbers that do not ascend, or that are not there")
        here = [(seq, bytes(body)) for seq, _, body in rows if body is not None]
        said = dict(zip((seq for seq, _ in here), decorate(here), strict=True)) if decorate and here else {}
        for seq, leaf, body in rows:
            if at < seq:
                yield gap(at, seq)
            doc: dict[str, Any] = {"seq": seq, "hash": leaf.hex()}
            if body is None:
                why = _why_dropped(conn, seq)
                doc |= {"dropped": why, "check": check(why)}
            else:
                doc["body"] = bytes(body).decode()
            if say := said.get(seq):
                doc |= {"say": say, "check": check(say)}
            yield line(doc)
            at, entries = seq + 1, entries + 1
    if at < size:
        yield gap(at, size)
    if unsealed:
        yield line({"unsealed": unsealed})
    yield f"{written({'end': True, 'entries': entries, 'sha256': total.hexdigest()})}\n".encode()


def _checkpoint(conn: Any) -> tuple[int, str]:
    found = newest(conn)
    if found is None:
        raise ExportError("nothing is sealed yet, so nothing can be proven")
    return found


def _ascending(conn: Any, numbers: Iterable[int] | Iterable[UUID]) -> Iterable[int]:
    """`numbers` themselves, or the numbers of ids, ascending; an id without one counts as beyond every checkpoint."""
    rest = iter(numbers)
    first = next(rest, None)
    if first is None:
        return []
    if isinstance(first, int):
        return _chained(first, rest)
    found, asked, missing = array("q"), [first], 0
    while asked:
        rows = conn.execute(_NUMBERS, [asked]).fetchall()
        found.extend(row[0] for row in rows)
        missing += len(asked) - len(rows)
        asked = list(islice(rest, PIECE))
    return [*sorted(found), *[2**62] * missing]


def _chained(first: int, rest: Iterator[Any]) -> Iterator[int]:
    yield first
    yield from rest


def _why_dropped(conn: Any, seq: int) -> str:
    """Why the bytes of an entry are not there any more."""
    row = conn.execute("select entry from audit_leaf where seq = %s", [seq]).fetchone()
    stretch = gone(row[0], conn=conn) if row else None
    return stretch.why if stretch else "its bytes are not in the database"
