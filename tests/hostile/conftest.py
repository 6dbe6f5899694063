"""What HOSTILE's tests stand on: a busy workspace with real workers, receivers that remember, the sweeper at work."""

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connections

from agents import tasks
from agents.models import Agent
from tests import making
from tests.connectors.far_side import Behave
from tests.hostile.receiver import Receiver, accept
from tests.running import Workspace, until

OPEN = ("ready", "sending", "held", "waiting")
LITTLE = 8
BACKLOG = """
SELECT (SELECT count(*) FROM agents_signal WHERE state = 'new')
    + (SELECT count(*) FROM agents_action WHERE state = 'ready' AND not_before < clock_timestamp())
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/hostile/" in item.nodeid:
            item.add_marker(pytest.mark.hostile)


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    """Start receivers with `receiver(behave, port=…)`."""
    with ExitStack() as started:
        yield lambda behave=accept, port=0: started.enter_context(Receiver(behave, port))


@contextmanager
def repeatedly(call: Callable[[], object], *, every: float) -> Iterator[None]:
    """Do `call` in a thread of its own, with so many seconds between, for as long as the block runs."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every):
            try:
                call()
            except (psycopg.OperationalError, OperationalError) as error:
                print(f"in vain: {error}")
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def sweeping(every: float = 0.5) -> AbstractContextManager[None]:
    """The sweeper, as beat would start it. It uses this process's `hot`, so the test must not."""
    return repeatedly(tasks.sweep, every=every)


@dataclass
class Yard:
    """A workspace with a plain connection for looking: what came of everything, seen from PostgreSQL."""

    workspace: Workspace
    sql: psycopg.Connection[Any]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.sql.execute(query, values).fetchall()

    def states(self) -> Counter[str]:
        """How many actions are in each state."""
        return Counter(dict(self.rows("SELECT state, count(*) FROM agents_action GROUP BY state")))

    def waiting(self) -> int:
        """Signals that nobody decided yet, and actions that are neither settled nor unknown."""
        return self.rows(
            "SELECT (SELECT count(*) FROM agents_signal WHERE state = 'new')"
            " + (SELECT count(*) FROM agents_action WHERE state = ANY(%s))",
            list(OPEN),
        )[0][0]

    def settles(self, *, seconds: float) -> None:
        """Wait until nothing waits any more."""
        try:
            until(lambda: not self.waiting(), seconds=seconds, what="everything settled or unknown")
        except AssertionError as error:
            raise AssertionError(f"{error}; actions: {dict(self.states())}") from None


@pytest.fixture
def yard(workspace: Workspace) -> Iterator[Yard]:
    with workspace.connect() as sql:
        yield Yard(workspace, sql)


def lines(urls: list[str], owner: Any, *, behave: Behave | None = None, **config: Any) -> list[Agent]:
    """An agent with a play and a connection of its own for each url; the nth hears signals of type `kind-n`."""
    made = []
    for number, url in enumerate(urls):
        connection = making.http(url, f"receiver-{number}", **config)
        agent = making.agent(making.play(connection, f"greet-{number}"), owner, f"agent-{number}")
        agent.routes.update(types=[f"kind-{number}"])
        made.append(agent)
    return made


def feed(size: int, *, kinds: int = 1, **columns: Any) -> None:
    """Signals for the agents of `lines`, in turn from a random one on, and a wake-up."""
    first = secrets.randbelow(kinds)
    making.signals([{"type": f"kind-{(first + number) % kinds}", **columns} for number in range(size)])
    tasks.wake()


def trickling(yard: Yard, *, kinds: int, wakes: int) -> AbstractContextManager[None]:
    """Feed little at a time, with so many wake-ups, so that each worker has a few sends in flight but never all."""
    looking = yard.workspace.connect()

    def little() -> None:
        if looking.execute(BACKLOG).fetchone()[0] < 2 * LITTLE:
            feed(LITTLE, kinds=kinds)
            for _ in range(wakes - 1):
                tasks.work.delay()

    return repeatedly(little, every=0.02)
