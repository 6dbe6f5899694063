"""HOSTILE 2: workers asked to stop (SIGTERM, SIGQUIT) in the middle of their commits leave nothing stuck."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from agents.loop.act import GATHER_SECONDS
from tests.hostile.conftest import Yard, lines, sweeping, trickling
from tests.hostile.receiver import slowly
from tests.running import Process, until

CHILDREN = 3
WORKERS = 2
CONNECTIONS = 24
GRACE = 35.0
"""How long a worker may take to stop: what the supervisor gives it."""
STUCK = 60.0
LINGERING = """
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.004); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER linger AFTER INSERT OR UPDATE ON agents_attempt DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION linger();
"""
"""A commit takes a few milliseconds, so that it can be hit."""
COMMITTING = """
SELECT substring(application_name FROM '[0-9]+$')::int, pid, xact_start FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND query = 'COMMIT'
    AND application_name LIKE 'signalbox loop %%'
"""
STILL = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s AND xact_start = %s AND query = 'COMMIT')"
ORPHANS = "SELECT count(*) FROM agents_attempt WHERE detail = 'The worker was gone before the answer was.'"
LONGEST = """
SELECT (SELECT coalesce(max(extract(epoch FROM settled_at - at)), 0)::float8 FROM agents_attempt),
    (SELECT coalesce(max(extract(epoch FROM decided_at - received_at)), 0)::float8 FROM agents_run),
    (SELECT coalesce(max(extract(epoch FROM t.at - a.created_at)), 0)::float8
     FROM agents_action a JOIN agents_attempt t ON t.action_id = a.id)
"""
"""Seconds from permit to settlement, from signal to decision, from decision to permit."""


@dataclass
class Signalman:
    """Keeps `WORKERS` workers at work and asks them, or their children, to stop while they commit."""

    yard: Yard
    start: Callable[[], Process]
    rng: random.Random
    workers: list[Process] = field(default_factory=list)
    stopping: list[threading.Thread] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    hit: int = 0
    late: list[str] = field(default_factory=list)
    longest: float = 0.0

    def ask(self, whom: str) -> None:
        """Send `whom` of a worker that commits just now one of the two signals."""
        while len(self.workers) < WORKERS:
            self.workers.append(self.start())
        number = self.rng.choice((signal.SIGTERM, signal.SIGQUIT))
        worker, child, backend, begun = self._committing()
        if whom == "child":
            os.kill(child, number)
        elif whom == "worker":
            os.kill(worker.pid, number)
        else:
            os.killpg(worker.pid, number)
        self.hit += self.yard.rows(STILL, backend, begun)[0][0]
        self.asked[f"{number.name} to the {whom}"] += 1
        if whom != "child":
            self.workers.remove(worker)
            self.stopping.append(threading.Thread(target=self._ends, args=(worker,)))
            self.stopping[-1].start()

    def _committing(self) -> tuple[Process, int, int, object]:
        """One of our workers, its child that commits, the backend it does so on, and since when that transaction is."""
        groups = {worker.pid: worker for worker in self.workers}
        found: list[tuple[Process, int, int, object]] = []

        def look() -> bool:
            for child, backend, begun in self.yard.rows(COMMITTING):
                with suppress(ProcessLookupError):
                    if worker := groups.get(os.getpgid(child)):
                        found.append((worker, child, backend, begun))
            return bool(found)

        until(look, seconds=30, what="a worker that commits", pause=0.001)
        return self.rng.choice(found)

    def _ends(self, worker: Process) -> None:
        begun = time.monotonic()
        try:
            worker.stop(signal.SIGCONT, seconds=GRACE)
        except AssertionError as error:
            self.late.append(str(error))
        self.longest = max(self.longest, time.monotonic() - begun)


def test_workers_asked_to_stop_while_they_commit_leave_nothing_stuck(yard, worker, receiver, alice, hostile, rng):
    far = receiver(slowly(GATHER_SECONDS))
    yard.sql.execute(LINGERING)
    lines([far.url] * CONNECTIONS, alice, timeout=0.6)
    man = Signalman(yard, lambda: worker(queues="loop", concurrency=CHILDREN), rng)
    whom = ["child"] * hostile.of(160) + ["worker"] * hostile.of(20, least=1) + ["group"] * hostile.of(20, least=1)
    rng.shuffle(whom)
    with sweeping(), trickling(yard, kinds=CONNECTIONS, wakes=WORKERS * CHILDREN):
        for each in whom:
            man.ask(each)
            time.sleep(rng.uniform(0, 0.2))
        for thread in man.stopping:
            thread.join()
    with sweeping():
        yard.settles(seconds=STUCK)
    states, waits = yard.states(), yard.rows(LONGEST)[0]
    print(
        f"{len(whom)} signals, {man.hit} before the commit was over: {dict(man.asked)}; {dict(states)}; "
        f"longest flight, wait for a decision and for a permit {', '.join(f'{each:.1f} s' for each in waits)}; "
        f"longest stop {man.longest:.1f} s"
    )
    assert man.late == []
    assert yard.rows(ORPHANS) == [(0,)]
    assert (far.twice(), set(states) <= {"delivered", "unknown"}) == ([], True), states
    if hostile.full:
        assert max(waits) <= STUCK
