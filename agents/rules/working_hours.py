"""
Working time: a clock that runs only while a region works.

A calendar is the region's time zone and its hours by day of the week. On the day clocks change a working day is as
long as it is: an hour that does not exist is not worked, one that comes twice is worked twice. A calendar without any
hours runs round the clock, so that a deadline always comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FARTHEST = timedelta(days=60)
"""No deadline is farther off than this, however little is worked."""
NOTHING = timedelta(0)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working hours by day of the week, Monday first: (from, to) in local time, or None where nothing is worked."""

    zone: ZoneInfo
    days: tuple[tuple[time, time] | None, ...]

    @property
    def always(self) -> bool:
        """Whether it runs round the clock."""
        return not any(self.days)


@lru_cache(maxsize=1024)
def _compiled(zone: str, days: tuple[tuple[str, str] | None, ...]) -> Calendar:
    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        local = ZoneInfo("UTC")
    return Calendar(local, tuple(_hours(day) for day in days))


def _hours(day: tuple[str, str] | None) -> tuple[time, time] | None:
    if day is None:
        return None
    try:
        begins, ends = time.fromisoformat(day[0]), time.fromisoformat(day[1])
    except ValueError:
        return None
    return (begins, ends) if begins < ends else None


def compile_calendar(zone: str, hours: Any) -> Calendar:
    """The calendar of a region's time zone and its {"mon": ["09:00", "18:00"], …}. Total: what can't be read is not
    worked, and a zone nobody knows is UTC."""
    given = hours if isinstance(hours, Mapping) else {}

    def day(name: str) -> tuple[str, str] | None:
        found = given.get(name)
        if not isinstance(found, list | tuple) or len(found) != 2:
            return None
        return str(found[0]), str(found[1])

    return _compiled(zone, tuple(day(name) for name in DAYS))


def add_working(calendar: Calendar, at: datetime, span: timedelta) -> datetime:
    """
    The first moment at which `span` of working time has passed since `at` (aware); in UTC.

    At most FARTHEST from `at`. For nothing it is `at` itself.
    """
    begins = at.astimezone(UTC)
    limit = begins + FARTHEST
    if span <= NOTHING:
        return begins
    if calendar.always:
        return min(begins + span, limit)
    left = span
    for opens, closes in _stretches(calendar, begins, limit):
        if opens + left <= closes:
            return min(opens + left, limit)
        left -= closes - opens
    return limit


def working_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """How much working time lies between two moments (aware); nothing when the end is not after the start."""
    begins, ends = start.astimezone(UTC), end.astimezone(UTC)
    if ends <= begins:
        return NOTHING
    if calendar.always:
        return ends - begins
    return sum((closes - opens for opens, closes in _stretches(calendar, begins, ends)), NOTHING)


def _stretches(calendar: Calendar, begins: datetime, ends: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The working stretches between two moments in UTC, cut to them, in order."""
    day = begins.astimezone(calendar.zone).date() - ONE_DAY
    while True:
        stretch = _stretch(calendar, day)
        day += ONE_DAY
        if stretch is None:
            if datetime.combine(day, time(), UTC) - ONE_DAY * 2 > ends:
                return
            continue
        opens, closes = stretch
        if opens >= ends:
            return
        if closes > begins:
            yield max(opens, begins), min(closes, ends)


@lru_cache(maxsize=8192)
def _stretch(calendar: Calendar, day: date) -> tuple[datetime, datetime] | None:
    hours = calendar.days[day.weekday()]
    if hours is None:
        return None
    opens = datetime.combine(day, hours[0], calendar.zone).astimezone(UTC)
    # Where it closes in an hour that comes twice, it closes the second time.
    closes = datetime.combine(day, hours[1], calendar.zone).replace(fold=1).astimezone(UTC)
    return (opens, closes) if opens < closes else None
