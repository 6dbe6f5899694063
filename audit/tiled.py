"""Whether the stored tiles are what the record's leaves give, looked at by whoever walks the leaves.

A tile of leaves is held against the leaves that the walk comes by, and those above it against the roots stored with
the tiles below, each of which is looked at in turn. So a walk of a part needs nothing but that part.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from audit.merkle import Frontier, top
from audit.tiles import HEIGHT, WIDTH, cut

_NEWEST = "select coalesce(max(index), -1) from audit_tile where level = 0"
_LEAVES = "select hash from audit_leaf where seq >= %s and seq < %s order by seq"
_TILES = "select index, hashes, root from audit_tile where level = %s and index >= %s and index <= %s"
_ROOTS = "select index, root from audit_tile where level = %s and index >= %s and index < %s"


class Fault(NamedTuple):
    """A tile that is not what it should be: the first number to which that matters, and what is wrong."""

    seq: int
    what: str


class Tiled:
    """The tiles along a walk. What is wrong with them is in `faults`."""

    def __init__(self, rows: Callable[[str, list[Any]], list[Any]]) -> None:
        """`rows` asks the database. Tiles past the newest of now count as not written yet, not as gone."""
        self._rows = rows
        self.faults: list[Fault] = []
        self._at = -1
        self._head: list[bytes] | None = None
        """The leaves of the tile that `_at` lies in, from its first on; None when not all of them are known."""
        self._due: list[tuple[int, Sequence[bytes], bytes]] = []
        self._named: set[tuple[int, int]] = set()
        self._newest = int(rows(_NEWEST, [])[0][0])

    def extend(self, frontier: Frontier | None, start: int, leaves: Sequence[bytes]) -> None:
        """Take the leaf hashes numbered from `start` on, and append them to `frontier`, of that size, if there is one.

        A tile's root is computed once, for the tree and for the comparison.
        """
        if start != self._at:
            self._begin(start)
        self._at = done = start
        while done < start + len(leaves):
            index, within = divmod(done, WIDTH)
            part = leaves[done - start : done - start + WIDTH - within]
            done += len(part)
            if len(part) == WIDTH:
                root = top(part)
                self._due.append((index, part, root))
                if frontier is not None:
                    frontier.append(root, height=HEIGHT)
                continue
            if frontier is not None:
                frontier.extend(part)
            if self._head is not None:
                self._head += part
            if not done % WIDTH:
                if self._head is not None:
                    self._due.append((index, self._head, top(self._head)))
                self._head = []
        self._at = done

    def compare(self) -> None:
        """Hold the tiles that became whole since the last time against the stored ones."""
        if not self._due:
            return
        span = [0, self._due[0][0], self._due[-1][0]]
        stored = {index: (hashes, root) for index, hashes, root in self._rows(_TILES, span)}
        for index, leaves, root in self._due:
            self._compare(0, index, stored.get(index), leaves, root)
            self._above(HEIGHT, index)
        self._due = []

    def _begin(self, start: int) -> None:
        first = start // WIDTH * WIDTH
        head = [row[0] for row in self._rows(_LEAVES, [first, start])] if first < start else []
        self._head = head if len(head) == start - first else None

    def _above(self, level: int, index: int) -> None:
        """Look at the tile at `level` that the tile `index` below it made whole, and at those above, if it did."""
        while index % WIDTH == WIDTH - 1:
            index //= WIDTH
            first = index * WIDTH
            roots = dict(self._rows(_ROOTS, [level - HEIGHT, first, first + WIDTH]))
            stored = next(((hashes, root) for _, hashes, root in self._rows(_TILES, [level, index, index])), None)
            if stored:
                # A tile below that is gone or wrong has been named; it is not to blame this one for.
                for at, hash in enumerate(cut(stored[0])):
                    if first + at not in roots or (level - HEIGHT, first + at) in self._named:
                        roots[first + at] = hash
            below = [roots.get(at, b"") for at in range(first, first + WIDTH)]
            self._compare(level, index, stored, below, top(below))
            level += HEIGHT

    def _compare(self, level: int, index: int, stored: Any, below: Sequence[bytes], root: bytes) -> None:
        each = WIDTH ** (level // HEIGHT)
        first, last = index * WIDTH * each, (index + 1) * WIDTH * each - 1
        name = f"tile {index:,} of level {level}, over {first:,} to {last:,},"
        seq, what = first, ""
        if stored is None:
            what = f"{name} is gone" if last < (self._newest + 1) * WIDTH else ""
        elif stored[0] != b"".join(below):
            differing = (n for n, (is_, said) in enumerate(zip(below, cut(stored[0]), strict=False)) if is_ != said)
            seq, what = first + next(differing, 0) * each, f"{name} holds another hash for this number than the record"
        elif stored[1] != root:
            what = f"{name} is stored with a root that is not its own"
        if what:
            self._named.add((level, index))
            self.faults.append(Fault(seq, what))
