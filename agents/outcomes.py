"""
Outcomes: what came of a signal (a meeting, a reply, revenue), attributed to every run that handled it.

An outcome counts once a run and kind; `acted` says whether the run had delivered an action when it arrived.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple
from uuid import UUID

from agents.loop.envelope import Refused
from agents.loop.intake import external_hash
from agents.loop.sources import KnownSource
from agents.rules.mapping import MAX_ID
from agents.rules.text import as_label
from agents.rules.times import parse_time
from audit.entries import Line, append
from audit.ids import new_ids

Fate = Literal["accepted", "duplicate"]
MOST = Decimal("99999999999999.99")
CENT = Decimal("0.01")

RUNS = """
SELECT s.source_id, s.hash, r.id, r.agent_id, a.slug, r.account, g.code, t.code, EXISTS (
    SELECT FROM agents_action x WHERE x.run_id = r.id AND x.state = 'delivered' AND x.undo_of IS NULL)
FROM agents_seen s JOIN agents_run r ON r.signal_id = s.signal_id JOIN agents_agent a ON a.id = r.agent_id
JOIN agents_region g ON g.id = r.region_id JOIN agents_segment t ON t.id = r.segment_id
WHERE (s.source_id, s.hash) IN (SELECT * FROM unnest(%s::int[], %s::uuid[])) ORDER BY r.id
"""
WRITE = """
INSERT INTO agents_outcome (id, run_id, agent_id, kind, value, acted, occurred_at, received_at, actor)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::numeric[], %s::bool[], %s::timestamptz[],
    %s::timestamptz[], %s::text[])
ON CONFLICT DO NOTHING RETURNING id
"""


class Row(NamedTuple):
    """One outcome as it was sent: of the signal that `source_id` gave the id whose hash is `hash` (hex)."""

    source_id: int
    hash: str
    kind: str
    value: Decimal
    occurred_at: datetime
    received_at: datetime
    actor: str


class _Run(NamedTuple):
    source_id: int
    hash: UUID
    id: UUID
    agent_id: int
    agent: str
    account: str
    region: str
    segment: str
    acted: bool


def read(source: KnownSource, item: Any, *, at: datetime) -> Row | Refused:
    """The outcome in `{"signal": id, "kind": text, "value"?: number, "time"?: …}` received `at`, or what is wrong."""
    if not isinstance(item, dict):
        return Refused("The outcome is not an object.", 'Send {"signal": "…", "kind": "revenue", "value": 1}.')
    signal, kind = as_label(item.get("signal"), MAX_ID), as_label(item.get("kind"), 60)
    if not signal:
        return Refused("There is no signal.", "Give the id under which the signal was sent.")
    if not kind:
        return Refused("There is no kind.", 'Give one, such as "revenue", "meeting" or "reply".')
    try:
        value = Decimal(str(item.get("value", 1))).quantize(CENT)
    except (InvalidOperation, ValueError):
        value = MOST + 1
    if not value.is_finite() or abs(value) > MOST or isinstance(item.get("value"), bool):
        return Refused("The value is not a number that can be kept.", "Give one of at most 14 digits and two decimals.")
    try:
        moment = parse_time(item["time"]) if item.get("time") is not None else at
    except ValueError as error:
        return Refused(f"Time: {error}.", "Leave it out to take the time of receipt.")
    return Row(source.id, external_hash(source.id, signal).hex(), kind, value, moment, at, f"source:{source.slug}")


def receive(cur: Any, rows: Sequence[Row]) -> list[Fate | Refused]:
    """
    Write each outcome to every run of its signal, with an entry each, in `cur`'s transaction; one answer a row.

    "duplicate" when all its runs had that kind already; refused when nobody handled the signal. `cur` is raw psycopg's.
    """
    runs: dict[tuple[int, str], list[_Run]] = {}
    keys = sorted({(row.source_id, row.hash) for row in rows})
    for found in cur.execute(RUNS, list(map(list, zip(*keys, strict=True)))).fetchall():
        run = _Run._make(found)
        runs.setdefault((run.source_id, run.hash.hex), []).append(run)
    pairs = [(index, run) for index, row in enumerate(rows) for run in runs.get((row.source_id, row.hash), ())]
    ids = new_ids(len(pairs))
    written = _write(cur, [(id, run, rows[index]) for id, (index, run) in zip(ids, pairs, strict=True)])
    counted = {index for id, (index, _) in zip(ids, pairs, strict=True) if id in written}
    append(cur, [_entry(id, run, rows[i]) for id, (i, run) in zip(ids, pairs, strict=True) if id in written])
    return [_fate(row, index in counted, bool(runs.get((row.source_id, row.hash)))) for index, row in enumerate(rows)]


def _write(cur: Any, lines: list[tuple[UUID, _Run, Row]]) -> set[UUID]:
    if not lines:
        return set()
    columns = [
        (id, run.id, run.agent_id, row.kind, row.value, run.acted, row.occurred_at, row.received_at, row.actor)
        for id, run, row in sorted(lines, key=lambda line: (line[1].id, line[2].kind, line[0]))
    ]
    return {found[0] for found in cur.execute(WRITE, list(map(list, zip(*columns, strict=True)))).fetchall()}


def _fate(row: Row, counted: bool, handled: bool) -> Fate | Refused:
    if counted:
        return "accepted"
    if handled:
        return "duplicate"
    return Refused(
        "No agent has handled a signal of that id.", "Give the id as this source sent it, once an agent has run on it."
    )


def _entry(id: UUID, run: _Run, row: Row) -> Line:
    detail = {"acted": run.acted, "kind": row.kind, "outcome": str(id), "value": str(row.value)}
    return Line(
        "outcome.received",
        f"outcome:{id}",
        row.actor,
        agent=run.agent,
        run=run.id,
        region=run.region,
        segment=run.segment,
        account=run.account,
        detail=detail,
    )
