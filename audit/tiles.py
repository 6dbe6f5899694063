"""Tiles: the nodes of the record's tree in rows of 256, as C2SP's tlog-tiles cuts it.

A row of `audit_tile` at level 0 holds 256 leaves, at level 8 the roots of 256 such rows, at level 16 of 256 of those,
and `root` is its own. Only whole tiles are stored; what is not whole yet is read from the leaves and the roots below.
Rows are written by the sealer in its transaction and never change, so a proof costs a few reads and at most 255
hashes in each of them, however long the record is.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from audit.merkle import EMPTY_ROOT, Frontier, fold, pairs, split, top

WIDTH = 256
HEIGHT = 8
_HELD = 32
"""How many tiles a reader holds: the two ends of a stretch on every level of the longest record."""

_INSERT = "insert into audit_tile (level, index, hashes, root) values (%s, %s, %s, %s)"
_LEAVES = "select hash from audit_leaf where seq >= %s and seq < %s order by seq"
_ROOTS = "select root from audit_tile where level = %s and index >= %s and index < %s order by index"
_BACKFILL = 64


class TileError(RuntimeError):
    """Nodes that the stored leaves and tiles do not give: not sealed yet, or gone."""


def subtree(conn: Any, start: int, size: int) -> bytes:
    """The root of the `size` leaves from number `start` on; `size` a power of two, `start` a multiple of it.

    `conn` is a psycopg 3 connection or cursor, or Django's cursor. TileError when not all of them are sealed.
    """
    return Tiles(conn).subtree(start, size)


def inclusion(conn: Any, seq: int, size: int) -> list[bytes]:
    """RFC 6962's audit path of entry `seq` in the tree of the first `size` entries, from the leaf upwards."""
    return Tiles(conn).inclusion(seq, size)


def consistency(conn: Any, old: int, new: int) -> list[bytes]:
    """RFC 6962's proof that the tree of `new` entries begins with the one of `old`."""
    return Tiles(conn).consistency(old, new)


class Tiles:
    """A reader of the tree that holds the tiles it used last, for callers that ask for many nodes in order."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._held: OrderedDict[tuple[int, int], list[Sequence[bytes]]] = OrderedDict()

    def subtree(self, start: int, size: int) -> bytes:
        """As the function of this name."""
        if size < 1 or size & (size - 1) or start < 0 or start % size:
            raise ValueError(f"no subtree of {size} leaves begins at {start}")
        height = size.bit_length() - 1
        index, within = start >> height, height % HEIGHT
        level = height - within
        rows = self._tile(level, index >> HEIGHT - within)
        while len(rows) <= within:
            rows.append(pairs(rows[-1]))
        at = index % (WIDTH >> within)
        if at >= len(rows[within]):
            raise TileError(f"entries {start:,} to {start + size - 1:,} are not all sealed")
        return rows[within][at]

    def root(self, start: int, stop: int) -> bytes:
        """The root over the leaves from `start` up to `stop`; `start` a multiple of a power of two not below their
        number."""
        return fold([self.subtree(*piece) for piece in pieces(start, stop)]) if stop > start else EMPTY_ROOT

    def frontier(self, size: int) -> Frontier:
        """The right edge of the tree of the first `size` leaves."""
        return Frontier(size, [self.subtree(*piece) for piece in pieces(0, size)])

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """As the function of this name."""
        if not 0 <= seq < size:
            raise IndexError(f"no entry {seq} among {size}")
        path, low, high = [], 0, size
        while high - low > 1:
            middle = low + split(high - low)
            if seq < middle:
                path.append(self.root(middle, high))
                high = middle
            else:
                path.append(self.root(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """As the function of this name."""
        if not 0 <= old <= new:
            raise IndexError(f"no tree of {old} in one of {new}")
        if old in (0, new):
            return []
        path, low, high = [], 0, new
        while high != old:
            middle = low + split(high - low)
            if old <= middle:
                path.append(self.root(middle, high))
                high = middle
            else:
                path.append(self.root(low, middle))
                low = middle
        return [*([self.root(low, high)] if low else []), *path[::-1]]

    def _tile(self, level: int, index: int) -> list[Sequence[bytes]]:
        key = level, index
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        row = self._conn.execute(
            "select hashes from audit_tile where level = %s and index = %s", [level, index]
        ).fetchone()
        hashes = cut(bytes(row[0])) if row else _unfinished(self._conn, level, index)
        self._held[key] = [hashes]
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        return self._held[key]


def pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The largest aligned subtrees that make up the leaves from `start` up to `stop`, in order, as (start, size)."""
    while start < stop:
        size = 1 << ((stop - start).bit_length() - 1)
        if start:
            size = min(size, start & -start)
        yield start, size
        start += size


