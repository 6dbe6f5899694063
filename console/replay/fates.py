"""What became of signals, looked up by the ids under which they were sent: their runs, actions and how long it took."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from django.db import connection

T = TypeVar("T")
CHUNK = 1000
"""Ids in one statement."""

SENT = """
WITH sent AS MATERIALIZED (
    SELECT e.signal_id AS id FROM unnest(%s::uuid[]) AS given (hash)
    JOIN agents_seen e ON e.source_id = %s AND e.hash = given.hash
)
"""
OPEN = """
SELECT count(*) FROM sent JOIN agents_signal s ON s.id = sent.id WHERE s.state = 'new' OR EXISTS (
    SELECT FROM agents_run r JOIN agents_action a ON a.run_id = r.id WHERE r.signal_id = s.id
    AND (a.state = 'sending' OR a.state = 'ready' AND (a.tries > 0 OR a.not_before <= clock_timestamp())))
"""
SIGNALS = """
SELECT coalesce(s.state, 'dead'), count(*) FROM sent LEFT JOIN agents_signal s ON s.id = sent.id GROUP BY 1
"""
RUNS = """
SELECT a.slug, r.verdict, count(*)
FROM sent JOIN agents_run r ON r.signal_id = sent.id JOIN agents_agent a ON a.id = r.agent_id GROUP BY 1, 2
"""
ACTIONS = """
SELECT c.slug, x.state,
    x.permitted_by LIKE 'clause:%%' AND x.approval_id IS NULL AND (x.tries > 1 OR x.not_before <= x.created_at),
    x.why, extract(epoch FROM x.settled_at - x.received_at)::float8
FROM sent JOIN agents_run r ON r.signal_id = sent.id JOIN agents_action x ON x.run_id = r.id
JOIN agents_connection c ON c.id = x.connection_id WHERE x.undo_of IS NULL
"""
OUTCOMES = """
SELECT a.slug, x.acted, count(*), count(o.id)
FROM sent JOIN agents_run r ON r.signal_id = sent.id JOIN agents_agent a ON a.id = r.agent_id
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM agents_action x WHERE x.run_id = r.id AND x.state = 'delivered'
    AND x.undo_of IS NULL) AS acted) AS x
LEFT JOIN agents_outcome o ON o.run_id = r.id AND o.kind = %s GROUP BY 1, 2
"""


@dataclass(slots=True)
class Fates:
    """
    Counts. `runs` by (agent, verdict), `actions` by (connection, state), `refusals` by reason; `seconds` from received
    to delivered of the actions that waited for no person and no delay; `ends` by (kind of outcome, agent, acted): runs,
    and how many of them ended so.
    """

    signals: Counter[str] = field(default_factory=Counter)
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    ends: dict[tuple[str, str, bool], tuple[int, int]] = field(default_factory=dict)

    def percentile(self, share: float) -> float | None:
        """Of `seconds`, in ms; None without any."""
        ordered = sorted(self.seconds)
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


class Sent:
    """The ids of what was sent, each once, as the intake remembers them: 16 bytes."""

    def __init__(self, source_id: int) -> None:
        self._source_id = source_id
        self._hashes: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, hash: bytes) -> None:
        """One more, unless it is known."""
        self._hashes[hash] = None

    def chunks(self) -> Iterator[list[str]]:
        """All of them in hex, in the order in which they were sent, at most CHUNK at a time."""
        for hashes in batched(self._hashes, CHUNK):
            yield [hash.hex() for hash in hashes]

    def still_open(self, chunk: list[str]) -> int:
        """How many of the chunk's signals the loop has not finished: undecided, or an action is due, in flight
        or to be tried again."""
        return int(self._ask(OPEN, chunk)[0][0])

    def fates(self, *, kinds: Sequence[str] = ()) -> Fates:
        """What became of them by now, with how often they ended in outcomes of `kinds`."""
        found = Fates()
        for chunk in self.chunks():
            found.signals.update(dict(self._ask(SIGNALS, chunk)))
            for agent, verdict, count in self._ask(RUNS, chunk):
                found.runs[agent, verdict] += count
            for slug, state, alone, why, seconds in self._ask(ACTIONS, chunk):
                found.actions[slug, state] += 1
                if state == "refused":
                    found.refusals[why] += 1
                if state == "delivered" and alone and seconds is not None:
                    found.seconds.append(seconds)
            for kind in kinds:
                for agent, acted, runs, hits in self._ask(OUTCOMES, chunk, kind):
                    before = found.ends.get((kind, agent, acted), (0, 0))
                    found.ends[kind, agent, acted] = (before[0] + runs, before[1] + hits)
        return found

    def _ask(self, sql: str, chunk: list[str], *more: Any) -> Sequence[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(SENT + sql, [chunk, self._source_id, *more])
            return cursor.fetchall()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
