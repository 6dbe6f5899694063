"""
What the record itself says has gone from it, for `verify` to hold against what is missing.

Each carrying out of a rule left an entry: of that month so many entries are gone now, and this is the root over their
leaves. What is missing must be just that: one more that went with them shows, and so does one that was put back. Such
an entry is believed only if it is sealed, and the rule it names stood sealed in the record for long enough before it
and had come to that month. `audit_aged` serves to find the entries, and is believed in nothing.
"""

import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import orjson

from audit.age import COOLING, NEVER, Rule, bounds
from audit.merkle import Frontier

VERBS = ("record.aged", "record.archived")
CLOCKS = timedelta(minutes=1)
"""How far the clocks of those who write entries may be apart."""
PATIENCE = 10.0
"""Seconds that an entry which waits for the sealer is waited for before it counts as unsealed."""
BATCH = 100

_TOLD = """
select a.id, a.month, a.from_seq, e.body, l.seq, p.entry is not null
from audit_aged a left join audit_entry e on e.id = a.entry
left join audit_leaf l on l.entry = a.entry and l.hash = sha256('\\x00'::bytea || e.body)
left join audit_pending p on p.entry = a.entry
order by l.seq nulls last, a.id
"""
_RULED = """
select l.seq, e.body from audit_entry e
join audit_leaf l on l.entry = e.id and l.hash = sha256('\\x00'::bytea || e.body)
where e.subject = any(%s) and e.verb = 'record.ruled' order by l.seq
"""
_NEWEST = "select coalesce(max(id), 0) from audit_aged"
_GONE = """
select l.hash from audit_leaf l
left join (select id from audit_entry where id >= %(low)s and id < %(high)s) e on e.id = l.entry
where l.entry >= %(low)s and l.entry < %(high)s and e.id is null order by l.seq
"""


class Fault(NamedTuple):
    """What is missing is not what was said to be: the first number of that month's stretch, and what is wrong."""

    seq: int
    what: str


class _Ruled(NamedTuple):
    """The rules of a sealed version."""

    seq: int
    at: datetime
    rules: list[Any]


class _Claim(NamedTuple):
    """What a sealed entry says of its month."""

    at: datetime
    rule: Rule
    dropped: int
    missing: int
    root: str


@dataclass(slots=True)
class _Month:
    first: date
    seq: int
    missing: int = -1
    """How many are gone, as the newest entry that is believed says; -1 without one."""
    root: str = ""
    told: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.first:%Y-%m}"


