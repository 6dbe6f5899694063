"""The quick way along an intact record: entries by the hundred in one row, their columns compared without parsing.

An entry's bytes are canonical, so they begin and end with what its columns are written as; only the detail stands
between. What fits in every respect holds; for all else the caller walks the chunk entry by entry and names what is
wrong. See docs/decisions/verify-speed.md.
"""

from array import array
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring
from operator import lt
from sys import byteorder
from typing import Any, NamedTuple

import orjson

PIECE = 500
"""Entries that travel in one row."""

_UNIT, _WITHIN = "\x1f", "\x1e"
_COLUMNS = 6
_SEPARATORS = 10
"""How many separators an entry's columns have, that after the last included."""
_PG_EPOCH_MS = 946_684_800_000
_STRAY = 3
"""Where the ids of a chunk span so many times its entries, it is not read in one go."""

_LEAVES = """
select count(*), min(seq), string_agg(entry::text, ' '), string_agg(hash, ''::bytea)
from (select seq, entry, hash from audit_leaf where seq >= %s and seq < %s order by seq) leaf
"""
_ENTRIES = """
select string_agg(concat_ws(chr(31), id, coalesce(run::text, ''), subject, account, request,
        concat_ws(chr(30), actor, agent, region, segment, verb)), chr(31)),
    string_agg(timestamptz_send(at), ''::bytea), string_agg(body, '\\x1f00'::bytea),
    bool_and(num_nulls(at, subject, account, request, actor, agent, region, segment, verb, body) = 0)
from (
    select id, at, run, subject, account, request, actor, agent, region, segment, verb, body
    from audit_entry where id >= %s and id <= %s order by id limit %s
) entry
"""


class Chunk(NamedTuple):
    """A chunk in which every entry is as it was sealed and every column as its bytes say."""

    leaves: list[bytes]
    ids: list[str]
    ascending: bool
    """Whether the ids ascend throughout."""


class _Fixed(dict[str, tuple[str, str, str, str]]):
    """What few entries differ in, "actor, agent, region, segment, verb", as the bytes have it: written once for each.

    In four pieces, since other columns stand between them. ValueError when it is not five columns.
    """

    def __missing__(self, together: str) -> tuple[str, str, str, str]:
        if len(self) > 50_000:
            self.clear()
        actor, agent, region, segment, verb = together.split(_WITHIN)
        begin = f'"actor":{encode_basestring(actor)},{_optional("agent", agent)}"at":"'
        made = begin, _optional("region", region), _optional("segment", segment), encode_basestring(verb)
        self[together] = made
        return made


class _Minutes(dict[int, str]):
    """A minute since 1970 → as the record begins its moments."""

    def __missing__(self, minute: int) -> str:
        if len(self) > 50_000:
            self.clear()
        self[minute] = made = f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:}"
        return made


def _optional(name: str, text: str) -> str:
    return f'"{name}":{encode_basestring(text)},' if text else ""


_fixed, _minutes = _Fixed(), _Minutes()
_SECONDS = [f"{ms // 1_000:02}.{ms % 1_000:03}Z" for ms in range(60_000)]


def intact(cursor: Any, start: int, stop: int) -> Chunk | None:
    """The chunk of entries numbered from `start` up to `stop`, if nothing at all is wrong with it; else None.

    `cursor` is a psycopg 3 cursor, binary for speed. Neither the tree nor the order is looked at.
    """
    count, first, together, hashes = cursor.execute(_LEAVES, [start, stop]).fetchone()
    if count != stop - start or first != start or len(hashes) != 32 * count:
        return None
    ids = together.split(" ")
    leaves: list[bytes] = []
    for at in range(0, count, PIECE):
        digests = _piece(cursor, ids[at : at + PIECE])
        if digests is None:
            return None
        leaves += digests
    if b"".join(leaves) != hashes:
        return None
    return Chunk(leaves, ids, all(map(lt, ids, ids[1:])))


def _piece(cursor: Any, ids: list[str]) -> list[bytes] | None:
    """The leaf hashes that the bytes of these entries give; None when one is not there, or a column does not fit."""
    *columns, whole = cursor.execute(_ENTRIES, [min(ids), max(ids), _STRAY * len(ids)]).fetchone()
    if not whole:  # none at all, or a null, which the columns put together would pass over
        return None
    try:
        found, digests = _compared(*columns)
    except (ValueError, OverflowError):  # not as many as there should be, no UTF-8, no moment that can be written
        return None
    if found == ids:
        return digests
    place = dict(zip(found, digests, strict=True))
    return [place.get(id, b"") for id in ids]


def _compared(together: str, moments: bytes, bodies: bytes) -> tuple[list[str], list[bytes]]:
    """The ids and the leaf hashes of entries all of whose columns fit their bytes; ValueError when some don't."""
    flat = together.split(_UNIT)
    ids, runs, subjects, accounts, requests, fixed = (flat[n::_COLUMNS] for n in range(_COLUMNS))
    if not _plain(together, _SEPARATORS * len(ids) - 1):
        subjects, accounts, requests = map(_written, (subjects, accounts, requests))
    ms = _milliseconds(ids)
    expected = array("q", [(at - _PG_EPOCH_MS) * 1_000 for at in ms])
    if byteorder == "little":
        expected.byteswap()
    if expected.tobytes() != moments:
        raise ValueError("moments that are not those of the ids")
    minutes, seconds = _minutes, _SECONDS
    ats = [minutes[at // 60_000] + seconds[at % 60_000] for at in ms]
    bodies = b"\0" + bodies
    columns = zip(
        *(bodies.decode().split(_UNIT), ids, ats, runs, subjects, accounts, requests),
        map(_fixed.__getitem__, fixed),
        strict=True,
    )
    for body, id, at, run, subject, account, request, (begin, region, segment, verb) in columns:
        before = f'"account":"{account}",' if account else ""
        after = f'"request":"{request}",' if request else ""
        if run:
            after = f'{after}"run":"{run}",'
        if not (
            body.startswith(f'\0{{{before}{begin}{at}",')
            and body.endswith(f'"id":"{id}",{region}{after}{segment}"subject":"{subject}","v":1,"verb":{verb}}}')
        ):
            raise ValueError("a column that is not as its bytes say")
    return ids, [sha256(body).digest() for body in bodies.split(b"\x1f")]


def _milliseconds(ids: list[str]) -> list[int]:
    """The moments in UUIDv7s, since 1970."""
    halves = array("Q", bytes.fromhex("".join(ids).replace("-", "")))
    if byteorder == "little":
        halves.byteswap()
    return [half >> 16 for half in halves[::2]]


def _plain(together: str, separators: int) -> bool:
    """Whether no character but the separators would be escaped in JSON, where each takes five more."""
    return len(orjson.dumps(together)) == len(together.encode()) + 2 + 5 * separators


def _written(column: list[str]) -> list[str]:
    """A column's texts as they stand between quotes."""
    return [encode_basestring(text)[1:-1] for text in column]
