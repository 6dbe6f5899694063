"""The quick way along an intact record: entries by the hundred in one row, compared and hashed together.

What fits in every respect holds; for all else the caller walks the chunk entry by entry and names what is wrong.
See docs/decisions/verify-speed.md.
"""

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, zip_longest
from operator import attrgetter, lt
from sys import byteorder
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

PIECE = 256
"""Entries that travel in one row."""

_TEXTS = ("subject", "actor", "verb", "account", "request", "agent", "region", "segment")
"""The columns in the order in which _ENTRIES puts them together."""
_NO_RUN = "0" * 32
_UNIT = "\x1f"
_PG_EPOCH_MS = 946_684_800_000
_STRAY = 3
"""Where the ids of a chunk span so many times its entries, it is not read in one go."""

_LEAVES = """
select count(*), string_agg(uuid_send(entry), ''), string_agg(hash, ''), bool_and(length(hash) = 32)
from (select seq, entry, hash from audit_leaf where seq >= %s and seq < %s order by seq) leaf
"""
_ENTRIES = """
select count(texts), count(body), count(run), string_agg(texts, chr(31)), string_agg(body, '\\x0a'),
    string_agg(uuid_send(id), ''), string_agg(uuid_send(coalesce(run, '00000000-0000-0000-0000-000000000000')), ''),
    string_agg(timestamptz_send(at), '')
from (
    select id, at, run, body, subject || chr(31) || actor || chr(31) || verb || chr(31) || account || chr(31)
        || request || chr(31) || agent || chr(31) || region || chr(31) || segment as texts
    from audit_entry where id >= %s and id <= %s order by id limit %s
) entry
"""


class Chunk(NamedTuple):
    """A chunk in which every entry is as it was sealed and every column as its bytes say."""

    leaves: list[bytes]
    ids: list[bytes]
    ascending: bool
    """Whether the ids ascend throughout."""


class _Body(msgspec.Struct, gc=False):
    """What columns repeat of an entry's bytes; the detail is passed over."""

    id: str
    at: str
    subject: str
    actor: str
    verb: str
    account: str = ""
    request: str = ""
    agent: str = ""
    region: str = ""
    segment: str = ""
    run: str = _NO_RUN


class _Minutes(dict[int, str]):
    """A minute since 1970 → as the record begins its moments."""

    def __missing__(self, minute: int) -> str:
        if len(self) > 50_000:
            self.clear()
        self[minute] = made = f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:}"
        return made


_decode = msgspec.json.Decoder(_Body).decode_lines
_texts = attrgetter(*_TEXTS)
_minutes = _Minutes()
_SECONDS = [f"{ms // 1_000:02}.{ms % 1_000:03}Z" for ms in range(60_000)]


def intact(cursor: Any, start: int, stop: int) -> Chunk | None:
    """The chunk of entries numbered from `start` up to `stop`, if nothing at all is wrong with it; else None.

    `cursor` is a psycopg 3 cursor, binary for speed. Neither the tree nor the order is looked at.
    """
    count, together, hashes, whole = cursor.execute(_LEAVES, [start, stop]).fetchone()
    if count != stop - start or not whole or len(together) != 16 * count:
        return None
    ids = _each(together)
    pieces = [ids[at : at + PIECE] for at in range(0, count, PIECE)]
    leaves: list[bytes] = []
    with cursor.connection.pipeline():
        _ask(cursor, pieces[0])
        for piece, after in zip_longest(pieces, pieces[1:]):
            row = cursor.fetchone()
            if after:
                _ask(cursor, after)  # read by the database while this one is compared
            digests = _digests(piece, *row)
            if digests is None:
                return None
            leaves += digests
    if b"".join(leaves) != hashes:
        return None
    return Chunk(leaves, ids, all(map(lt, ids, ids[1:])))


def _ask(cursor: Any, ids: list[bytes]) -> None:
    cursor.execute(_ENTRIES, [UUID(bytes=min(ids)), UUID(bytes=max(ids)), _STRAY * len(ids)])


def _digests(ids: list[bytes], *row: Any) -> list[bytes] | None:
    """The leaf hashes that the bytes of these entries give; None when one is not there, or a column does not fit."""
    *counts, texts, bodies, found, runs, moments = row
    try:
        if not _same(counts, texts, bodies, found, runs, moments):
            return None
    except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None  # bytes that are no entry's, no entries at all, no moment that can be written
    digests = [sha256(b"\0" + body).digest() for body in bodies.split(b"\n")]
    if len(digests) * 16 != len(found):  # a body in which a line ends
        return None
    if found == b"".join(ids):
        return digests
    place = dict(zip(_each(found), digests, strict=True))
    return [place.get(id, b"") for id in ids]


def _same(counts: Sequence[int], texts: str, bodies: bytes, found: bytes, runs: bytes, moments: bytes) -> bool:
    """Whether the columns of some entries are what their bytes say, none of them null but runs."""
    size = len(found) // 16
    bodies.decode()  # the detail is passed over below
    docs = _decode(bodies)
    of_runs = [doc.run for doc in docs]
    ms = _milliseconds(found)
    return (
        [*counts] == [size, size, size - of_runs.count(_NO_RUN)]
        and texts.count(_UNIT) == len(_TEXTS) * size - 1
        and _UNIT.join(chain.from_iterable(map(_texts, docs))) == texts
        and _hex([doc.id for doc in docs]) == found.hex("\n", 16)
        and _hex(of_runs) == runs.hex("\n", 16)
        and _big_endian(array("q", [(at - _PG_EPOCH_MS) * 1_000 for at in ms])) == moments
        and [doc.at for doc in docs] == [_minutes[at // 60_000] + _SECONDS[at % 60_000] for at in ms]
    )


def _each(together: bytes) -> list[bytes]:
    """Ids one by one."""
    return [together[at : at + 16] for at in range(0, len(together), 16)]


def _hex(ids: list[str]) -> str:
    """As `bytes.hex` writes ids, one a line."""
    return "\n".join(ids).replace("-", "")


def _milliseconds(ids: bytes) -> list[int]:
    """The moments in UUIDv7s, since 1970."""
    halves = array("Q", ids)
    if byteorder == "little":
        halves.byteswap()
    return [half >> 16 for half in halves[::2]]


def _big_endian(numbers: "array[int]") -> bytes:
    if byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()
