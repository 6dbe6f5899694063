"""When a question is passed on, warned of and given up: parts of one span of the region's working time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from agents.rules.working_hours import Calendar, add_working, working_between

ASK_HOURS = 8
"""Working hours for which a question waits before it expires."""
DEPUTY, OWNER, WARNING = 0.5, 0.75, 0.875
"""The parts of that time after which the deputy is called, the owner is called, and it expires soon."""


class Deadlines(NamedTuple):
    """When the next in turn is called, from when it expires soon, and when it expires; in UTC."""

    next_at: datetime
    warn_at: datetime
    expires_at: datetime


def deadlines(calendar: Calendar, opened_at: datetime, *, hours: float = ASK_HOURS) -> Deadlines:
    """Those of a question that is asked at `opened_at`, in a region of this calendar."""
    next_at = add_working(calendar, opened_at, timedelta(hours=hours * DEPUTY))
    warn_at = add_working(calendar, next_at, timedelta(hours=hours * (WARNING - DEPUTY)))
    return Deadlines(next_at, warn_at, add_working(calendar, warn_at, timedelta(hours=hours * (1 - WARNING))))


def halfway(calendar: Calendar, at: datetime, end: datetime) -> datetime:
    """When half of the working time from `at` to `end` has passed: from deputy's turn to the end, it is the owner's."""
    return add_working(calendar, at, working_between(calendar, at, end) / 2)


def shifted(calendar: Calendar, moment: datetime, *, frozen_at: datetime, thawed_at: datetime) -> datetime:
    """`moment` as it is after no working time passed between the two; one that was over when it froze is unchanged."""
    if moment <= frozen_at:
        return moment
    return add_working(calendar, thawed_at, working_between(calendar, frozen_at, moment))
