"""
Mending what was not understood: dead letters replayed with the mapping in force now, or discarded.

A replayed letter's signal bears the letter's id and time of receipt, so that replaying is safe to repeat.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection, transaction

from agents.loop.envelope import Refused, wrap
from agents.loop.intake import CONFLICT, Fate, Row, admit, external_hash, line, understand
from agents.loop.sources import KnownSource, load_sources
from audit.entries import Line, append

OPEN = """
SELECT id, source_id, format, external_id, envelope, reason, received_at FROM agents_deadletter
WHERE id = ANY(%s::uuid[]) AND state = 'open' ORDER BY id FOR UPDATE
"""
UNCLAIM = """
DELETE FROM agents_seen s USING unnest(%s::int[], %s::uuid[], %s::uuid[]) AS t (source_id, hash, id)
WHERE s.source_id = t.source_id AND s.hash = t.hash AND s.signal_id = t.id
"""
SIGNALS = """
SELECT t.id, s.signal_id FROM unnest(%s::uuid[], %s::int[], %s::uuid[]) AS t (id, source_id, hash)
JOIN agents_seen s USING (source_id, hash)
"""
CLOSE = """
UPDATE agents_deadletter d SET state = 'replayed', closed_at = %s, signal_id = t.signal_id
FROM unnest(%s::uuid[], %s::uuid[]) AS t (id, signal_id) WHERE d.id = t.id
"""
AMEND = """
UPDATE agents_deadletter d SET kind = t.kind, reason = t.reason, external_id = t.external_id
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) AS t (id, kind, reason, external_id) WHERE d.id = t.id
"""
DISCARD = "UPDATE agents_deadletter SET state = 'discarded', closed_at = %s WHERE id = ANY(%s::uuid[])"


VERBS: dict[Fate, str] = {"accepted": "signal.replayed", "duplicate": "signal.repeated"}


class Replayed(NamedTuple):
    """What became of one letter. "accepted": a signal; "duplicate": it repeats one; else it stays open, with why."""

    id: UUID
    fate: Fate
    why: str = ""


class _Letter(NamedTuple):
    id: UUID
    source_id: int
    format: str
    external_id: str
    envelope: bytes
    reason: str
    received_at: datetime


def replay(dead_letter_ids: Sequence[UUID], *, actor: str) -> list[Replayed]:
    """
    Map open letters anew: signals of those understood, a better reason for the others; one answer for each found open.

    One transaction, the letters locked, entries by `actor` ("person:ana@example.com"). The caller wakes the workers.
    """
    with transaction.atomic(), connection.cursor() as wrapped:
        cur = wrapped.cursor
        sources = {source.id: source for source in load_sources(cur, {}).values()}
        letters = _open(cur, dead_letter_ids)
        rows = [_understand(sources[letter.source_id], letter) for letter in letters]
        _unclaim(cur, letters)
        fates = admit(cur, rows)
        found = dict(zip([row.id for row in rows], zip(rows, fates, strict=True), strict=True))
        _close(cur, [row for row, fate in found.values() if fate in ("accepted", "duplicate")])
        _amend(cur, [pair for pair in found.values() if pair[1] in ("dead", "conflict")])
        append(cur, [_entry(row, fate, actor) for row, fate in found.values()])
        return [Replayed(row.id, fate, _why(row, fate)) for row, fate in found.values()]


def discard(dead_letter_ids: Sequence[UUID], *, actor: str) -> int:
    """Close open letters for good; how many. Their ids are forgotten, so the sender may send them again."""
    with transaction.atomic(), connection.cursor() as wrapped:
        cur = wrapped.cursor
        letters = _open(cur, dead_letter_ids)
        _unclaim(cur, letters)
        cur.execute(DISCARD, [datetime.now(UTC), [letter.id for letter in letters]])
        append(cur, [Line("signal.discarded", f"signal:{letter.id}", actor) for letter in letters])
        return len(letters)


def _open(cur: Any, ids: Sequence[UUID]) -> list[_Letter]:
    return [_Letter._make(row) for row in cur.execute(OPEN, [list(ids)]).fetchall()]


def _understand(source: KnownSource, letter: _Letter) -> Row:
    envelope = wrap(letter.format, orjson.loads(letter.envelope), id=letter.external_id, payload=letter.envelope)
    if isinstance(envelope, Refused):
        raise ValueError(f"dead letter {letter.id}: {envelope.what}")
    if isinstance(envelope.body, str):
        envelope = envelope._replace(reason=letter.reason)
    return understand(source, envelope, at=letter.received_at, id=letter.id)


def _unclaim(cur: Any, letters: list[_Letter]) -> None:
    named = [letter for letter in letters if letter.external_id]
    hashes = [external_hash(letter.source_id, letter.external_id).hex() for letter in named]
    cur.execute(UNCLAIM, [[letter.source_id for letter in named], hashes, [letter.id for letter in named]])


def _close(cur: Any, rows: list[Row]) -> None:
    ids = [row.id for row in rows]
    keys = [ids, [row.source.id for row in rows], [row.hash for row in rows]]
    signals = dict(cur.execute(SIGNALS, keys).fetchall())
    cur.execute(CLOSE, [datetime.now(UTC), ids, [signals[id] for id in ids]])


def _amend(cur: Any, pairs: list[tuple[Row, Fate]]) -> None:
    kinds = ["conflict" if fate == "conflict" else "unmapped" for _, fate in pairs]
    reasons = [_why(row, fate) for row, fate in pairs]
    cur.execute(AMEND, [[row.id for row, _ in pairs], kinds, reasons, [row.external_id for row, _ in pairs]])


def _why(row: Row, fate: Fate) -> str:
    return {"dead": row.reason, "conflict": CONFLICT}.get(fate, "")


def _entry(row: Row, fate: Fate, actor: str) -> Line:
    return line(VERBS.get(fate, "signal.tried"), row, actor=actor)
