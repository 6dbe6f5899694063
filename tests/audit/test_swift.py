"""The quick way says of a chunk that it is intact only where each column is exactly as its bytes say."""

import json
from uuid import UUID

import pytest

from audit import keys
from audit.entries import Line, append, iso
from audit.ids import id_time, new_id
from audit.merkle import Frontier
from audit.seal import load_frontier, seal_batch
from audit.swift import intact
from audit.verify import verify
from tests.audit.test_verify import as_superuser, entry_at

SIZE = 40
ODD = 'a "quoted" \\ and\ttabbed Straße ☃ 😀'


@pytest.fixture
def record(conn, var, monkeypatch):
    """Sealed entries with optional columns here and there, in pieces of seven; number 20 holds odd text throughout."""
    monkeypatch.setattr("audit.swift.PIECE", 7)
    given = ("agent-1", "emea", "mid", "account", "request")
    lines = []
    for n in range(SIZE):
        agent, *texts = (one if n >> place & 1 else "" for place, one in enumerate(given))
        lines.append(Line("play.changed", f"play:{n}", "cli", agent, new_id() if n & 2 else None, *texts, {"n": ODD}))
    lines[20] = Line("play.changed", ODD, ODD, ODD, new_id(), ODD, ODD, ODD, ODD)
    lines[21] = Line("play.changed", 'x","v', "cli", "", None, "R", "", "", "Q")
    append(conn, lines)
    seal_batch(conn, Frontier(), keys.signer(conn))
    return conn


def quick(conn, start=0, stop=SIZE):
    return intact(conn.cursor(binary=True), start, stop)


def test_entries_of_every_make_go_the_quick_way(record):
    chunk = quick(record)
    assert chunk.leaves == [row[0] for row in record.execute("select hash from audit_leaf order by seq")]
    assert chunk.ids == [row[0].bytes for row in record.execute("select entry from audit_leaf order by seq")]
    assert chunk.ascending


@pytest.mark.parametrize(
    "change",
    [
        {"region": 'R","request":"Q', "request": ""},
        {"subject": r"x\",\"v"},
        {"request": "Q\x1f"},
        {"segment": "\x1e"},
        {"account": "\x01"},
    ],
)
def test_text_that_would_pass_for_another_columns_does_not(record, change):
    assert quick(record, 15, 30)
    entry = entry_at(record, 21)
    for column, text in change.items():
        as_superuser(record, f"update audit_entry set {column} = %s where id = %s", [text, entry])
    assert quick(record, 15, 30) is None
    [problem] = verify(record).problems
    assert (problem.seq, problem.entry) == (21, entry)


def test_a_separator_moved_from_one_entry_to_the_next_does_not_pass(record):
    as_superuser(record, "update audit_entry set verb = chr(31) || verb where id = %s", [entry_at(record, 23)])
    as_superuser(record, "update audit_entry set account = chr(31), request = '' where id = %s", [entry_at(record, 25)])
    assert quick(record) is None
    assert [problem.seq for problem in verify(record).problems] == [23, 25]


@pytest.mark.parametrize("column", ["at", "body", "account", "agent", "region", "segment", "request"])
def test_a_null_does_not_pass_for_nothing(record, column):
    as_superuser(record, f"alter table audit_entry alter {column} drop not null")
    as_superuser(record, f"update audit_entry set {column} = null where id = %s", [entry_at(record, 16)])
    assert quick(record) is None


def test_a_null_between_columns_that_make_up_for_it_does_not_pass(record):
    as_superuser(record, "alter table audit_entry alter actor drop not null")
    as_superuser(
        record,
        "update audit_entry set subject = subject || chr(31) || actor, actor = null where id = %s",
        [entry_at(record, 16)],
    )
    assert quick(record) is None


@pytest.mark.parametrize("run", ["null", "'00000000-0000-0000-0000-000000000000'", "gen_random_uuid()"])
@pytest.mark.parametrize("number", [16, 18])
def test_another_run_does_not_pass(record, number, run):
    as_superuser(record, f"update audit_entry set run = {run} where id = %s", [entry_at(record, number)])
    assert (quick(record) is None) == (run != "null" or number == 18), "16 has no run, 18 has one"
    assert len(verify(record).problems) == (run != "null" or number == 18)


