"""When something ends by itself, as people write it: "30m", "2h", "3d", or a moment."""

import re
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from approvals.moments import ahead

_LENGTH = re.compile(r"(\d{1,4})\s*(m|min|h|d)")
_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}


def parse_until(text: str, *, now: datetime | None = None) -> datetime | None:
    """The moment, aware; None for "" and "never". A moment without an offset is in the active time zone.

    ValueError, with a sentence for people, when it can't be read, is past, or is more than a year ahead.
    """
    text, now = text.strip().lower(), now or timezone.now()
    if text in ("", "never"):
        return None
    if match := _LENGTH.fullmatch(text):
        at = now + timedelta(**{_UNITS[match[2]]: int(match[1])})
    else:
        try:
            moment = parse_datetime(text.upper())
        except ValueError:
            moment = None
        if moment is None:
            raise ValueError(f"“{text}” is no time: write 30m, 2h, 3d or 2026-11-30T09:00.")
        at = timezone.make_aware(moment) if timezone.is_naive(moment) else moment
    return ahead(at, now=now)