def grow(conn: Any, frontier: Frontier, hashes: Sequence[bytes]) -> None:
    """Append leaves to `frontier` and write the tiles that they make whole; the leaves are stored already.

    In the caller's transaction. TileError when tiles before them are missing: `backfill` writes those.
    """
    old, done = frontier.size, 0
    if (old + len(hashes)) // WIDTH > old // WIDTH:
        ahead = [bytes(row[0]) for row in conn.execute(_LEAVES, [old // WIDTH * WIDTH, old]).fetchall()]
        if len(ahead) != old % WIDTH:
            raise TileError(f"leaves before {old:,} are missing")
        while frontier.size // WIDTH < (old + len(hashes)) // WIDTH:
            index, lacking = frontier.size // WIDTH, WIDTH - len(ahead)
            tile = [*ahead, *hashes[done : done + lacking]]
            frontier.extend(hashes[done : done + lacking])
            conn.execute(_INSERT, [0, index, b"".join(tile), top(tile)])
            _above(conn, HEIGHT, index)
            done, ahead = done + lacking, []
    frontier.extend(hashes[done:])


def backfill(conn: Any, size: int) -> int:
    """Write what tiles the first `size` leaves lack, a few in a transaction of their own; how many leaves they hold.

    For records that are older than tiles, or made without a sealer. `conn` is in autocommit.
    """
    first = conn.execute("select coalesce(max(index) + 1, 0) from audit_tile where level = 0").fetchone()[0]
    for start in range(first, size // WIDTH, _BACKFILL):
        stop = min(start + _BACKFILL, size // WIDTH)
        with conn.transaction():
            leaves = [bytes(row[0]) for row in conn.execute(_LEAVES, [start * WIDTH, stop * WIDTH]).fetchall()]
            if len(leaves) != (stop - start) * WIDTH:
                raise TileError(f"leaves from {start * WIDTH:,} on are missing")
            for index in range(start, stop):
                tile = leaves[(index - start) * WIDTH :][:WIDTH]
                conn.execute(_INSERT, [0, index, b"".join(tile), top(tile)])
                _above(conn, HEIGHT, index)
    return max(0, size // WIDTH - int(first)) * WIDTH


def cut(hashes: bytes) -> list[bytes]:
    """A row of hashes as a list."""
    return [hashes[n : n + 32] for n in range(0, len(hashes), 32)]


def _above(conn: Any, level: int, index: int) -> None:
    """Write the tile at `level` that the tile `index` below it made whole, and those above it, if it did."""
    while index % WIDTH == WIDTH - 1:
        index //= WIDTH
        tile = _unfinished(conn, level, index)
        if len(tile) != WIDTH:
            raise TileError(f"tiles below {index} on level {level} are missing")
        conn.execute(_INSERT, [level, index, b"".join(tile), top(tile)])
        level += HEIGHT


def _unfinished(conn: Any, level: int, index: int) -> list[bytes]:
    """What there is of a tile that is not stored."""
    span = [index * WIDTH, (index + 1) * WIDTH]
    rows = conn.execute(_ROOTS, [level - HEIGHT, *span]) if level else conn.execute(_LEAVES, span)
    return [bytes(row[0]) for row in rows.fetchall()]
