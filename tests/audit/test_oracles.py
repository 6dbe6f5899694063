"""Our trees against two other implementations of RFC 6962, pymerkle and attestroot, and against its own definition.

Every size from 0 to 2,000 for roots; for proofs every size, at a few leaves of each (all of them with --hostile=full).
"""

import pymerkle
import pytest
from attestroot import merkle as attestroot
from pymerkle import InmemoryTree

from audit import tiles
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, root, verify_consistency, verify_inclusion
from audit.tiles import Tiles
from tests.audit.rfc6962 import consistency

SIZE = 2_000
DATA = [b"entry %d" % n for n in range(SIZE)]
LEAVES = [leaf_hash(data) for data in DATA]


@pytest.fixture(scope="module")
def oracle():
    tree = InmemoryTree(algorithm="sha256")
    for data in DATA:
        tree.append_entry(data)
    return tree


@pytest.fixture(scope="module")
def roots():
    """The root at every size, as attestroot grows it."""
    tree, found = attestroot.MerkleAccumulator(), [bytes.fromhex(attestroot.EMPTY_ROOT)]
    for data in DATA:
        tree.add_leaf(data)
        found.append(tree.root())
    return found


@pytest.fixture
def reader(conn):
    """The same leaves as a sealed record's, with its tiles."""
    with conn.cursor().copy("copy audit_leaf (seq, entry, hash) from stdin") as copy:
        for seq, leaf in enumerate(LEAVES):
            copy.write_row((seq, f"00000000-0000-7000-8000-{seq:012d}", leaf))
    assert tiles.backfill(conn, SIZE) == SIZE // 256 * 256
    return Tiles(conn)


def test_roots_agree_at_every_size(oracle, roots, reader):
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == roots[0] == root([])
    for size in range(1, SIZE + 1):
        frontier.append(LEAVES[size - 1])
        assert frontier.root() == roots[size] == oracle.get_root(size) == reader.root(0, size), size


def test_a_frontier_grown_in_stretches_is_the_same(roots, rng):
    for _ in range(50):
        frontier = Frontier()
        while frontier.size < SIZE:
            frontier.extend(LEAVES[frontier.size : frontier.size + rng.choice([1, 2, 7, 255, 256, 257, 1000])])
            assert frontier.root() == roots[frontier.size]


def test_inclusion_proofs_agree_at_every_size(oracle, roots, reader, rng, hostile):
    for size in range(1, SIZE + 1):
        seqs = range(size) if hostile.full else {0, size - 1, rng.randrange(size), rng.randrange(size)}
        for seq in seqs:
            proof = reader.inclusion(seq, size)
            assert attestroot.verify_inclusion(LEAVES[seq], seq, size, proof, roots[size]), (seq, size)
            assert verify_inclusion(LEAVES[seq], seq, size, proof, roots[size]), (seq, size)
        theirs = oracle.prove_inclusion(seq + 1, size)
        assert proof == [bytes.fromhex(node) for node in theirs.serialize()["path"]][1:], (seq, size)
        pymerkle.verify_inclusion(LEAVES[seq], roots[size], theirs)


def test_consistency_proofs_agree_at_every_size(oracle, roots, reader, rng, hostile):
    for size in range(SIZE + 1):
        olds = range(size + 1) if hostile.full else {0, size, rng.randint(0, size), rng.randint(0, size)}
        for old in olds:
            proof = reader.consistency(old, size)
            assert verify_consistency(old, size, proof, roots[old], roots[size]), (old, size)
        old = rng.randint(0, size)
        assert reader.consistency(old, size) == consistency(LEAVES[:size], old), (old, size)
        if old > 0:
            pymerkle.verify_consistency(roots[old], roots[size], oracle.prove_consistency(old, size))
