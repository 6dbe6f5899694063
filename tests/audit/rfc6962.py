"""Proofs of consistency as RFC 6962 defines them, over attestroot's roots."""

from attestroot.merkle import root_from_leaf_hashes


def consistency(leaves, old):
    """Section 2.1.2, its SUBPROOF word for word: that the tree of these leaf hashes begins with that of `old`."""

    def subproof(m, leaves, whole):
        if m == len(leaves):
            return [] if whole else [root_from_leaf_hashes(leaves)]
        k = 1 << (len(leaves) - 1).bit_length() - 1
        if m <= k:
            return [*subproof(m, leaves[:k], whole), root_from_leaf_hashes(leaves[k:])]
        return [*subproof(m - k, leaves[k:], False), root_from_leaf_hashes(leaves[:k])]

    return subproof(old, leaves, True) if 0 < old < len(leaves) else []
