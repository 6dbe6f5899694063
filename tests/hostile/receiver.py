"""A receiver that knows what it got and when: real HTTP on loopback, in a thread of its own."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from queue import SimpleQueue

from tests.connectors.far_side import Behave, FarSide, Visit


@dataclass
class Receipt:
    """One request: the action it was for, when it had come whole and when it was answered (time.monotonic)."""

    action: str
    visit: Visit
    at: float
    answered: float | None = None


async def accept(visit: Visit) -> None:
    """Answer 200 at once."""
    visit.answer("200 OK")


def slowly(seconds: float) -> Behave:
    """Answer 200 after so long."""

    async def behave(visit: Visit) -> None:
        await asyncio.sleep(seconds)
        visit.answer("200 OK")

    return behave


@dataclass
class Receiver:
    """
    Keeps a receipt of every request and leaves the answer to `behave`.

    `arrivals` and `answers` hand each receipt on as it happens, for whoever wants to strike at that moment.
    """

    behave: Behave = accept
    port: int = 0
    receipts: list[Receipt] = field(default_factory=list)
    arrivals: SimpleQueue[Receipt] = field(default_factory=SimpleQueue)
    answers: SimpleQueue[Receipt] = field(default_factory=SimpleQueue)

    def __enter__(self) -> "Receiver":
        self._loop = asyncio.new_event_loop()
        self._far_side = FarSide(self._serve, port=self.port)
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._far_side.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            await self._far_side.__aexit__()
            for receipt in self.receipts:
                receipt.visit.writer.transport.abort()
            await asyncio.wait(
                [asyncio.create_task(asyncio.sleep(0)), *(asyncio.all_tasks() - {asyncio.current_task()})], timeout=2
            )

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return self._far_side.url

    @property
    def counts(self) -> Counter[str]:
        """How often each action came."""
        return Counter(receipt.action for receipt in list(self.receipts))

    def twice(self) -> list[str]:
        """Actions that came more than once."""
        return [action for action, times in self.counts.items() if times > 1]

    def of(self, actions: Iterable[str]) -> list[Receipt]:
        """The receipts of these actions."""
        wanted = set(actions)
        return [receipt for receipt in list(self.receipts) if receipt.action in wanted]

    async def _serve(self, visit: Visit) -> None:
        (action,) = visit.header("Idempotency-Key")
        receipt = Receipt(action, visit, time.monotonic())
        self.receipts.append(receipt)
        self.arrivals.put(receipt)
        await self.behave(visit)
        receipt.answered = time.monotonic()
        self.answers.put(receipt)
