"""Hours of the day on days of the week, by the clock of wherever the recipient is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
MIDNIGHT = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """
    A stretch of local time: from `start` on, to before `end` (minutes since midnight), on `days` (0 is Monday).

    Where `end` comes before `start` the stretch runs past midnight, and belongs to the day it begins on.
    """

    start: int = 0
    end: int = MIDNIGHT
    days: frozenset[int] = frozenset(range(7))

    def hold(self, day: int, minute: int) -> bool:
        """Whether that minute of that day of the week is within."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (minute >= self.start and day in self.days) or (minute < self.end and (day - 1) % 7 in self.days)

    def hold_at(self, local: datetime) -> bool:
        """Whether the clock and calendar of `local` are within."""
        return self.hold(local.weekday(), local.hour * 60 + local.minute)

    def left(self, local: datetime) -> datetime:
        """The aware moment at which the stretch that holds `local` ends, to the minute."""
        minute = local.hour * 60 + local.minute
        day = local.date() if minute < self.end else local.date() + timedelta(days=1)
        end = datetime(day.year, day.month, day.day, tzinfo=local.tzinfo) + timedelta(minutes=self.end % MIDNIGHT)
        if self.end == MIDNIGHT:
            end += timedelta(days=1)
        if end.astimezone(UTC) <= local.astimezone(UTC):
            end = end.replace(fold=1)
        return end

    def __str__(self) -> str:
        said = [f"from {_clock(self.start)} to {_clock(self.end)}"] if (self.start, self.end) != (0, MIDNIGHT) else []
        if len(self.days) < 7:
            said.append("on " + ", ".join(DAYS[day].capitalize() for day in sorted(self.days)))
        return " ".join(said)


def always(stretches: Iterable[Hours]) -> bool:
    """Whether together they leave no minute of the week free: were one free, one would be where a stretch ends."""
    stretches = tuple(stretches)
    ends = {hours.end % MIDNIGHT for hours in stretches}
    return bool(stretches) and all(
        any(hours.hold(day, minute) for hours in stretches) for day in range(7) for minute in ends
    )


def quiet_until(stretches: Iterable[Hours], at: datetime, zone: ZoneInfo) -> datetime | None:
    """
    When the quiet that holds at the aware moment `at` is over, by the clock of `zone`, in UTC; None: it is not quiet.

    Stretches that follow upon each other are one. Always later than `at`, and at most eight days later.
    """
    stretches, end = tuple(stretches), at
    limit = at + timedelta(days=8)
    while end < limit:
        local = end.astimezone(zone)
        holding = next((hours for hours in stretches if hours.hold_at(local)), None)
        if holding is None:
            break
        end = max(holding.left(local).astimezone(UTC), end.astimezone(UTC) + timedelta(seconds=60))
    return None if end is at else min(end, limit).astimezone(UTC)


def minutes(text: Any, *, end: bool = False) -> int | None:
    """Minutes since midnight of "18:00"; "24:00" only as an `end`. None for anything else."""
    found = CLOCK.fullmatch(text) if isinstance(text, str) else None
    if found:
        return int(found[1]) * 60 + int(found[2])
    return MIDNIGHT if end and text == "24:00" else None


@lru_cache(maxsize=1024)
def time_zone(name: str) -> ZoneInfo | None:
    """The time zone that the IANA database gives this name, or None."""
    return ZoneInfo(name) if name in _zones() else None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
