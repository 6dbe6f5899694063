"""The quick way along an intact record: a chunk of entries in two rows, compared column by column without parsing.

An entry's bytes are canonical, so they begin and end with what its columns are written as; only the detail stands
between. What fits in every respect holds; for all else the caller walks the chunk entry by entry and names what is
wrong. See docs/decisions/verify-speed.md.
"""

import re
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring
from operator import lt
from sys import byteorder
from typing import Any, NamedTuple

_UNIT, _WITHIN = "\x1f", "\x1e"
_PG_EPOCH_MS = 946_684_800_000
_ESCAPED = re.compile(r'["\\\x00-\x1e]')
_STRAY = 3
"""Where the ids of a chunk span so many times its entries, it is not read in one go."""

_LEAVES = """
select count(*), min(seq), string_agg(entry::text, chr(31)), string_agg(hash, ''::bytea)
from (select seq, entry, hash from audit_leaf where seq >= %s and seq < %s order by seq) leaf
"""
_ENTRIES = """
select string_agg(id::text, chr(31)), string_agg(timestamptz_send(at), ''::bytea),
    string_agg(coalesce(run::text, ''), chr(31)), string_agg(subject, chr(31)), string_agg(account, chr(31)),
    string_agg(request, chr(31)), string_agg(concat_ws(chr(30), actor, agent, region, segment, verb), chr(31)),
    '\\x00'::bytea || string_agg(body, '\\x1f00'::bytea),
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


class _Days(dict[int, str]):
    """A day since 1970 → as the record begins its moments."""

    def __missing__(self, day: int) -> str:
        if len(self) > 10_000:
            self.clear()
        self[day] = made = f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%dT}"
        return made


def _optional(name: str, text: str) -> str:
    return f'"{name}":{encode_basestring(text)},' if text else ""


_fixed, _days = _Fixed(), _Days()
_MINUTES = [f"{minute // 60:02}:{minute % 60:02}:" for minute in range(1_440)]
_SECONDS = [f"{ms // 1_000:02}.{ms % 1_000:03}Z" for ms in range(60_000)]


def intact(cursor: Any, start: int, stop: int) -> Chunk | None:
    """The chunk of entries numbered from `start` up to `stop`, if nothing at all is wrong with it; else None.

    `cursor` is a psycopg 3 cursor, binary for speed. Neither the tree nor the order is looked at.
    """
    count, first, together, hashes = cursor.execute(_LEAVES, [start, stop]).fetchone()
    if count != stop - start or first != start or len(hashes) != 32 * count:
        return None
    ids = together.split(_UNIT)
    row = cursor.execute(_ENTRIES, [min(ids), max(ids), _STRAY * count]).fetchone()
    *columns, whole = row
    if not whole:  # none at all, or a null, which the columns put together would pass over
        return None
    try:
        found, digests = _compared(*columns)
    except (ValueError, OverflowError):  # not as many as there should be, no UTF-8, no moment that can be written
        return None
    if found != ids:
        place = dict(zip(found, digests, strict=True))
        digests = [place.get(id, b"") for id in ids]
    if b"".join(digests) != hashes:
        return None
    return Chunk(digests, ids, all(map(lt, ids, ids[1:])))


def _compared(
    together: str, moments: bytes, runs: str, subjects: str, accounts: str, requests: str, fixed: str, bodies: bytes
) -> tuple[list[str], list[bytes]]:
    """The ids and the leaf hashes of entries all of whose columns fit their bytes; ValueError when some don't."""
    ids = together.split(_UNIT)
    ms = [int(id[:8] + id[9:13], 16) for id in ids]
    expected = array("q", [(at - _PG_EPOCH_MS) * 1_000 for at in ms])
    if byteorder == "little":
        expected.byteswap()
    if expected.tobytes() != moments:
        raise ValueError("moments that are not those of the ids")
    minutes = [divmod(at, 60_000) for at in ms]
    ats = [_days[minute // 1_440] + _MINUTES[minute % 1_440] + _SECONDS[rest] for minute, rest in minutes]
    raw = bodies.split(b"\x1f")
    columns = zip(
        *(bodies.decode().split(_UNIT), ids, ats, runs.split(_UNIT), _written(subjects), _written(accounts)),
        *(_written(requests), map(_fixed.__getitem__, fixed.split(_UNIT))),
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
    return ids, [sha256(body).digest() for body in raw]


def _written(column: str) -> Sequence[str]:
    """A column's texts as they stand between quotes."""
    texts = column.split(_UNIT)
    return [encode_basestring(text)[1:-1] for text in texts] if _ESCAPED.search(column) else texts