@pytest.mark.parametrize("at", ["infinity", "-infinity", "2026-01-01", "15000-01-01"])
def test_another_moment_is_named(record, at):
    as_superuser(record, "update audit_entry set at = %s::text::timestamptz where id = %s", [at, entry_at(record, 16)])
    assert quick(record) is None
    assert [(problem.seq, problem.what) for problem in verify(record).problems] == [(16, "at differs from its bytes")]


def test_a_line_that_ends_within_an_entry_is_named_beside_a_stranger(record):
    id = entry_at(record, 17)
    stranger = UUID(int=id.int + 1)
    as_superuser(record, "update audit_entry set body = body || '\\x0a' where id = %s", [entry_at(record, 16)])
    as_superuser(
        record,
        "insert into audit_entry (id, at, verb, actor, subject, body)"
        " select %s, at, verb, actor, subject, %s from audit_entry where id = %s",
        [stranger, forged(stranger, 17, verb="play.changed"), id],
    )
    assert quick(record) is None
    assert [problem.seq for problem in verify(record).problems] == [16, None]


def test_hashes_that_slid_from_leaf_to_leaf_do_not_pass(record):
    as_superuser(record, "alter table audit_leaf drop constraint audit_leaf_hash_check")
    as_superuser(
        record,
        "with slid as (select substr(hash, 1, 5) as part from audit_leaf where seq = 17)"
        " update audit_leaf set hash = case seq when 16 then hash || part else substr(hash, 6) end"
        " from slid where seq in (16, 17)",
    )
    assert quick(record) is None
    assert {problem.seq for problem in verify(record).problems} >= {16, 17}


def forged(own, n, **said):
    """The bytes of an entry, but for what is said."""
    fields = {"actor": "cli", "at": iso(own.int >> 80), "id": str(own), "subject": f"play:{n}", "v": 1, "verb": "x"}
    return json.dumps({**fields, **said}, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "said",
    [
        {"at": "2026-01-01T00:00:00.000Z"},
        {"id": str(UUID(int=7))},
        {"run": "00000000-0000-0000-0000-000000000000"},
        {"subject": "play:another"},
        {"actor": 7},
    ],
)
def test_bytes_sealed_as_they_were_slipped_in_do_not_pass(record, said):
    seal(record, lambda id: forged(id, 0))
    assert quick(record, SIZE, SIZE + 1)
    seal(record, lambda id: forged(id, 0, **said))
    assert quick(record, SIZE + 1, SIZE + 2) is None
    assert [problem.seq for problem in verify(record).problems] == [SIZE + 1]


@pytest.mark.parametrize("body", [b'{"detail":"\xff"}', b"", b"null", b"{}\n{}"])
def test_bytes_that_are_no_entry_do_not_pass(record, body):
    seal(record, lambda id: body if b"\xff" not in body else forged(id, 0, z="-").replace(b'"-"', b'"\xff"'))
    assert quick(record, SIZE, SIZE + 1) is None
    assert [problem.seq for problem in verify(record).problems] == [SIZE]


def test_ids_that_slid_from_entry_to_entry_do_not_pass(record):
    first, second = new_id(), new_id()
    texts = str(first) + str(second)[:2], str(second)[2:]
    seal(record, lambda id: forged(id, 0, id=texts[0]), first)
    seal(record, lambda id: forged(id, 0, id=texts[1]), second)
    assert quick(record, SIZE, SIZE + 2) is None
    assert [problem.seq for problem in verify(record).problems] == [SIZE, SIZE + 1]


def seal(conn, body, id=None):
    """Slip in and seal an entry with the bytes that `body` gives for its id."""
    id = id or new_id()
    with conn.transaction():
        as_superuser(
            conn,
            "insert into audit_entry (id, at, verb, actor, subject, body) values (%s, %s, 'x', 'cli', 'play:0', %s)",
            [id, id_time(id), body(id)],
        )
        as_superuser(conn, "insert into audit_pending (entry) values (%s)", [id])
    seal_batch(conn, load_frontier(conn), keys.signer(conn))
