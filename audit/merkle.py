"""The Merkle tree of RFC 6962: hashes, an append-only right edge, and the verification of both proofs.

Everything works on leaf hashes (32 bytes each), never on the entries themselves. `audit.tiles` makes the proofs.
"""

import struct
from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds `data`."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node over two subtrees."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to append leaves and to give the root, in 32 bytes per set bit of its size."""

    __slots__ = ("edge", "size")

    def __init__(self, size: int = 0, edge: Iterable[bytes] = ()) -> None:
        self.size = size
        self.edge = list(edge)
        """Roots of the perfect subtrees, the largest (leftmost) first."""
        if len(self.edge) != size.bit_count() or any(len(node) != 32 for node in self.edge):
            raise ValueError(f"not the right edge of a tree of {size} leaves")

    def append(self, leaf: bytes, *, height: int = 0) -> None:
        """Add one leaf hash at the right, or the root of 2**height leaves, where a subtree of that size may begin."""
        edge, rest = self.edge, self.size
        if rest & ((1 << height) - 1):
            raise ValueError(f"no subtree of {1 << height} leaves begins at {rest}")
        rest >>= height
        while rest & 1:
            leaf = sha256(b"\1" + edge.pop() + leaf).digest()
            rest >>= 1
        edge.append(leaf)
        self.size += 1 << height

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in order, by the largest subtrees that they make."""
        at = 0
        while at < len(leaves):
            height = (len(leaves) - at).bit_length() - 1
            if self.size:
                height = min(height, (self.size & -self.size).bit_length() - 1)
            self.append(top(leaves[at : at + (1 << height)]), height=height)
            at += 1 << height

    def root(self) -> bytes:
        """The tree's root hash."""
        return fold(self.edge) if self.edge else EMPTY_ROOT

    def copy(self) -> "Frontier":
        """An independent copy."""
        return Frontier(self.size, self.edge)

    def to_bytes(self) -> bytes:
        """The frontier as bytes: the size in 8, then the edge."""
        return struct.pack(">Q", self.size) + b"".join(self.edge)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """What `to_bytes` wrote; ValueError for anything else."""
        if len(data) < 8 or len(data) % 32 != 8:
            raise ValueError("not a frontier")
        return cls(struct.unpack_from(">Q", data)[0], [data[n : n + 32] for n in range(8, len(data), 32)])


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over `leaves`."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` is number `index` of the tree of `size` leaves with this `root`."""
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> bool:
    """Whether `proof` shows that the tree of `size` leaves with `root` begins with the one of `old` with `old_root`."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root


def split(n: int) -> int:
    """The largest power of two below `n`, which is at least 2: where RFC 6962 cuts a tree of `n` leaves."""
    return 1 << ((n - 1).bit_length() - 1)


def fold(edge: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees, the largest (leftmost) first; at least one."""
    node = edge[-1]
    for left in reversed(edge[:-1]):
        node = node_hash(left, node)
    return node


def top(nodes: Sequence[bytes]) -> bytes:
    """The root over 2**n nodes."""
    while len(nodes) > 1:
        nodes = pairs(nodes)
    return nodes[0]


def pairs(nodes: Sequence[bytes]) -> list[bytes]:
    """The nodes one level up; a last one without a partner is left out."""
    return [sha256(b"\1" + nodes[n] + nodes[n + 1]).digest() for n in range(0, len(nodes) - 1, 2)]
