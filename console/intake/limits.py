"""A rate limit for each source, kept in this process; a token bucket that holds one second's worth. Fails open."""

import time
from math import ceil


class Bucket:
    """`rate` signals a second. A post is let in while one is left, and may overdraw what is left."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._left = float(rate)
        self._at = time.monotonic()

    def wait(self) -> int:
        """Seconds until the next post is let in; 0 for now."""
        now = time.monotonic()
        self._left = min(float(self.rate), self._left + (now - self._at) * self.rate)
        self._at = now
        return 0 if self._left >= 1 else max(1, ceil((1 - self._left) / self.rate))

    def take(self, signals: int) -> None:
        """Count what was let in."""
        self._left -= signals


_buckets: dict[int, Bucket] = {}


def bucket(source_id: int, rate: int) -> Bucket | None:
    """The source's bucket in this process, a fresh one when its rate changed; None without a limit."""
    if rate <= 0:
        return None
    found = _buckets.get(source_id)
    if found is None or found.rate != rate:
        found = _buckets[source_id] = Bucket(rate)
    return found
