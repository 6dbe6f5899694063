"""Verifying on a schedule: what is new each time, and a rolling share of the old, the whole once a day.

Each look takes up where the last one ended, at a checkpoint whose stored edge leads to its signed root. Where it stands
is one row of `audit_verified`, for the page.
"""

import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from audit.report import Report
from audit.verify import verify

ROUND = timedelta(days=1)
"""How often the whole record is walked again."""
STRETCH = 50_000
"""Entries between two looks at the clock."""

_STATE = """
select size, rolling, round_began, round_found, whole_at, at, found, first,
    round_began + %s <= clock_timestamp() or rolling > 0
from audit_verified
"""
_SAVE = """
update audit_verified set size = %(size)s, rolling = %(rolling)s, at = clock_timestamp(),
    found = %(found)s, first = %(first)s, round_found = %(round_found)s,
    round_began = case when %(begins)s then clock_timestamp() else round_began end,
    whole_at = case when %(ends)s then clock_timestamp() else whole_at end
"""
_NEXT = """
select coalesce(
    (select max(size) from audit_checkpoint where size > %(at)s and size <= %(at)s + %(most)s),
    (select min(size) from audit_checkpoint where size > %(at)s),
    %(at)s
)
"""


class State(NamedTuple):
    """How the scheduled verifying stands. `found` and `first` are what was found and not yet seen to be gone."""

    size: int
    """Up to which number the record was walked at least once."""
    rolling: int
    """How far the present round through all of it has come."""
    round_began: datetime
    round_found: int
    whole_at: datetime | None
    """When the last round ended."""
    at: datetime
    found: int
    first: str
    in_round: bool


class Look(NamedTuple):
    """What one look found: how many entries were walked, what was wrong, and whether it ended a round; then what the
    whole round found, over all its looks, of how many entries."""

    walked: int
    found: int
    first: str
    ended_round: bool
    round_found: int = 0
    round_first: str = ""
    size: int = 0


def state(cursor: Any) -> State:
    """How it stands; `cursor` is Django's or psycopg's."""
    cursor.execute(_STATE, [ROUND])
    return State(*cursor.fetchone())


def look(conn: Any, *, seconds: float = 20.0) -> Look:
    """Verify what was sealed since the last look, then go on with the round, for about so many seconds of time.

    `conn` is a psycopg 3 connection in autocommit. What was found stays on the page until a whole round finds nothing.
    """
    ends, walked = time.monotonic() + seconds, 0
    here = state(conn.cursor())
    size, rolling, round_found, begins = here.size, here.rolling, here.round_found, not here.rolling
    found, first, ended = 0, "", False

    def walk(start: int, *, whole: bool) -> int:
        nonlocal walked, found, first
        stop = _next(conn, start)
        report: Report = verify(conn, start=start, stop=stop, whole=whole)
        walked += stop - start
        found += report.found
        first = first or (str(report.problems[0])[:300] if report.problems else "")
        return stop

    while time.monotonic() < ends and _next(conn, size) > size:
        size = walk(size, whole=False)
    in_round = here.in_round or here.whole_at is None
    fresh = found
    while in_round and time.monotonic() < ends and rolling < size:
        rolling = walk(rolling, whole=_next(conn, rolling) >= size)
    round_found += found - fresh
    if in_round and size and rolling >= size:
        ended, rolling = True, 0
    standing = round_found if ended else max(here.found, found)
    saved: dict[str, Any] = {
        "size": size,
        "rolling": rolling,
        "found": standing,
        "first": "" if not standing else first or here.first,
        "round_found": 0 if ended else round_found,
        "begins": begins and in_round,
        "ends": ended,
    }
    conn.execute(_SAVE, saved)
    return Look(walked, found, first, ended, round_found, saved["first"] if round_found else "", size)


def _next(conn: Any, at: int) -> int:
    """The checkpoint's size to go to from `at`; `at` itself when there is none after it."""
    return int(conn.execute(_NEXT, {"at": at, "most": STRETCH}).fetchone()[0])
