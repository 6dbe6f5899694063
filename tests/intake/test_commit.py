import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from agents.loop.envelope import Refused
from console.intake.answers import Fault
from console.intake.commit import GROUP, Committer, Nudge

TABLE = "CREATE TABLE kept (n int PRIMARY KEY, word text)"
INSERT = "INSERT INTO kept SELECT * FROM unnest(%s::int[], %s::text[]) ON CONFLICT DO NOTHING RETURNING n"


def write(cur, rows):
    new = {n for (n,) in cur.execute(INSERT, [[n for n, _ in rows], [word for _, word in rows]]).fetchall()}
    return ["new" if n in new else "old" for n, _ in rows]


@pytest.fixture
def kept(workspace):
    with workspace.connect() as connection:
        connection.execute(TABLE)
        yield lambda: connection.execute("SELECT count(*) FROM kept").fetchone()[0]


class Groups:
    """A writer that notes the size of each group it was given, and may be held up."""

    def __init__(self):
        self.sizes = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, cur, rows):
        self.go.wait(10)
        self.sizes.append(len(rows))
        return write(cur, rows)


def test_posts_share_a_commit_and_each_gets_its_own_results(kept):
    groups, woken = Groups(), []
    committer = Committer(groups, after=lambda: woken.append(1))
    with ThreadPoolExecutor(64) as pool:
        futures = [pool.submit(committer.put, [(n, "a"), (-n, "b")]) for n in range(1, 321)]
        results = [future.result() for future in futures]
    assert kept() == 640
    assert results == [["new", "new"]] * 320
    assert max(groups.sizes) > 2
    assert len(woken) == len(groups.sizes)


def test_a_group_is_bounded_and_a_great_post_goes_by_itself(kept):
    groups = Groups()
    committer = Committer(groups, after=lambda: None)
    groups.go.clear()
    with ThreadPoolExecutor(8) as pool:
        pool.submit(committer.put, [(0, "first")])
        time.sleep(0.2)
        for start in range(1000, 7000, 1000):
            pool.submit(committer.put, [(start + n, "x") for n in range(GROUP // 2 + 1)])
        pool.submit(committer.put, [(n, "y") for n in range(10_000, 10_000 + 3 * GROUP)])
        time.sleep(0.2)
        groups.go.set()
    assert sorted(groups.sizes) == [1, *[GROUP // 2 + 1] * 6, 3 * GROUP]


def test_one_bad_row_fails_neither_its_neighbours_nor_its_group(kept):
    groups = Groups()
    committer = Committer(groups, after=lambda: None)
    groups.go.clear()
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(committer.put, [(n, "fine")]) for n in range(10)]
        bad = pool.submit(committer.put, [(20, "fine"), (21, "\x00"), (22, "fine")])
        time.sleep(0.3)
        groups.go.set()
    assert [future.result() for future in futures] == [["new"]] * 10
    first, refused, last = bad.result()
    assert (first, last) == ("new", "new")
    assert isinstance(refused, Refused)
    assert kept() == 12


def test_a_fault_of_ours_is_not_blamed_on_the_sender(kept):
    committer = Committer(lambda cur, rows: 1 / 0, after=lambda: None)
    with pytest.raises(Fault) as told:
        committer.put([(1, "a")])
    assert told.value.status == 503


def test_a_lost_connection_is_replaced_before_anything_is_written(kept, workspace):
    committer = Committer(write, after=lambda: None)
    assert committer.put([(1, "a")]) == ["new"]
    with workspace.connect() as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", [committer._connection.info.backend_pid])
    assert committer.put([(2, "a")]) == ["new"]


def test_a_commit_in_doubt_is_told_as_such(kept, workspace):
    def write_then_die(cur, rows):
        written = write(cur, rows)
        with workspace.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [cur.connection.info.backend_pid])
        time.sleep(0.1)
        return written

    committer = Committer(write_then_die, after=lambda: None)
    with pytest.raises(Fault) as told:
        committer.put([(1, "a")])
    assert told.value.status == 503
    assert ("Retry-After", "1") in told.value.headers
    assert "not known" in str(told.value)
    committer._write = write
    assert committer.put([(1, "a")]) == ["new"]


def test_while_the_database_is_away_nothing_is_promised(kept, workspace, settings):
    committer = Committer(write, after=lambda: None)
    settings.DATABASES["default"]["PORT"], port = "1", settings.DATABASES["default"]["PORT"]
    settings.DATABASES["default"]["HOST"], host = "127.0.0.1", settings.DATABASES["default"]["HOST"]
    try:
        with pytest.raises(Fault) as told:
            committer.put([(1, "a")])
        assert told.value.status == 503
    finally:
        settings.DATABASES["default"].update(PORT=port, HOST=host)
    assert committer.put([(1, "a")]) == ["new"]


def test_a_post_leaves_the_queue_when_its_patience_ends(kept, monkeypatch):
    monkeypatch.setattr("console.intake.commit.PATIENCE_SECONDS", 0.2)
    groups = Groups()
    committer = Committer(groups, after=lambda: None)
    groups.go.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(committer.put, [(1, "a")])
        time.sleep(0.1)
        late = pool.submit(committer.put, [(2, "a")])
        with pytest.raises(Fault):
            late.result()
        groups.go.set()
        assert first.result() == ["new"]
    assert committer.put([(3, "a")]) == ["new"]
    assert kept() == 2


def test_a_nudge_is_given_at_once_and_many_as_few():
    called = []
    nudge = Nudge(lambda: called.append(time.monotonic()), pause=0.05)
    given = time.monotonic()
    for _ in range(100):
        nudge.give()
    time.sleep(0.2)
    assert 1 <= len(called) <= 2
    assert called[0] - given < 0.04


def test_a_nudge_outlives_a_failure():
    called = []

    def fail():
        called.append(1)
        raise RuntimeError

    nudge = Nudge(fail, pause=0.001)
    for _ in range(3):
        nudge.give()
        time.sleep(0.05)
    assert len(called) == 3
