"""Acting: gate, send many at once, settle as answers arrive; and the drain that decides and acts until all is done."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from agents.connectors.contract import Answer, Outgoing, Verdict
from agents.loop.decide import decide
from agents.loop.gate import Permitted, gate
from agents.loop.hot import Hot
from agents.loop.settle import Settled, settle

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
"""How long answers are gathered before they are settled together."""
IDLE_SECONDS = 0.05
"""How often a drain that only waits for answers looks for new work."""
PLENTY = 16
"""Permitted at once, from which on what is ready goes before what is new."""
LONGEST_SECONDS = 20.0
"""After this long a drain ends as soon as nothing is in flight, so that other tasks get a turn; a new one goes on."""


class Drain:
    """
    One worker's pass over what is to be done: decide what was received, gate what is ready, send, settle.

    Deciding, gating and settling are short blocking transactions on `hot`; sends run between them in one event loop.
    """

    def __init__(self, hot: Hot, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self.hot = hot
        self.stopping = stopping
        self.in_flight: dict[asyncio.Task[Answer], Permitted] = {}
        self.unsettled: list[Settled] = []
        self.plenty = False

    async def run(self) -> bool:
        """
        Until nothing is left (False), or until asked to stop or LONGEST_SECONDS passed (True: there may be more).

        What is in flight is always waited for and settled. While it is, new work is started, so that a slow far side
        holds back only itself. An error that isn't the database's is raised, once nothing is in flight.
        """
        ends = time.monotonic() + LONGEST_SECONDS
        broken: Exception | None = None
        while True:
            idle = not self.in_flight and not self.unsettled
            over = self.stopping() or broken is not None or (idle and time.monotonic() > ends)
            moved = 0
            if not over:
                try:
                    moved = self._start()
                except Exception as error:
                    broken = error
                    continue
            if not self.in_flight and not self.unsettled:
                if broken is not None:
                    raise broken
                if not moved:
                    return over
                continue
            await self._gather(GATHER_SECONDS if moved else IDLE_SECONDS)
            self._settle()

    def _start(self) -> int:
        """Permit what has a free slot, after deciding a batch unless much was ready anyway; how much moved."""
        moved = 1 if self.plenty else 0
        try:
            if not self.plenty:
                moved = decide(self.hot).signals
            self.plenty = False
            permitted = gate(self.hot)
        except psycopg.errors.LockNotAvailable:
            return 1
        except psycopg.Error:
            log.warning("the loop waits for the database", exc_info=True)
            return 0
        self.plenty = len(permitted) >= PLENTY
        for one in permitted:
            self.in_flight[asyncio.create_task(self._send(one))] = one
        return moved + len(permitted)

    async def _send(self, one: Permitted) -> Answer:
        connector = one.connection.connector
        assert connector is not None
        return await connector.send(
            Outgoing(one.action, one.attempt, one.payload, one.permit_until, one.connection.timeout)
        )

    async def _gather(self, seconds: float) -> None:
        if not self.in_flight:
            await asyncio.sleep(seconds)
            return
        done, _ = await asyncio.wait(self.in_flight, timeout=seconds)
        for task in done:
            one = self.in_flight.pop(task)
            self.unsettled.append(
                Settled(one.action, one.attempt, one.connection.id, _answer(task), one.line, one.contact)
            )

    def _settle(self) -> None:
        """What can't be settled for now is kept; what can't be settled at all is left for the sweeper to find."""
        try:
            settle(self.hot, self.unsettled)
        except psycopg.OperationalError:
            log.warning("settling waits for the database", exc_info=True)
            return
        except psycopg.Error:
            log.exception("answers could not be settled together; each is tried alone")
            for one in self.unsettled:
                with suppress(psycopg.Error):
                    settle(self.hot, [one])
        self.unsettled = []


def _answer(task: "asyncio.Task[Answer]") -> Answer:
    error = task.exception()
    if error is None:
        return task.result()
    log.error("a connector raised", exc_info=error)
    return Answer(Verdict.UNKNOWN, None, f"The connector broke: {type(error).__name__}", 0)