class Aged:
    """The months of which something went by rule. Reads again by itself what was added while a walk goes on."""

    def __init__(self, conn: Any) -> None:
        """Read what was said; `conn` is a psycopg 3 connection in autocommit."""
        self.conn = conn
        self.dropped = 0
        """How many were asked about so far that may be missing."""
        self._until = time.monotonic() + PATIENCE
        self._read()

    def took(self, entry: bytes) -> bool:
        """Whether the record says that of this missing entry's month some went."""
        known = self._known(entry) or (self._again() and self._known(entry))
        self.dropped += known
        return known

    def faults(self) -> list[Fault]:
        """Each month of which something else is missing than was said, and each entry that says so without a right to.

        Asks the database for what is missing, whatever a walk has seen: reads every leaf of those months.
        """
        while True:
            self._again()
            found = [fault for month in self.months for fault in self._compare(month)]
            if not found or not self._stale():
                return self._unheard + found

    def told(self) -> list[str]:
        """A line each: "812 entries of 2026-05 dropped by rule on 2026-11-21, seal kept"."""
        return [f"{line}, seal kept" for month in self.months for line in month.told]

    def _known(self, entry: bytes) -> bool:
        at = bisect_right(self._lows, entry) - 1
        return at >= 0 and entry < bounds(self.months[at].first)[1].bytes and self.months[at].missing >= 0

    def _stale(self) -> bool:
        return bool(self.conn.execute(_NEWEST).fetchone()[0] != self._newest)

    def _again(self) -> bool:
        """Read again if there is something new, waiting a little for what is to be sealed; whether it was read."""
        if not self._waits and not self._stale():
            return False
        self._read()
        while self._waits and time.monotonic() < self._until:
            time.sleep(0.1)
            self._read()
        return True

    def _read(self) -> None:
        months: dict[date, _Month] = {}
        self._newest, self._waits, self._unheard = 0, False, list[Fault]()
        rows = self.conn.execute(_TOLD).fetchall()
        ruled = list(self._ruled()) if rows else []
        for id, first, from_seq, body, seq, waits in rows:
            self._newest = max(self._newest, id)
            self._waits |= waits and seq is None
            month = months.setdefault(first.replace(day=1), _Month(first.replace(day=1), from_seq))
            month.seq = min(month.seq, from_seq)
            claim = None if seq is None else _claim(body, month.name)
            wrong = "it is not sealed, or not as it was" if seq is None else "it can't be read"
            if claim is not None:
                wrong = _wrong(claim, month.first, [one for one in ruled if one.seq < seq])
            if claim is None or wrong:
                self._unheard.append(
                    Fault(from_seq, f"the entry that tells what went of {month.name} excuses nothing: {wrong}")
                )
                continue
            month.missing, month.root = claim.missing, claim.root
            month.told.append(f"{claim.dropped:,} entries of {month.name} dropped by rule on {claim.at:%Y-%m-%d}")
        self.months = [months[first] for first in sorted(months)]
        self._lows = [bounds(month.first)[0].bytes for month in self.months]

    def _ruled(self) -> Iterator[_Ruled]:
        """The versions of the rules that are sealed."""
        for start in count(1, BATCH):
            subjects = [f"retention:{version}" for version in range(start, start + BATCH)]
            rows = self.conn.execute(_RULED, [subjects]).fetchall()
            for seq, body in rows:
                try:
                    said = orjson.loads(bytes(body))
                    yield _Ruled(seq, datetime.fromisoformat(said["at"]), list(said["detail"]["rules"]))
                except (ValueError, KeyError, TypeError):
                    continue
            if not rows:
                return

    def _compare(self, month: _Month) -> Iterator[Fault]:
        if month.missing < 0:
            return
        low, high = bounds(month.first)
        gone = Frontier()
        with self.conn.transaction(), self.conn.cursor(name="gone") as cursor:
            cursor.itersize = 50_000
            for (leaf,) in cursor.execute(_GONE, {"low": low, "high": high}):
                gone.append(bytes(leaf))
        if gone.size != month.missing:
            said = f"{month.missing:,} entries of {month.name} were dropped by rule, but {gone.size:,} are gone"
            yield Fault(month.seq, said)
        elif gone.root().hex() != month.root:
            yield Fault(month.seq, f"other entries of {month.name} are gone than those that were dropped by rule")


def _claim(body: Any, month: str) -> _Claim | None:
    """What an entry's bytes say went of `month`; None when they don't, or can't be read."""
    try:
        doc = orjson.loads(bytes(body))
        detail = doc["detail"]
        if doc["verb"] not in VERBS or detail["month"] != month:
            return None
        rule = Rule(str(detail["verbs"]), int(detail["months"]), doc["verb"] == "record.archived")
        numbers = int(detail["dropped"]), int(detail["missing"])
        return _Claim(datetime.fromisoformat(doc["at"]), rule, *numbers, str(detail["root"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _wrong(claim: _Claim, month: date, ruled: list[_Ruled]) -> str:
    """Why a sealed claim is not to be believed, given the versions of the rules sealed before it; "" when it is."""
    stood = [one for one in ruled if one.at + COOLING <= claim.at + CLOCKS]
    if not stood or claim.rule.document not in stood[-1].rules:
        return f"no sealed rule stood a day before it that “{claim.rule}”"
    if claim.rule.verbs.startswith(NEVER):
        return "what is said of the record and of agents never goes"
    if claim.rule.ends(month) > claim.at.date():
        return f"the rule ({claim.rule}) had not come to that month"
    return ""
