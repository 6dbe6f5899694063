"""Verifying on a schedule."""

import pytest

from audit import checkpoints, keys, watch
from audit.entries import Line, append
from audit.seal import load_frontier, seal_batch


def write_and_seal(conn, log, n=100):
    append(conn, [Line("play.changed", f"play:{i}", "cli") for i in range(n)])
    checkpoints.write_outside(log, seal_batch(conn, load_frontier(conn), keys.signer(conn))[1])


def spoil(conn, seq):
    conn.execute("set session_replication_role = replica")
    sql = "update audit_entry set verb = 'x' where id = (select entry from audit_leaf where seq = %s)"
    conn.execute(sql, [seq])
    conn.execute("set session_replication_role = origin")


@pytest.fixture
def log(var, monkeypatch):
    monkeypatch.setattr(watch, "STRETCH", 150)
    return var / "checkpoints.log"


def test_what_is_new_is_walked_each_time_and_all_of_it_once_a_round(conn, log):
    assert watch.look(conn).walked == 0
    for _ in range(5):
        write_and_seal(conn, log)
    found = watch.look(conn)
    assert (found.walked, found.found, found.ended_round) == (1000, 0, True)
    state = watch.state(conn.cursor())
    assert (state.size, state.rolling, state.found) == (500, 0, 0)
    assert state.whole_at
    assert watch.look(conn).walked == 0
    write_and_seal(conn, log)
    assert watch.look(conn).walked == 100


def test_it_goes_on_where_its_time_ended(conn, log):
    for _ in range(5):
        write_and_seal(conn, log)
    assert watch.look(conn, seconds=0).walked == 0
    conn.execute("update audit_verified set size = 300, rolling = 100")
    assert watch.look(conn).walked == 200 + 400


def test_a_break_in_the_new_and_one_in_the_old_are_found_and_stay_until_a_round_is_clean(conn, log):
    write_and_seal(conn, log)
    watch.look(conn)
    write_and_seal(conn, log)
    spoil(conn, 150)
    found = watch.look(conn)
    assert (found.walked, found.found) == (100, 1)
    assert "number 150" in found.first
    spoil(conn, 20)
    assert watch.look(conn).found == 0
    conn.execute("update audit_verified set round_began = round_began - interval '2 days'")
    found = watch.look(conn)
    assert (found.found, found.ended_round, "number 20" in found.first) == (2, True, True)
    assert watch.state(conn.cursor()).found == 2
    conn.execute("set session_replication_role = replica")
    conn.execute("update audit_entry set verb = 'play.changed'")
    conn.execute("update audit_verified set round_began = round_began - interval '2 days'")
    watch.look(conn)
    assert watch.state(conn.cursor())[6:8] == (0, "")
