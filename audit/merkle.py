"""The Merkle tree of RFC 6962: hashes, an append-only right edge, and both proofs with their verification.

Everything works on leaf hashes (32 bytes each), never on the entries themselves.
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

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash at the right."""
        edge, rest = self.edge, self.size
        while rest & 1:
            leaf = sha256(b"\1" + edge.pop() + leaf).digest()
            rest >>= 1
        edge.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The tree's root hash."""
        return _fold(self.edge) if self.edge else EMPTY_ROOT

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


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of the leaf at `index` in the tree over `leaves`, from the leaf upwards."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*inclusion_proof(leaves[:k], index), root(leaves[k:])]
    return [*inclusion_proof(leaves[k:], index - k), root(leaves[:k])]


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """The proof that the tree over `leaves` begins with its own first `old` leaves."""
    if not 0 <= old <= len(leaves):
        raise IndexError(f"no tree of {old} in one of {len(leaves)}")
    if old in (0, len(leaves)):
        return []
    return _subproof(leaves, old, whole=True)


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


def _subproof(leaves: Sequence[bytes], old: int, *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = _split(len(leaves))
    if old <= k:
        return [*_subproof(leaves[:k], old, whole=whole), root(leaves[k:])]
    return [*_subproof(leaves[k:], old - k, whole=False), root(leaves[:k])]


def _split(n: int) -> int:
    """The largest power of two below `n`."""
    return 1 << ((n - 1).bit_length() - 1)


def _fold(edge: Sequence[bytes]) -> bytes:
    node = edge[-1]
    for left in reversed(edge[:-1]):
        node = node_hash(left, node)
    return node
