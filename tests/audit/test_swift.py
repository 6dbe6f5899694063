"""The quick way says of a chunk that it is intact only where each column is exactly as its bytes say."""

import pytest

from audit import keys
from audit.entries import Line, append
from audit.ids import new_id
from audit.merkle import Frontier
from audit.seal import seal_batch
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
def test_another_run_does_not_pass(record, run):
    for number in (16, 18):
        as_superuser(record, f"update audit_entry set run = {run} where id = %s", [entry_at(record, number)])
    assert quick(record) is None
    assert {problem.seq for problem in verify(record).problems} == ({18} if run == "null" else {16, 18})
