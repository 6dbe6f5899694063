"""The index that searching the record stands on: which terms occur in which entries, by blocks of 1,024 numbers.

It is made after sealing, by whoever keeps house, so writing an entry costs nothing for it. It is derived: it can be
dropped and made again, and proves nothing. What is not in it yet is read as it stands (audit.search).
"""

from array import array
from typing import Any

import orjson

from audit.terms import terms

BLOCK = 1_024
AT_ONCE = 64
"""Blocks that one call indexes."""
LOCK = 0x5EA1 << 32 | 0x1DE8
"""Key of the advisory lock that whoever indexes holds."""
BITMAP = BLOCK // 8
"""Bytes; fewer than half as many entries are written as numbers of two bytes each."""

_STANDING = """
select coalesce((select max(block) + 1 from audit_block), 0),
    coalesce((select (max(seq) + 1) / %s from audit_leaf), 0), pg_try_advisory_xact_lock(%s)
"""
_READ = """
select l.seq, e.verb, e.actor, e.subject, e.agent, e.region, e.segment, e.account, e.body
from audit_leaf l join audit_entry e on e.id = l.entry where l.seq >= %s and l.seq < %s
"""
_BOUNDS = """
insert into audit_block (block, low, high)
select %s, (array_agg(entry order by entry))[1], (array_agg(entry order by entry desc))[1]
from audit_leaf where seq >= %s and seq < %s
"""


def index(cursor: Any, *, blocks: int = AT_ONCE) -> int:
    """Index up to `blocks` more whole blocks of sealed entries, oldest first; how many.

    `cursor` is psycopg's or Django's, in a transaction: what it did is seen when that commits. 0 when all is done, or
    when somebody else is at it.
    """
    cursor.execute(_STANDING, [BLOCK, LOCK])
    first, end, mine = cursor.fetchone()
    if not mine or first >= end:
        return 0
    cursor.execute("set local enable_hashjoin = off; set local enable_mergejoin = off")
    end = min(end, first + blocks)
    rows: list[tuple[str, int, bytes]] = []
    for block in range(first, end):
        rows += [(term, block, hits) for term, hits in sorted(_postings(cursor, block).items())]
        cursor.execute(_BOUNDS, [block, block * BLOCK, (block + 1) * BLOCK])
    with cursor.copy("copy audit_term (term, block, hits) from stdin (format binary)") as copy:
        copy.set_types(["text", "int8", "bytea"])
        for row in rows:
            copy.write_row(row)
    return int(end - first)


def forget(cursor: Any, start: int, stop: int) -> None:
    """Take the terms of entries numbered from `start` up to `stop` out of the index: their bodies are gone.

    The blocks at both ends, which hold others too, are indexed anew from what is still there. In a transaction.
    """
    if start >= stop:
        return
    first, last = start // BLOCK, (stop - 1) // BLOCK
    cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
    cursor.execute("delete from audit_term where block >= %s and block <= %s", [first, last])
    cursor.execute("select block from audit_block where block in (%s, %s)", [first, last])
    for (block,) in cursor.fetchall():
        for term, hits in _postings(cursor, block).items():
            cursor.execute("insert into audit_term (term, block, hits) values (%s, %s, %s)", [term, block, hits])


def bits(hits: bytes) -> int:
    """A posting as a number whose bit n stands for the block's entry n."""
    if len(hits) == BITMAP:
        return int.from_bytes(hits, "little")
    found = 0
    for place in array("H", hits):
        found |= 1 << place
    return found


def _postings(cursor: Any, block: int) -> dict[str, bytes]:
    places: dict[str, array[int]] = {}
    cursor.execute(_READ, [block * BLOCK, (block + 1) * BLOCK])
    for seq, verb, actor, subject, agent, region, segment, account, body in cursor.fetchall():
        place = seq - block * BLOCK
        for term in terms(verb, actor, subject, agent, region, segment, account, _detail(body)):
            if (known := places.get(term)) is None:
                places[term] = array("H", (place,))
            else:
                known.append(place)
    return {term.replace("\0", ""): _packed(found) for term, found in places.items()}


def _packed(places: "array[int]") -> bytes:
    if len(places) * places.itemsize < BITMAP:
        return places.tobytes()
    bitmap = bytearray(BITMAP)
    for place in places:
        bitmap[place >> 3] |= 1 << (place & 7)
    return bytes(bitmap)


def _detail(body: Any) -> dict[str, Any]:
    """The detail in an entry's bytes; nothing of a body that someone broke, which `verify` names."""
    try:
        detail = orjson.loads(bytes(body)).get("detail", {})
    except (orjson.JSONDecodeError, AttributeError):
        return {}
    return detail if isinstance(detail, dict) else {}
