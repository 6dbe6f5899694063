import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import (
    Frontier,
    leaf_hash,
    node_hash,
    root,
    split,
    verify_consistency,
    verify_inclusion,
)

DATA = [b"entry %d" % n for n in range(200)]
LEAVES = [leaf_hash(data) for data in DATA]


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


def test_consistency_proofs_verify_from_every_size_to_every_size_and_no_other():
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
    roots = [root(LEAVES[:size]) for size in range(8)]
    assert roots[7] == node_hash(k, l)
    assert verify_consistency(3, 7, [c, d, g, l], roots[3], roots[7])
    assert verify_consistency(4, 7, [l], roots[4], roots[7])
    assert verify_consistency(6, 7, [i, j, k], roots[6], roots[7])
    assert consistency_proof(LEAVES[:7], 3) == [c, d, g, l]


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


def inclusion_proof(leaves, index):
    """Section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*inclusion_proof(leaves[:k], index), root(leaves[k:])]
    return [*inclusion_proof(leaves[k:], index - k), root(leaves[:k])]


def consistency_proof(leaves, old):
    """Section 2.1.2, word for word."""

    def sub(m, some, whole):
        if m == len(some):
            return [] if whole else [root(some)]
        k = split(len(some))
        if m <= k:
            return [*sub(m, some[:k], whole), root(some[k:])]
        return [*sub(m - k, some[k:], False), root(some[:k])]

    return sub(old, leaves, True) if 0 < old < len(leaves) else []
