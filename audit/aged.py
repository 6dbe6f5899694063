"""
What the record itself says has gone from it, for `verify` to hold against what is missing.

Each carrying out of a rule left an entry: of that month so many entries are gone now, and this is the root over their
leaves. What is missing must be just that: one more that went with them shows, and so does one that was put back.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from audit.merkle import Frontier

VERBS = ("record.aged", "record.archived")

_TOLD = """
select a.low, a.high, a.month, a.from_seq, e.body from audit_aged a
left join audit_entry e on e.id = a.entry and e.verb = any(%s) order by a.id
"""


class Fault(NamedTuple):
    """What is missing is not what was said to be: the first number of that month's stretch, and what is wrong."""

    seq: int
    what: str


@dataclass(slots=True)
class _Month:
    name: str
    low: bytes
    high: bytes
    first: int
    missing: int = -1
    root: str = ""
    told: list[str] = field(default_factory=list)
    found: Frontier = field(default_factory=Frontier)


class Aged:
    """The months of which something went, and, as a walk goes on, what was found missing of them."""

    def __init__(self, conn: Any) -> None:
        """Read what was said; `conn` is a psycopg 3 connection or cursor."""
        months: dict[bytes, _Month] = {}
        for low, high, name, first, body in conn.execute(_TOLD, [list(VERBS)]).fetchall():
            month = months.setdefault(_bytes(low), _Month(f"{name:%Y-%m}", _bytes(low), _bytes(high), first))
            month.first = min(month.first, first)
            said = _said(body, month.name)
            if said is not None:
                month.missing, month.root = said["missing"], said["root"]
                month.told.append(f"{said['dropped']:,} entries of {month.name} dropped by rule on {said['on']}")
        self.months = [months[low] for low in sorted(months)]
        self.lows = [month.low for month in self.months]

    def took(self, entry: bytes, leaf: bytes) -> bool:
        """Whether the record says that of this missing entry's month some went; counts it among them."""
        at = bisect_right(self.lows, entry) - 1
        if at < 0 or entry >= self.months[at].high or self.months[at].missing < 0:
            return False
        self.months[at].found.append(leaf)
        return True

    @property
    def dropped(self) -> int:
        """How many were found missing so far that may be."""
        return sum(month.found.size for month in self.months)

    def faults(self, *, since: int = 0) -> Iterator[Fault]:
        """After a walk from number `since` to the end: each month of which something else is missing than was said."""
        for month in self.months:
            if month.missing < 0 or month.first < since:
                continue
            if month.found.size != month.missing:
                said = (
                    f"{month.missing:,} entries of {month.name} were dropped by rule, but {month.found.size:,} are gone"
                )
                yield Fault(month.first, said)
            elif month.missing and month.found.root().hex() != month.root:
                yield Fault(month.first, f"other entries of {month.name} are gone than those that were dropped by rule")

    def told(self) -> list[str]:
        """A line each: "812 entries of 2026-05 dropped by rule on 2026-11-21, seal kept"."""
        return [f"{line}, seal kept" for month in self.months for line in month.told]


def _said(body: Any, month: str) -> dict[str, Any] | None:
    if body is None:
        return None
    doc = orjson.loads(bytes(body))
    detail = doc.get("detail", {})
    return {**detail, "on": doc["at"][:10]} if detail.get("month") == month else None


def _bytes(id: Any) -> bytes:
    return id.bytes if isinstance(id, UUID) else bytes(id)
