"""HOSTILE 10 and 11: workers frozen (SIGSTOP) inside the gate or behind it, and far sides that take long."""

import os
import random
import signal
import time
from contextlib import suppress

from django.db import OperationalError

from agents import pauses
from agents.loop.act import GATHER_SECONDS
from agents.models import Pause
from agents.pauses import Lock
from tests.hostile.conftest import Yard, feed, lines, sweeping, trickling
from tests.hostile.receiver import Receiver, slowly
from tests.running import Process, until

CHILDREN = 4
CONNECTIONS = 12
PAUSE_SECONDS = 3.0
GATED = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('gated', ''); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON agents_attempt FOR EACH STATEMENT EXECUTE FUNCTION tell();
"""
"""The test hears of a gate as soon as it has committed."""
INSIDE = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND mode = 'ShareLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
PERMITTED = "SELECT action_id::text FROM agents_attempt WHERE settled_at IS NULL"


def freeze(yard: Yard, worker: Process, rng: random.Random) -> None:
    """Stop all of the worker's processes: as soon as a gate is seen to be under way, or has committed."""
    if rng.random() < 0.4:
        until(lambda: yard.rows(INSIDE, Lock.EVERYTHING)[0][0], seconds=30, what="a gate", pause=0)
    else:
        with yard.workspace.connect() as gates:
            gates.execute("LISTEN gated")
            assert list(gates.notifies(timeout=30, stop_after=1)), "no gate within 30 s"
        time.sleep(rng.uniform(0, 0.003))
    os.killpg(worker.pid, signal.SIGSTOP)


def pause(actor: str) -> tuple[Pause, float]:
    """Close everything, again if it had to give up; the seconds it took in all."""
    begun = time.monotonic()
    while True:
        with suppress(OperationalError):
            made = pauses.set_pause(pauses.Section(), reason="drill", actor=actor)
            return made, time.monotonic() - begun


def test_frozen_workers_send_nothing_of_a_section_that_was_paused_meanwhile(
    yard, worker, receiver, alice, hostile, rng
):
    rounds, frozen = hostile.of(20), 10.0 if hostile.full else 3.0
    far = receiver(slowly(GATHER_SECONDS))
    yard.sql.execute(GATED)
    lines([far.url] * CONNECTIONS, alice, timeout=2)
    workers = worker(queues="loop", concurrency=CHILDREN)
    took, inside, behind, sent = [], 0, 0, 0
    with sweeping(), trickling(yard, kinds=CONNECTIONS, wakes=CHILDREN):
        for _ in range(rounds):
            freeze(yard, workers, rng)
            begun = time.monotonic()
            time.sleep(0.1)
            inside += yard.rows(INSIDE, Lock.EVERYTHING)[0][0]
            behind += len({row[0] for row in yard.rows(PERMITTED)} - far.counts.keys())
            made, seconds = pause(alice.actor)
            took.append(seconds)
            time.sleep(max(0.0, begun + frozen - time.monotonic()))
            before = len(far.receipts)
            os.killpg(workers.pid, signal.SIGCONT)
            until(lambda: not yard.rows(PERMITTED), seconds=30, what="every attempt settled")
            sent += len(far.receipts) - before
            pauses.lift(made, actor=alice.actor)
            until(lambda before=before: len(far.receipts) > before, seconds=30, what="sending again")
    with sweeping():
        yard.settles(seconds=60)
    print(
        f"{rounds} freezes of {frozen:g} s, {inside} inside a gate, {behind} actions between gate and permit check: "
        f"{sent} sent on waking, pauses took {max(took):.1f} s at most; {dict(yard.states())}"
    )
    assert sent == 0
    assert far.twice() == []
    if hostile.full:
        assert max(took) <= PAUSE_SECONDS
        assert min(inside, behind) > 0


def test_a_receiver_that_takes_9_s_holds_nobody_else_back(yard, worker, receiver, alice, hostile):
    size = hostile.of(300)
    quick, slow = receiver(), receiver(slowly(9))
    lines([quick.url, slow.url], alice, timeout=12)
    worker(queues="loop", concurrency=2)
    with sweeping():
        alone = p99(quick, size)
        feed(40, kinds=1, type="kind-1")
        until(lambda: len(slow.receipts) >= 8, seconds=20, what="the slow one's slots taken")
        beside = p99(quick, size)
    print(f"p99 alone {alone * 1000:.0f} ms, beside a receiver that takes 9 s {beside * 1000:.0f} ms")
    if hostile.full:
        assert beside <= 2 * alone


def p99(far: Receiver, size: int) -> float:
    """Seconds from a signal's arrival to its receipt, one signal after the other."""
    took = []
    for _ in range(size):
        begun, had = time.monotonic(), len(far.receipts)
        feed(1, type="kind-0")
        until(lambda had=had: len(far.receipts) > had, seconds=20, what="a receipt", pause=0.001)
        took.append(far.receipts[-1].at - begun)
    print([round(each * 1000) for each in sorted(took)][:: max(1, size // 20)])
    return sorted(took)[int(size * 0.99)]
