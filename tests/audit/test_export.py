"""Exports that prove themselves, and the verifier that is handed over with them."""

import gzip
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit import export, keys, standalone
from audit.entries import Line, append
from audit.export import ExportError, proved
from audit.keys import Signer
from audit.seal import load_frontier, seal_batch
from audit.standalone import Check, Key

SIZE = 700
HEADER = {"filter": {}, "made": {"at": "2026-11-21T10:00:00.000Z", "by": "person:7"}}
VERIFIER = Path(standalone.__file__)
PYTHON = sys._base_executable
"""The interpreter below the virtual environment, so that nothing is installed in it for us."""

# RFC 8032, section 7.1: secret left out, public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        "655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        "b00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
        "c027beceea1ec40a",
    ),
]


@pytest.fixture
def record(conn, var):
    """A sealed record of SIZE entries of ten agents, and three that wait."""
    signer = keys.signer(conn)
    for start in range(0, SIZE, 90):
        lines = [line(n) for n in range(start, min(start + 90, SIZE))]
        append(conn, lines)
        seal_batch(conn, load_frontier(conn), signer)
    append(conn, [line(0)] * 3)
    return conn


def line(n):
    return Line(
        "action.delivered",
        f"action:{n}",
        "worker:loop",
        f"agent-{n % 10}",
        account=f"Ünïcode \u2028 \x7f {n}",
        detail={"n": n, "text": 'a "quoted" \\ line\nbreak \x01'},
    )


def made(conn, numbers, **header):
    return b"".join(proved(conn, iter(numbers), header=HEADER | header))


def checked(data, pinned=(), witnesses=()):
    one = Check(io.BytesIO(data), [Key(vkey) for vkey in pinned], [Key(vkey) for vkey in witnesses])
    one.run()
    return one


def test_ed25519_is_that_of_rfc_8032_and_of_cryptography(rng):
    for public, message, signature in VECTORS:
        assert standalone.ed25519_holds(*(bytes.fromhex(part) for part in (public, message, signature)))
    for _ in range(20):
        signer, message = Signer.make("x"), rng.randbytes(rng.randrange(100))
        public, signature = signer.verifier.public, signer.sign(message)
        assert standalone.ed25519_holds(public, message, signature)
        for wrong in (public, message + b"x", signature):
            bent = bytearray(wrong)
            bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
            given = [
                bytes(bent) if one is wrong or one + b"x" == wrong else one for one in (public, message, signature)
            ]
            assert not standalone.ed25519_holds(*given)
    s_too_large = (int.from_bytes(signature[32:], "little") + standalone._L).to_bytes(32, "little")
    assert not standalone.ed25519_holds(public, message, signature[:32] + s_too_large)


def test_what_is_not_of_the_kind_it_should_be_is_refused_without_a_traceback(record, rng):
    data = made(record, [0, 5])
    first, *rest = data.splitlines(keepends=True)
    change = {"checkpoint": json.loads(first)["checkpoint"], "seq": "0", "body": "[]", "proof": []}

    def headed(**more):
        return (standalone.written(json.loads(first) | more) + "\n").encode() + b"".join(rest)

    broken = [headed(rotations=[change]), headed(rotations=[change | {"seq": 0}]), headed(rotations=[{}])]
    broken.append(data.replace(b'{"end"', b'{"unsealed":"x"}\n{"end"'))
    for one in broken:
        found = checked(one, [keys.signer(record).verifier.vkey])
        assert "REFUSED" in standalone.report(found)
    packed = gzip.compress(data)
    for _ in range(40):
        bent = bytearray(packed)
        bent[rng.randrange(10, len(bent))] ^= 1 << rng.randrange(8)
        with gzip.open(io.BytesIO(bent)) as file:
            given = Check(file, [], [])
            held = given.run()
        assert ("REFUSED" in standalone.report(given)) is not held


@pytest.mark.parametrize(
    "numbers",
    [range(SIZE), [], [0], [SIZE - 1], [255, 256], [1, 2, 5, 300, 511, 512], range(0, SIZE, 7), range(256, 512)],
    ids=["all", "none", "first", "last", "edge", "some", "every seventh", "a tile"],
)
def test_an_export_of_any_entries_is_verified(record, numbers):
    data = made(record, numbers)
    one = checked(data, [keys.signer(record).verifier.vkey])
    assert (one.problems, one.entries, one.left_out) == ([], len(numbers), SIZE - len(numbers))
    assert [json.loads(raw)["seq"] for raw in data.splitlines() if raw.startswith(b'{"seq"')] == list(numbers)
    assert "VERIFIED" in standalone.report(one)


def test_ids_are_put_in_order_and_what_is_not_sealed_is_counted(record):
    ids = [row[0] for row in record.execute("select id from audit_entry order by id desc")]
    one = checked(made(record, ids))
    assert (one.problems, one.entries, one.unsealed) == ([], SIZE, 3)
    assert "3 that it should hold were not sealed" in standalone.report(one)


def test_sentences_stand_beside_the_entries(record):
    said = b"".join(
        proved(record, iter([3, 4]), header=HEADER, decorate=lambda piece: [f"number {seq}" for seq, _ in piece])
    )
    assert b'"say":"number 4"' in said
    assert checked(said).problems == []
    [problem, whole] = checked(said.replace(b'"say":"number 4"', b'"say":"number 5"')).problems
    assert "number 4" in problem
    assert "checksum" in whole


