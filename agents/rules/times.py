"""Reading the time that a signal gives for itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 1e11


def parse_time(value: Any) -> datetime:
    """An aware UTC datetime from ISO 8601/RFC 3339 text (naive is UTC) or an epoch in seconds or milliseconds.

    ValueError, worded for a person, for anything else and for years outside 1970 to 2199.
    """
    try:
        moment = _read(value)
        if EARLIEST <= moment < LATEST:
            return moment
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError(f"{str(value)[:60]!r} is not a time: give RFC 3339 such as 2026-11-21T09:30:00Z, or an epoch")


def _read(value: Any) -> datetime:
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000 if abs(value) >= MILLISECONDS_FROM else value, UTC)
    if not isinstance(value, str) or not 8 <= len(value) <= 40:
        raise ValueError
    text = value.strip()
    if text[0].isdigit() and text.replace(".", "", 1).isdigit() and len(text) > 8:
        return _read(float(text))
    moment = datetime.fromisoformat(text.upper())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
