"""Proofs read from tiles, against pymerkle. The sealed record's leaves are the oracle's entries."""

import pytest
from pymerkle import InmemoryTree

from audit import keys, tiles
from audit.entries import Line, append
from audit.merkle import Frontier, leaf_hash, root, verify_consistency, verify_inclusion
from audit.seal import load_frontier, seal_batch
from audit.tiles import TileError, Tiles

LONG = 256 * 256 + 700


def leaves(conn, n):
    """`n` leaves of our own making, without entries, and what they are."""
    conn.execute(
        "insert into audit_leaf (seq, entry, hash) select s, uuidv7(), sha256('\\x00'::bytea || int8send(s))"
        " from generate_series(0, %s) s",
        [n - 1],
    )
    return [leaf_hash(seq.to_bytes(8)) for seq in range(n)]


def test_the_sealer_writes_each_whole_tile_and_backfill_the_same(conn, var):
    signer, frontier = keys.signer(conn), Frontier()
    for size in (100, 1, 155, 1, 600, 255, 256, 3):
        append(conn, [Line("play.changed", f"play:{n}", "cli") for n in range(size)])
        seal_batch(conn, frontier, signer)
    hashes = [row[0] for row in conn.execute("select hash from audit_leaf order by seq")]
    assert frontier.root() == load_frontier(conn).root() == root(hashes)
    rows = conn.execute("select level, index, hashes, root from audit_tile order by index").fetchall()
    assert [row[:2] for row in rows] == [(0, n) for n in range(5)]
    for _, index, together, top in rows:
        assert tiles.cut(together) == hashes[index * 256 :][:256]
        assert top == root(hashes[index * 256 :][:256])
    conn.execute("set session_replication_role = replica; delete from audit_tile where index > 1")
    assert tiles.backfill(conn, frontier.size) == 3 * 256
    assert tiles.backfill(conn, frontier.size) == 0
    assert conn.execute("select level, index, hashes, root from audit_tile order by index").fetchall() == rows


def test_tiles_of_tiles_are_written_and_used(conn):
    hashes = leaves(conn, LONG)
    frontier = Frontier()
    tiles.grow(conn, frontier, hashes[: 256 * 255 + 7])
    tiles.grow(conn, frontier, hashes[256 * 255 + 7 :])
    assert frontier.root() == root(hashes)
    assert conn.execute("select index, root from audit_tile where level = 8").fetchall() == [(0, root(hashes[:65536]))]
    oracle = InmemoryTree(algorithm="sha256")
    for seq in range(LONG):
        oracle.append_entry(seq.to_bytes(8))
    reader, top = Tiles(conn), root(hashes)
    for seq in (0, 1, 255, 256, 40_000, 65_535, 65_536, 66_047, 66_048, LONG - 1):
        proof = reader.inclusion(seq, LONG)
        assert proof == tiles.inclusion(conn, seq, LONG) == path(oracle.prove_inclusion(seq + 1, LONG))
        assert verify_inclusion(hashes[seq], seq, LONG, proof, top)
    for old in (1, 255, 256, 257, 32_768, 65_535, 65_536, 65_537, LONG - 1):
        assert verify_consistency(old, LONG, tiles.consistency(conn, old, LONG), root(hashes[:old]), top)
        assert reader.frontier(old).root() == root(hashes[:old])


@pytest.mark.parametrize(("start", "size"), [(0, 3), (1, 2), (0, 0), (-4, 4), (512, 1024)])
def test_what_is_no_subtree_is_refused(conn, start, size):
    with pytest.raises(ValueError, match="no subtree"):
        tiles.subtree(conn, start, size)


def test_what_is_not_sealed_has_no_node(conn):
    leaves(conn, 300)
    assert tiles.subtree(conn, 296, 4)
    for start, size in ((300, 1), (298, 2), (256, 64), (0, 512), (1 << 20, 1 << 20)):
        if size == 2:
            assert tiles.subtree(conn, start, size)
        else:
            with pytest.raises(TileError):
                tiles.subtree(conn, start, size)
    with pytest.raises(IndexError):
        tiles.inclusion(conn, 300, 300)
    with pytest.raises(IndexError):
        tiles.consistency(conn, 301, 300)


def path(proof):
    """pymerkle's proof as bytes, without the leaf at its head."""
    return [bytes.fromhex(node) for node in proof.serialize()["path"]][1:]
