"""
Keeping the way in from running ahead of the loop.

Nothing is refused for it: while something has waited for the loop longer than BEHIND_SECONDS, groups wait a little
before they are committed. They grow by what arrives meanwhile, so each signal costs less, and the loop gets the cores.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

BEHIND_SECONDS = 0.3
STILL_SECONDS = 60.0
"""Behind by more, the loop is down or has a day's import before it: waiting a little helps nobody."""
LONGEST_SECONDS = 0.25
STEEPNESS = 0.2
"""Seconds waited for each second the loop is behind by more than BEHIND_SECONDS."""
LOOK_SECONDS = 0.1
BEHIND = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - least(
    (SELECT received_at FROM agents_signal WHERE state = 'new' ORDER BY id LIMIT 1),
    (SELECT min(not_before) FROM agents_connection c, LATERAL (
        SELECT not_before FROM agents_action WHERE connection_id = c.id AND state = 'ready'
        ORDER BY not_before, id LIMIT 1) a)
)), 0)::float8
"""
"""Seconds since the oldest signal not decided was received, or since the oldest ready action was due."""


class Pace:
    """Wraps a committer's `write` and tells, by `wait`, how long its next group gathers. One leader at a time."""

    def __init__(self, write: Callable[[Any, Sequence[Any]], list[Any]]) -> None:
        self._write = write
        self._behind = 0.0
        self._looked = 0.0

    def write(self, cursor: Any, rows: Sequence[Any]) -> list[Any]:
        """As the wrapped; every LOOK_SECONDS it looks how far the loop is behind, in the same transaction."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            self._behind = cursor.execute(BEHIND).fetchone()[0]
        return self._write(cursor, rows)

    def wait(self, together: int) -> float:
        """
        Seconds, LONGEST_SECONDS at most, after a group of `together` posts.

        0 while the loop keeps up, stands still, or nothing was looked at for a second; 0 for posts that come one by
        one, since who waits for each answer before sending the next cannot outrun anybody.
        """
        if together < 2 or self._behind > STILL_SECONDS or time.monotonic() - self._looked > 1.0:
            return 0.0
        return min(LONGEST_SECONDS, max(0.0, STEEPNESS * (self._behind - BEHIND_SECONDS)))
