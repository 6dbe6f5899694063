import signal
import subprocess
import sys
import threading
import time
from threading import Event
from types import SimpleNamespace

import psycopg
import pytest
from django.conf import settings

from audit import checkpoints, keys
from audit.entries import Line, append
from audit.merkle import Frontier, leaf_hash, root
from audit.seal import _TAKE, SealError, health, load_frontier, run, seal_batch, step_by_step
from audit.verify import verify


def write(conn, n, verb="action.delivered"):
    """`n` entries, each in a transaction of its own."""
    return [append(conn, [Line(verb, f"action:{i}", "worker:loop", "one", detail={"n": i})])[0] for i in range(n)]


def wait_for(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def sealed(conn):
    return conn.execute("select count(*) from audit_leaf").fetchone()[0]


def pending(conn):
    return conn.execute("select count(*) from audit_pending").fetchone()[0]


@pytest.fixture
def sealers(connect, var):
    """Starts sealers in threads; each is (stop, thread, pid of its connection when it has one)."""
    started = []

    def start():
        one = SimpleNamespace(stop=Event(), pids=[], sealed=None, error=None)

        def connected():
            conn = connect()
            one.pids.append(conn.info.backend_pid)
            return conn

        def work():
            try:
                one.sealed = run(one.stop, connect=connected, outside=var / "checkpoints.log")
            except Exception as error:
                one.error = error

        one.thread = threading.Thread(target=work)
        one.thread.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop.set()
        one.thread.join(10)
        assert not one.thread.is_alive()


def test_a_batch_is_numbered_densely_hashed_and_signed(conn, var):
    ids = write(conn, 7)
    signer, frontier = keys.signer(conn), Frontier()
    assert seal_batch(conn, frontier, signer, limit=5)[0] == 5
    count, note = seal_batch(conn, frontier, signer, limit=5)
    assert count == 2
    assert seal_batch(conn, frontier, signer) == (0, "")
    leaves = conn.execute("select seq, entry, hash from audit_leaf order by seq").fetchall()
    assert [(seq, entry) for seq, entry, _ in leaves] == list(enumerate(sorted(ids)))
    bodies = conn.execute("select body from audit_entry order by id").fetchall()
    assert [leaf for _, _, leaf in leaves] == [leaf_hash(body) for (body,) in bodies]
    stated = checkpoints.verify(note, [signer.verifier])
    assert (stated.size, stated.root) == (7, root([leaf for _, _, leaf in leaves]))
    assert conn.execute("select size, root from audit_checkpoint order by size").fetchall()[1] == (7, stated.root)
    assert load_frontier(conn).root() == stated.root
    assert pending(conn) == 0


def test_a_sealer_with_a_stale_edge_changes_nothing(conn, var):
    write(conn, 4)
    signer, first, stale = keys.signer(conn), Frontier(), Frontier()
    seal_batch(conn, first, signer)
    write(conn, 3)
    with pytest.raises(psycopg.IntegrityError):
        seal_batch(conn, stale, signer)
    assert (stale.size, stale.edge) == (0, [])
    assert (sealed(conn), pending(conn)) == (4, 3)
    assert seal_batch(conn, load_frontier(conn), signer)[0] == 3


def test_a_pending_row_without_its_entry_does_not_hold_up_the_others(conn, var):
    conn.execute("insert into audit_pending values ('00000000-0000-7000-8000-000000000000')")
    write(conn, 3)
    assert seal_batch(conn, Frontier(), keys.signer(conn))[0] == 3
    assert pending(conn) == 1


def test_leaves_that_no_checkpoint_signs_stop_the_sealer(fresh, sealers):
    write(fresh, 2)
    fresh.execute("insert into audit_leaf select 0, id, sha256(body) from audit_entry limit 1")
    one = sealers()
    one.thread.join(5)
    assert isinstance(one.error, SealError)


def test_it_seals_what_comes_and_writes_nothing_while_nothing_does(fresh, sealers, var):
    one = sealers()
    write(fresh, 50)
    wait_for(lambda: sealed(fresh) == 50)
    wait_for(lambda: checkpoints.last_outside(var / "checkpoints.log").size == 50)
    stats = "select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables"
    for _ in range(2):  # each session tells its counts a second late
        time.sleep(1.2)
        before = fresh.execute(stats).fetchone()
    time.sleep(1.2)
    assert fresh.execute(stats).fetchone() == before
    one.stop.set()
    one.thread.join(5)
    assert one.sealed == 50


def test_stopping_seals_what_had_come(fresh, sealers):
    one = sealers()
    wait_for(lambda: one.pids)
    write(fresh, 20)
    one.stop.set()
    one.thread.join(5)
    assert pending(fresh) == 0


def test_health_knows_a_living_sealer_and_how_far_behind_it_is(fresh, sealers):
    assert health(fresh.cursor()) == (False, 0.0)
    write(fresh, 1)
    time.sleep(0.1)
    state = health(fresh.cursor())
    assert not state.alive
    assert 0.1 <= state.behind < 5
    sealers()
    wait_for(lambda: health(fresh.cursor()) == (True, 0.0))


def test_a_second_sealer_waits_for_the_first_and_then_takes_over(fresh, sealers):
    first = sealers()
    wait_for(lambda: health(fresh.cursor()).alive)
    second = sealers()
    write(fresh, 30)
    wait_for(lambda: sealed(fresh) == 30)
    first.stop.set()
    first.thread.join(5)
    write(fresh, 12)
    wait_for(lambda: sealed(fresh) == 42)
    second.stop.set()
    second.thread.join(5)
    assert (first.sealed, second.sealed) == (30, 12)
    assert verify(fresh).ok


def test_it_survives_the_loss_of_its_connection(fresh, sealers, var):
    one = sealers()
    for round_ in range(1, 6):
        write(fresh, 20)
        wait_for(lambda n=round_: len(one.pids) >= n)
        fresh.execute("select pg_terminate_backend(%s)", [one.pids[-1]])
        write(fresh, 20)
        wait_for(lambda n=round_: sealed(fresh) == n * 40)
    report = verify(fresh, outside=var / "checkpoints.log")
    assert (report.ok, report.sealed, report.unsealed) == (True, 200, 0)


def test_sealers_without_the_lock_between_them_neither_fork_nor_leave_gaps(connect, fresh, var):
    """The lock is a courtesy: the keys are the fence."""
    signer, stop, conflicts = keys.signer(fresh), Event(), []

    def seal_on():
        conn = connect()
        frontier = load_frontier(conn)
        while not stop.is_set():
            try:
                seal_batch(conn, frontier, signer, limit=7)
            except psycopg.IntegrityError:
                conflicts.append(1)
                frontier = load_frontier(conn)

    threads = [threading.Thread(target=seal_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    write(fresh, 400)
    wait_for(lambda: sealed(fresh) == 400, 20)
    stop.set()
    for thread in threads:
        thread.join(5)
    assert conflicts
    report = verify(fresh)
    assert (report.ok, report.sealed, report.unsealed) == (True, 400, 0)


def test_the_command_seals_until_sigterm(fresh, workspace, var):
    command = subprocess.Popen(
        [sys.executable, "manage.py", "seal"],
        cwd=settings.BASE_DIR,
        env=workspace.env | {"SIGNALBOX_VAR": str(var), "SIGNALBOX_CHECKPOINTS": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        write(fresh, 25)
        wait_for(lambda: sealed(fresh) == 25, 30)
        command.send_signal(signal.SIGTERM)
        out, _ = command.communicate(timeout=10)
    finally:
        command.kill()
    assert command.returncode == 0
    assert "sealed 25 entries" in out
    assert verify(fresh, outside=var / "checkpoints.log").outside >= 1


def test_a_batch_costs_no_more_the_longer_the_record(fresh, var):
    signer, frontier = keys.signer(fresh), load_frontier(fresh)
    step_by_step(fresh)

    def entries(count):
        append(fresh, [Line("action.delivered", f"action:{n}", "worker:loop") for n in range(count)])

    def entries_read(node):
        own = (
            node["Actual Rows"] * node["Actual Loops"] if node.get("Relation Name", "").startswith("audit_entry") else 0
        )
        return own + sum(map(entries_read, node.get("Plans", [])))

    for _ in range(4):  # nothing gathers statistics meanwhile, and nothing clears away what was taken
        entries(5_000)
        seal_batch(fresh, frontier, signer)
    entries(50)
    [told] = fresh.execute("explain (analyze, format json)" + _TAKE, [5_000, frontier.size]).fetchone()
    assert entries_read(told[0]["Plan"]) == 50