def test_dropped_bytes_leave_the_proof_whole(record):
    record.execute("set session_replication_role = replica")
    record.execute("delete from audit_entry where id = (select entry from audit_leaf where seq = 5)")
    one = checked(made(record, range(10)))
    assert (one.problems, one.dropped) == ([], 1)


def test_nothing_sealed_and_numbers_that_do_not_ascend_are_refused(conn, record):
    with pytest.raises(ExportError, match="ascend"):
        made(record, [5, 4])
    with pytest.raises(ExportError, match="ascend"):
        made(record, [5, 5])


def test_without_a_checkpoint_there_is_nothing_to_prove(conn, var):
    with pytest.raises(ExportError, match="nothing is sealed"):
        made(conn, [])


def test_one_byte_changed_anywhere_is_refused_and_the_entry_named(record, rng, hostile):
    """Issue 4, line 5. Where the byte lies in an entry, that entry's number is in the first problem."""
    data = made(record, range(0, SIZE, 3), filter={"verb": "action.delivered"})
    lines, starts, number = data.splitlines(keepends=True), [], []
    for raw in lines:
        starts.append(sum(map(len, lines[: len(starts)])))
        doc = json.loads(raw)
        number.append(doc.get("seq"))
    for _ in range(hostile.of(2_000)):
        at = rng.randrange(len(data))
        bent = bytearray(data)
        bent[at] = rng.choice([byte for byte in range(256) if byte != data[at]])
        one = checked(bytes(bent))
        row = max(n for n, start in enumerate(starts) if start <= at)
        assert one.problems, (at, row)
        assert "REFUSED" in standalone.report(one)
        if number[row] is not None:
            assert f"number {number[row]:,}" in one.problems[0], (at, row, one.problems)


@pytest.mark.parametrize("how", ["missing", "twice", "swapped", "cut", "more", "gap changed", "no end"])
def test_lines_missing_twice_or_out_of_order_are_refused(record, how):
    lines = made(record, range(100, 200)).splitlines(keepends=True)
    ten = lines[10]
    if how == "missing":
        del lines[10]
    elif how == "twice":
        lines.insert(10, ten)
    elif how == "swapped":
        lines[10], lines[11] = lines[11], lines[10]
    elif how == "cut":
        lines[-1] = lines[-1][:-1]
    elif how == "more":
        lines.append(ten)
    elif how == "gap changed":
        lines[1] = lines[1].replace(b'"to":100', b'"to":101')
    else:
        del lines[-1]
    assert checked(b"".join(lines)).problems


def test_a_checkpoint_of_another_export_is_refused(record):
    early = made(record, [3])
    append(record, [line(1)])
    signer = keys.signer(record)
    seal_batch(record, load_frontier(record), signer)
    late = made(record, [3])
    mixed = late.splitlines(keepends=True)[:1] + early.splitlines(keepends=True)[1:]
    assert any("another export" in problem for problem in checked(b"".join(mixed)).problems)


def test_forged_and_summed_again_it_still_has_not_the_signed_root(record):
    lines = made(record, range(5)).splitlines(keepends=True)
    doc = json.loads(lines[3])
    doc["body"] = doc["body"].replace('"n":2', '"n":3')
    doc["hash"] = export.sha256(b"\0" + doc["body"].encode()).hexdigest()
    lines[3] = f"{standalone.written(doc)}\n".encode()
    total = export.sha256(b"".join(lines[:-1])).hexdigest()
    end = json.loads(lines[-1]) | {"sha256": total}
    lines[-1] = f"{standalone.written(end)}\n".encode()
    assert checked(b"".join(lines)).problems == ["the tree over these lines does not have the root that was signed"]


def test_another_key_and_a_filter_that_does_not_fit_are_refused(record):
    [problem] = checked(made(record, [1]), [Signer.make(keys.signer(record).name).verifier.vkey]).problems
    assert "none of the keys given" in problem
    one = checked(made(record, [1, 2], filter={"agent": "agent-1", "since": "2020-01-01T00:00:00Z"}))
    [problem] = one.problems
    assert "number 2: is not of agent agent-1" in problem
    assert len(checked(made(record, [1], filter={"until": "2020-01-01T00:00:00Z"})).problems) == 1


def test_it_runs_where_there_is_nothing_but_python(record, tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    shutil.copy(VERIFIER, place / "standalone.py")
    data = made(record, range(0, SIZE, 2), filter={"verb": "action.delivered"})
    (place / "export.ndjson").write_bytes(data)
    (place / "bent.ndjson").write_bytes(data.replace(b"action:310", b"action:311"))

    def run(*args):
        command = [PYTHON, "-I", "-S", "standalone.py", *args]
        done = subprocess.run(command, cwd=place, env={}, capture_output=True, text=True, encoding="utf-8")
        return done.returncode, done.stdout + done.stderr

    status, said = run("export.ndjson", "--key", keys.signer(record).verifier.vkey)
    assert (status, "VERIFIED" in said, "350 here" in said) == (0, True, True), said
    status, said = run("bent.ndjson")
    assert (status, "REFUSED" in said, "number 310: its bytes are not those" in said) == (1, True, True), said
    assert run("nowhere.ndjson")[0] == run("export.ndjson", "--key", "x")[0] == run()[0] == 2
    assert run("standalone.py")[0] == 1
