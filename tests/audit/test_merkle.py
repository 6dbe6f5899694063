import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

DATA = [b"entry %d" % n for n in range(200)]
LEAVES = [leaf_hash(data) for data in DATA]


@pytest.fixture(scope="module")
def oracle():
    tree = InmemoryTree(algorithm="sha256")
    for data in DATA:
        tree.append_entry(data)
    return tree


def test_roots_agree_with_pymerkle_on_trees_of_0_to_200(oracle):
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == root([])
    for size in range(1, 201):
        frontier.append(LEAVES[size - 1])
        assert frontier.root() == oracle.get_root(size) == root(LEAVES[:size])
        assert frontier.size == size


def test_a_frontier_survives_being_stored():
    for size in range(201):
        frontier = Frontier()
        frontier.extend(LEAVES[:size])
        again = Frontier.from_bytes(frontier.to_bytes())
        again.extend(LEAVES[size:])
        assert again.root() == root(LEAVES)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 39, b"\0" * 40, b"\0" * 7 + b"\3" + b"\0" * 32])
def test_what_is_no_frontier_is_refused(data):
    with pytest.raises(ValueError, match=r"frontier|edge"):
        Frontier.from_bytes(data)


def test_inclusion_proofs_agree_with_pymerkle(oracle):
    for size in (1, 2, 3, 7, 8, 9, 64, 100, 199, 200):
        for index in range(size):
            proof = inclusion_proof(LEAVES[:size], index)
            theirs = oracle.prove_inclusion(index + 1, size)
            assert proof == _path(theirs)[1:]
            assert verify_inclusion(LEAVES[index], index, size, proof, oracle.get_root(size))


def test_consistency_proofs_verify_from_every_size_to_every_size():
    roots = [root(LEAVES[:size]) for size in range(71)]
    for size in range(71):
        for old in range(size + 1):
            proof = consistency_proof(LEAVES[:size], old)
            assert verify_consistency(old, size, proof, roots[old], roots[size])
            for other in {old - 1, old + 1} & set(range(1, size)):
                assert not verify_consistency(old, size, proof, roots[other], roots[size])


def test_consistency_proofs_are_those_of_rfc_6962s_example():
    """Section 2.1.3, in its own letters: the tree over seven leaves."""
    a, b, c, d, e, f, j = (LEAVES[n] for n in range(7))
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l = node_hash(g, h), node_hash(i, j)  # noqa: E741
    assert root(LEAVES[:7]) == node_hash(k, l)
    assert consistency_proof(LEAVES[:7], 3) == [c, d, g, l]
    assert consistency_proof(LEAVES[:7], 4) == [l]
    assert consistency_proof(LEAVES[:7], 6) == [i, j, k]


def test_pymerkle_accepts_the_same_pairs_of_roots(oracle):
    for size in (2, 3, 7, 8, 100, 200):
        for old in range(1, size):
            theirs = oracle.prove_consistency(old, size)
            pymerkle.verify_consistency(root(LEAVES[:old]), root(LEAVES[:size]), theirs)


@given(st.integers(1, 200), st.data())
def test_a_proof_with_anything_changed_is_refused(size, data):
    index = data.draw(st.integers(0, size - 1))
    top = root(LEAVES[:size])
    proof = inclusion_proof(LEAVES[:size], index)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, top)
    assert not verify_inclusion(LEAVES[index], index, size, [*proof, top], top)
    if size > 1:
        assert not verify_inclusion(LEAVES[index], index, size, proof[:-1], top)
        assert not verify_inclusion(LEAVES[index], (index + 1) % size, size, proof, top)
        n = data.draw(st.integers(0, len(proof) - 1))
        bit = 1 << data.draw(st.integers(0, 255))
        bent = (int.from_bytes(proof[n]) ^ bit).to_bytes(32)
        assert not verify_inclusion(LEAVES[index], index, size, [*proof[:n], bent, *proof[n + 1 :]], top)
    old = data.draw(st.integers(0, size))
    between = consistency_proof(LEAVES[:size], old)
    assert verify_consistency(old, size, between, root(LEAVES[:old]), top)
    assert not verify_consistency(old, size, [*between, top], root(LEAVES[:old]), top)
    assert not verify_consistency(old, size, between, leaf_hash(b"other"), top)
    assert not verify_consistency(size + 1, size, between, root(LEAVES[:old]), top)


def _path(proof):
    """pymerkle's proof as bytes, the leaf at its head."""
    return [bytes.fromhex(node) for node in proof.serialize()["path"]]
