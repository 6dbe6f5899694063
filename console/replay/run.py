"""
A replay, in three passes, each of which may be asked to stop and done again:

 1. Every row goes to the intake as a signal, in batches, at a rate or as fast as it takes them.
 2. It waits until the loop has finished them: decided, and nothing due, in flight or to be tried again.
 3. What came of them goes to the intake as outcomes. Not earlier: an outcome counts for the group, acted on or not,
    that the run belongs to when it arrives.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from console.replay.events import Event, Maker
from console.replay.fates import Sent, batched
from console.replay.posts import Intake, Interrupted, Receipt
from console.replay.rows import Row, RowFile

LOOK_EVERY = 0.2
OUTCOMES = 500
"""In one post."""
MOST_SHOWN = 5
Advance = Callable[[int], None]


@dataclass(slots=True)
class Tally:
    """What was sent so far, in `seconds`. `bad`: lines that are no rows, `skipped`: those before the first one wanted,
    `refused`: the first few refusals in words, `left`: signals that the loop has not finished."""

    signals: Receipt = field(default_factory=Receipt)
    outcomes: Receipt = field(default_factory=Receipt)
    bad: int = 0
    skipped: int = 0
    refused: list[str] = field(default_factory=list)
    left: int = 0
    seconds: float = 0.0

    @property
    def accounted(self) -> int:
        """Lines of which it is known what became of them."""
        one = self.signals
        return one.accepted + one.duplicate + one.dead + len(one.refused) + self.bad + self.skipped


@dataclass(slots=True)
class Replay:
    """One file on its way to one source. `rate`: signals a second, 0 for no limit; `first`: the line to begin with."""

    file: RowFile
    maker: Maker
    intake: Intake
    sent: Sent
    stopping: Callable[[], bool]
    batch: int = 100
    rate: float = 0.0
    first: int = 1
    tally: Tally = field(default_factory=Tally)

    def send(self, advance: Advance) -> None:
        """Pass 1. Unanswered, FileFault."""
        began, done = time.monotonic(), 0
        size = max(1, min(self.batch, int(self.rate / 10))) if self.rate else self.batch
        try:
            for events in batched(self._events(), size):
                if not self._due(began + done / self.rate if self.rate else 0.0):
                    return
                receipt = self.intake.post([event.body for event in events])
                self._count(receipt, events)
                done += len(events)
                self.tally.seconds = time.monotonic() - began
                advance(len(events))
        except Interrupted:
            return

    def wait(self, advance: Advance, *, patience: float) -> bool:
        """Pass 2: True once all is finished, False when nothing moved for `patience` seconds or it is to stop."""
        moved = time.monotonic()
        self.tally.left = 0
        for chunk in self.sent.chunks():
            known = len(chunk)
            while left := self.sent.still_open(chunk):
                if left < known:
                    advance(known - left)
                    known, moved = left, time.monotonic()
                if self.stopping() or time.monotonic() - moved > patience:
                    self.tally.left += left
                    break
                time.sleep(LOOK_EVERY)
            else:
                advance(known)
                moved = time.monotonic()
        return not self.tally.left

    def report_outcomes(self, advance: Advance) -> None:
        """Pass 3. Unanswered, FileFault."""
        found = ((one, row.line) for row in self._rows() for one in self.maker.outcomes(row, self.maker.event(row)))
        try:
            for pairs in batched(found, OUTCOMES):
                if self.stopping():
                    return
                receipt = self.intake.post([one for one, _ in pairs], to="/outcomes")
                self.tally.outcomes.add(receipt)
                self._note([(pairs[place][1], what, how) for place, what, how in receipt.refused])
                advance(len(pairs))
        except Interrupted:
            return

    def _events(self) -> Iterator[Event]:
        for row in self.file.rows():
            if not isinstance(row, Row):
                self.tally.bad += 1
                continue
            event = self.maker.event(row)
            if event.hash:
                self.sent.add(event.hash)
            if row.line < self.first:
                self.tally.skipped += 1
                continue
            yield event

    def _rows(self) -> Iterator[Row]:
        return (row for row in self.file.rows() if isinstance(row, Row))

    def _due(self, at: float) -> bool:
        """Wait until the moment `at` (monotonic); False when it is to stop."""
        while not self.stopping():
            left = at - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, LOOK_EVERY))
        return False

    def _count(self, receipt: Receipt, events: list[Event]) -> None:
        self.tally.signals.add(receipt)
        self._note([(events[place].line, what, how) for place, what, how in receipt.refused])

    def _note(self, refused: list[tuple[int, str, str]]) -> None:
        for line, what, how in refused[: MOST_SHOWN - len(self.tally.refused)]:
            self.tally.refused.append(f"{self.file.path}, line {line}: {what} {how}")
