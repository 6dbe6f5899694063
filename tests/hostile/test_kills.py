"""HOSTILE 1: workers killed (-9) from outside at any point send nothing twice and lose nothing."""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from queue import Empty, SimpleQueue

from agents.loop.act import GATHER_SECONDS
from tests.hostile.conftest import Yard, lines, sweeping, trickling
from tests.hostile.receiver import Receipt, Receiver, slowly
from tests.running import Process

CHILDREN = 6
CONNECTIONS = 24
WINDOWS = ("before send", "during", "before settle")
HELD = GATHER_SECONDS
"""How long the receiver holds an answer."""
GATED = """
ALTER TABLE agents_attempt ADD COLUMN who text DEFAULT current_setting('application_name');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('gated', current_setting('application_name')); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON agents_attempt FOR EACH STATEMENT EXECUTE FUNCTION tell();
"""
"""Each attempt says which process has it, and the test hears of a gate as soon as it has committed."""
LOST = """
SELECT who, action_id::text FROM agents_attempt
WHERE verdict = 'unknown' AND detail = 'The worker was gone before the answer was.'
"""


class Marksman:
    """Picks the child to kill so that a window is likely hit; what was really hit is read off afterwards."""

    def __init__(self, yard: Yard, worker: Process, receiver: Receiver, rng: random.Random) -> None:
        self.yard, self.worker, self.receiver, self.rng = yard, worker, receiver, rng
        self.killed: dict[int, float] = {}
        self.gates = yard.workspace.connect()
        self.gates.execute("LISTEN gated")

    def shoot(self) -> bool:
        """Kill one child; False if there was none to be found."""
        aims = {
            self._at_a_gate: 5,
            lambda: self._at(self.receiver.arrivals): 2,
            lambda: self._at(self.receiver.answers): 3,
            self._anywhere: 1,
        }
        (aim,) = self.rng.choices(list(aims), weights=list(aims.values()))
        pid = aim()
        if pid is None or pid in self.killed:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed[pid] = time.monotonic()
            return True
        return False

    def _at_a_gate(self) -> int | None:
        list(self.gates.notifies(timeout=0))
        for gated in self.gates.notifies(timeout=1, stop_after=1):
            return _pid(gated.payload)
        return None

    def _at(self, moments: SimpleQueue[Receipt]) -> int | None:
        while not moments.empty():
            moments.get()
        with suppress(Empty):
            receipt = moments.get(timeout=1)
            who = self.yard.rows("SELECT who FROM agents_attempt WHERE action_id = %s", receipt.action)
            return _pid(who[0][0])
        return None

    def _anywhere(self) -> int | None:
        time.sleep(self.rng.uniform(0, 0.05))
        with suppress(Exception):
            return self.rng.choice(self.worker.children())
        return None


def _pid(who: str) -> int:
    return int(who.rpartition(" ")[2])


def _windows(yard: Yard, receiver: Receiver, killed: dict[int, float]) -> tuple[Counter[str], list[int]]:
    """How many kills hit each window; and processes that lost an attempt though nobody killed them."""
    receipts = {receipt.action: receipt for receipt in receiver.receipts}
    hit: dict[int, set[str]] = {pid: set() for pid in killed}
    strangers = []
    for who, action in yard.rows(LOST):
        pid = _pid(who)
        receipt = receipts.get(action)
        if pid not in killed:
            strangers.append(pid)
        elif receipt is None:
            hit[pid].add("before send")
        elif receipt.answered is None or receipt.answered > killed[pid]:
            hit[pid].add("during")
        else:
            hit[pid].add("before settle")
    histogram = Counter(window for windows in hit.values() for window in windows)
    histogram["nothing in flight"] = sum(not windows for windows in hit.values())
    return histogram, strangers


def test_killed_workers_send_nothing_twice_and_lose_nothing(yard, worker, receiver, alice, hostile, rng):
    kills, each = hostile.of(500), hostile.of(50)
    far = receiver(slowly(HELD))
    yard.sql.execute(GATED)
    lines([far.url] * CONNECTIONS, alice, timeout=0.6)
    children = worker(queues="loop", concurrency=CHILDREN)
    marksman = Marksman(yard, children, far, rng)
    begun = time.monotonic()
    with sweeping(0.3), trickling(yard, kinds=CONNECTIONS, wakes=CHILDREN):
        while len(marksman.killed) < kills:
            assert time.monotonic() - begun < 60 + kills, "the kills take too long"
            marksman.shoot()
            time.sleep(rng.uniform(0, 0.2))
    took = time.monotonic() - begun
    with sweeping(0.3):
        yard.settles(seconds=60)
    histogram, strangers = _windows(yard, far, marksman.killed)
    states = yard.states()
    print(f"{kills} kills in {took:.0f} s; hit {dict(histogram)}; {dict(states)}; {len(far.receipts)} receipts")
    assert far.twice() == []
    assert set(states) <= {"delivered", "unknown"}
    assert not strangers
    delivered = {row[0] for row in yard.rows("SELECT id::text FROM agents_action WHERE state = 'delivered'")}
    assert delivered <= set(far.counts)
    assert min(histogram[window] for window in WINDOWS) >= each, histogram
