"""Moments that people type and we store: how far they may lie, said in words before the database says it."""

from datetime import UTC, datetime, timedelta

from django.db import models
from django.utils import timezone

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What a column holds at all: near the ends of what PostgreSQL can store, a row can't be read back in every zone."""
LONGEST = timedelta(days=366)


def within_reach(at: datetime, *, now: datetime | None = None) -> datetime:
    """`at` (aware), past or to come. ValueError, in a sentence for people: before 2000 or over a year ahead."""
    if at < EARLIEST:
        raise ValueError("That is before the year 2000.")
    if at > (now or timezone.now()) + LONGEST:
        raise ValueError("That is more than a year ahead.")
    return at


def ahead(at: datetime, *, now: datetime | None = None) -> datetime:
    """`at` (aware), as `within_reach`, and to come: a moment that is past is a ValueError, too."""
    now = now or timezone.now()
    if at <= now:
        raise ValueError("That moment is past.")
    return within_reach(at, now=now)


def sane(name: str, *columns: str) -> models.CheckConstraint:
    """The database's own bound on columns that hold such moments; an empty one passes."""
    held = models.Q()
    for column in columns:
        held &= models.Q(**{f"{column}__isnull": True}) | models.Q(**{f"{column}__range": (EARLIEST, LATEST)})
    return models.CheckConstraint(name=name, condition=held)


def clamp(table: str, *columns: str) -> str:
    """For a migration, before `sane` is added: move what lies outside to the bound, and let nothing stay pending."""
    low, high = (f"timestamptz '{one.isoformat()}'" for one in (EARLIEST, LATEST))
    moved = "".join(
        f"UPDATE {table} SET {one} = least(greatest({one}, {low}), {high}) WHERE {one} NOT BETWEEN {low} AND {high};\n"  # noqa: S608
        for one in columns
    )
    return f"{moved}SET CONSTRAINTS ALL IMMEDIATE;\nSET CONSTRAINTS ALL DEFERRED;\n"
