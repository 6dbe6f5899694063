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
    assert chunk.ids == [str(row[0]) for row in record.execute("select entry from audit_leaf order by seq")]
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
