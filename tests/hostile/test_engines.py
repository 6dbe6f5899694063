"""HOSTILE 4, 7 and 13: Redis emptied, restarted and away, PostgreSQL killed (-9) under load."""

import os
import signal
import statistics
import time

import psutil
import pytest
from kombu import Connection
from redis import RedisError

from agents import tasks
from tests.hostile.box import Clients, running
from tests.hostile.receiver import Receiver
from tests.running import until

PATIENCE = 30.0
"""Seconds within which the loop must be going again."""
QUEUES = {"loop": tasks.work, "sweep": tasks.sweep, "paging": tasks.page}
CAME_OF = """
SELECT s.external_id, count(DISTINCT r.id), count(a.id) FROM agents_signal s
LEFT JOIN agents_run r ON r.signal_id = s.id LEFT JOIN agents_action a ON a.run_id = r.id GROUP BY s.id
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory, django_db_blocker):
    with (
        django_db_blocker.unblock(),
        Receiver() as receiver,
        running(tmp_path_factory.mktemp("box") / "var", receiver) as started,
    ):
        yield started


def test_what_was_queued_when_redis_was_emptied_is_started_by_the_sweeper(box, hostile):
    ids = [f"queued-{number}" for number in range(hostile.of(1000))]
    redis = box.workspace.redis()
    box.signal("worker", signal.SIGSTOP)
    for start in range(0, len(ids), 50):
        box.post(*ids[start : start + 50])
        redis.delete(tasks.PENDING)
    queued = redis.llen("loop")
    redis.flushall()
    box.signal("worker", signal.SIGKILL)
    begun = time.monotonic()
    until(lambda: box.received().keys() >= set(ids), seconds=60, what="everything started")
    took = time.monotonic() - begun
    print(f"{len(ids)} signals with {queued} wake-ups queued, Redis emptied: all started within {took:.1f} s")
    assert [id_ for id_, times in box.received().items() if times > 1] == []
    if hostile.full:
        assert took <= PATIENCE


def test_workers_consume_again_after_each_restart_of_redis(box, hostile, rng):
    restarts, took = hostile.of(20), []
    for number in range(restarts):
        before = box.pid("valkey")
        if rng.random() < 0.3:
            box.signal("valkey", signal.SIGSTOP)
            time.sleep(rng.uniform(0, 3))
        box.signal("valkey", rng.choice((signal.SIGKILL, signal.SIGTERM)))
        box.signal("valkey", signal.SIGCONT)
        meanwhile, after = f"meanwhile-{number}", f"after-{number}"
        box.post(meanwhile)
        until(lambda before=before: box.pid("valkey") != before and answers(box), seconds=30, what="Redis again")
        begun = time.monotonic()
        with Connection(box.workspace.redis_url) as broker:
            for task in QUEUES.values():
                task.apply_async(connection=broker)
        box.post(after)
        until(lambda: not any(map(box.workspace.redis().llen, QUEUES)), seconds=60, what="every queue consumed")
        took.append(time.monotonic() - begun)
        wanted = {meanwhile, after}
        until(lambda wanted=wanted: box.received().keys() >= wanted, seconds=60, what="signals acted on")
    print(f"{restarts} restarts of Redis: consuming after {statistics.median(took):.1f} s, {max(took):.1f} s at most")
    assert [id_ for id_, times in box.received().items() if times > 1] == []
    if hostile.full:
        assert len([each for each in took if each <= PATIENCE]) == restarts


def test_a_pause_commits_while_redis_is_away(box, hostile):
    rounds, took, late = hostile.of(20), [], 0
    send = box.signed_in()
    with Clients(box.url, 4), box.yard() as yard:
        for _ in range(rounds):
            had = sum(box.received().values())
            until(lambda had=had: sum(box.received().values()) > had + 10, seconds=60, what="the loop at work")
            box.signal("valkey", signal.SIGSTOP)
            begun = time.monotonic()
            send("/pauses/new", reason="Freeze")
            ((closed,),) = yard.rows("SELECT clock_timestamp()")
            took.append(time.monotonic() - begun)
            time.sleep(1)
            late += yard.rows("SELECT count(*) FROM agents_attempt WHERE at > %s", closed)[0][0]
            ((pause,),) = yard.rows("SELECT id FROM agents_pause WHERE lifted_at IS NULL")
            send(f"/pauses/{pause}/resume")
            box.signal("valkey", signal.SIGCONT)
        until(lambda: not yard.waiting(), seconds=60, what="all that was held sent")
    print(f"{rounds} pauses with Redis away: {late} gates after, committed within {max(took):.2f} s")
    assert late == 0
    if hostile.full:
        assert max(took) <= 1


def answers(box) -> bool:
    try:
        return bool(box.workspace.redis().ping())
    except RedisError:
        return False


def test_postgres_killed_under_load_loses_nothing_and_breaks_no_seal(box, hostile, rng):
    kills, away = hostile.of(20), []
    with Clients(box.url, 6) as clients:
        for _ in range(kills):
            more = len(clients.accepted) + rng.randrange(20, 200)
            until(lambda more=more: len(clients.accepted) > more, seconds=60, what="signals taken in")
            strike(box.pid("postgres"), rng.choice(("postmaster", "backend", "all at once")), rng)
            begun, had = time.monotonic(), len(clients.accepted)
            until(
                lambda had=had: len(clients.accepted) > had + clients.count, seconds=60, what="signals taken in again"
            )
            away.append(time.monotonic() - begun)
    with box.yard() as yard:
        yard.settles(seconds=90)
        until(lambda: yard.rows("SELECT count(*) FROM audit_pending") == [(0,)], seconds=60, what="all sealed")
        stored = {row[0]: row[1:] for row in yard.rows(CAME_OF)}
        states = yard.states()
    received = box.received()
    print(
        f"{kills} kills of PostgreSQL, away for {max(away):.1f} s at most; {len(clients.accepted)} signals accepted, "
        f"{dict(clients.refused)} answers besides; {dict(states)}; {box.verify()}"
    )
    assert clients.accepted - stored.keys() == set()
    assert [id_ for id_, came in stored.items() if came != (1, 1)] == []
    assert [id_ for id_, times in received.items() if times > 1] == []
    assert len(received) >= states["delivered"]
    assert set(states) <= {"delivered", "unknown"}


def strike(postmaster: int, what: str, rng) -> None:
    """Kill -9 the postmaster, one of its processes or all of them."""
    if what == "all at once":
        os.killpg(postmaster, signal.SIGKILL)
    elif what == "postmaster":
        os.kill(postmaster, signal.SIGKILL)
    else:
        rng.choice(psutil.Process(postmaster).children()).kill()
