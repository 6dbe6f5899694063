"""Ids that sort by time: UUIDv7, as the standard library's UUID.

An id carries the millisecond it was made in, so a growing table needs no second column to be partitioned,
paged or cut by time: `floor_id` turns a moment into the smallest id of that millisecond.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_V7 = 0x7 << 76 | 0b10 << 62


def new_id() -> UUID:
    """A new id, greater than every earlier one of this process."""
    return uuid7()


def new_ids(n: int) -> list[UUID]:
    """`n` new ids in ascending order."""
    return [uuid7() for _ in range(n)]


def id_time(id: UUID) -> datetime:
    """The moment in `id`, UTC, to the millisecond. Any UUID is accepted; only a v7 gives a true answer."""
    return EPOCH + (id.int >> 80) * _MS


def floor_id(at: datetime) -> UUID:
    """The smallest v7 id of `at`'s millisecond, or of all before 1970. `at` must be aware; ValueError when naive."""
    if at.tzinfo is None:
        raise ValueError("floor_id wants an aware datetime")
    ms = max(0, (at - EPOCH) // _MS)
    return UUID(int=ms << 80 | _V7)
