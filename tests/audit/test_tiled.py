"""What verify says of tiles that are not those of the record."""

import random

import pytest

from audit import keys, tiles
from audit.entries import Line, append
from audit.merkle import Frontier, leaf_hash
from audit.seal import seal_batch
from audit.tiled import Tiled
from audit.verify import verify
from tests.audit.test_verify import as_superuser

SIZE = 1_100
LONG = 256 * 256 + 300


@pytest.fixture
def record(conn, var):
    """A sealed record of SIZE entries with four whole tiles, under checkpoints of all sizes."""
    signer, frontier = keys.signer(conn), Frontier()
    rng = random.Random(7)
    while frontier.size < SIZE:
        append(
            conn,
            [Line("play.changed", f"play:{n}", "cli") for n in range(min(rng.randrange(1, 300), SIZE - frontier.size))],
        )
        seal_batch(conn, frontier, signer)
    return conn


@pytest.fixture(params=[7, 256, 300, 5_120])
def chunk(request, monkeypatch):
    """Chunks of several sizes, none of which may matter."""
    monkeypatch.setattr("audit.verify.CHUNK", request.param)


def found(conn, **part):
    return [(problem.seq, problem.what) for problem in verify(conn, **part).problems]


@pytest.mark.hostile
def test_one_bit_flipped_in_a_tile_is_found_and_named(record, chunk, rng):
    assert found(record) == []
    for index in range(SIZE // 256):
        bit = rng.randrange(8 * 8_192)
        with record.transaction(force_rollback=True):
            flip(record, "hashes", 0, index, bit)
            first, last = index * 256, index * 256 + 255
            named = f"tile {index} of level 0, over {first:,} to {last:,}, holds another hash for this number"
            assert found(record) == [(index * 256 + bit // 256, f"{named} than the record")]
        with record.transaction(force_rollback=True):
            flip(record, "root", 0, index, rng.randrange(256))
            [(seq, what)] = found(record)
            assert seq == index * 256
            assert what.startswith(f"tile {index} of level 0")
            assert what.endswith("is stored with a root that is not its own")


def test_a_tile_is_looked_at_by_the_part_in_which_it_ends(record):
    sizes = [row[0] for row in record.execute("select size from audit_checkpoint order by size")]
    flip(record, "hashes", 0, 2, 100)
    for start, stop in zip([0, *sizes], sizes, strict=False):
        assert bool(found(record, start=start, stop=stop, whole=False)) == (start < 768 <= stop), (start, stop)


def test_a_tile_that_is_gone_is_named_where_a_later_one_stands(record, chunk):
    as_superuser(record, "delete from audit_tile where index = 1")
    assert found(record) == [(256, "tile 1 of level 0, over 256 to 511, is gone")]
    as_superuser(record, "delete from audit_tile where index > 1")
    assert found(record) == []


def test_a_broken_tile_hides_behind_no_broken_entry(record, chunk):
    flip(record, "hashes", 0, 1, 8)
    flip(record, "hashes", 0, 3, 8)
    as_superuser(record, "update audit_entry set actor = 'x' from audit_leaf where entry = id and seq = 300")
    as_superuser(record, "delete from audit_leaf where seq = 1000")
    seqs = [seq for seq, _ in found(record)]
    assert seqs[0] == 300
    assert 1000 in seqs
    assert seqs[-1] == 256


def test_tiles_of_tiles_are_held_against_those_below(conn):
    conn.execute(
        "insert into audit_leaf (seq, entry, hash) select s, uuidv7(), sha256('\\x00'::bytea || int8send(s))"
        " from generate_series(0, %s) s",
        [LONG - 1],
    )
    hashes = [leaf_hash(seq.to_bytes(8)) for seq in range(LONG)]
    tiles.backfill(conn, LONG)
    assert faults(conn, hashes) == []
    with conn.transaction(force_rollback=True):
        flip(conn, "hashes", 8, 0, 3 * 256 + 1)
        [(seq, what)] = faults(conn, hashes)
        assert (seq, what[:17]) == (3 * 256, "tile 0 of level 8")
    with conn.transaction(force_rollback=True):
        flip(conn, "root", 8, 0, 1)
        [(seq, what)] = faults(conn, hashes)
        assert (seq, "root" in what) == (0, True)
    with conn.transaction(force_rollback=True):
        as_superuser(conn, "delete from audit_tile where level = 8")
        assert faults(conn, hashes) == [(0, "tile 0 of level 8, over 0 to 65,535, is gone")]
    with conn.transaction(force_rollback=True):
        flip(conn, "root", 0, 77, 1)
        [(seq, what)] = faults(conn, hashes)
        assert (seq, what[:18]) == (77 * 256, "tile 77 of level 0")


def faults(conn, hashes):
    """What a walk finds that also grows the tree, which must come out right."""
    tiled = Tiled(lambda sql, params: conn.execute(sql, params, binary=True).fetchall())
    grown, plain = Frontier(), Frontier()
    for at in range(0, len(hashes), 1_000):
        tiled.extend(grown, at, hashes[at : at + 1_000])
        tiled.compare()
    plain.extend(hashes)
    assert grown.to_bytes() == plain.to_bytes()
    return [tuple(fault) for fault in tiled.faults]


def flip(conn, column, level, index, bit):
    value = f"set_bit({column}, {bit}, 1 - get_bit({column}, {bit}))"
    sql = f"update audit_tile set {column} = {value} where level = %s and index = %s"
    assert as_superuser(conn, sql, [level, index]).rowcount == 1
