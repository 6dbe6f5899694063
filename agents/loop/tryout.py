"""Trying a mapping out on what a source really sent, before it is saved. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from agents.loop.envelope import Envelope, Refused, wrap
from agents.loop.sources import load_scopes
from agents.models import DeadLetter, Signal, Source
from agents.rules.mapping import Mapped, compile_mapping


@dataclass(frozen=True, slots=True)
class Received:
    """One event of a source. `reason` is why it is a dead letter, empty for a signal; `id` is the signal's or its."""

    id: UUID
    received_at: datetime
    reason: str
    envelope: Envelope


def last_received(source: Source, *, limit: int = 20) -> list[Received]:
    """The last `limit` events of the source, signals and open dead letters together, newest first."""
    signals = Signal.objects.filter(source=source).order_by("-id")[:limit]
    letters = DeadLetter.objects.filter(source=source, state=DeadLetter.State.OPEN).order_by("-id")[:limit]
    found = [_received(one, one.payload, "") for one in signals]
    found += [_received(one, one.envelope, one.reason) for one in letters]
    return sorted(found, key=lambda one: one.id, reverse=True)[:limit]


def try_mapping(mapping: dict[str, Any], envelopes: Sequence[Envelope]) -> list[Mapped]:
    """What `mapping` would make of each envelope, in order. SpecError lists all that is wrong with the mapping."""
    with connection.cursor() as wrapped:
        scopes = load_scopes(wrapped.cursor)
    compiled = {
        format: compile_mapping(mapping, format=format, regions=scopes.regions, segments=scopes.segments)
        for format in {envelope.format for envelope in envelopes} or {"json"}
    }
    return [compiled[envelope.format].apply(envelope.body, id=envelope.id) for envelope in envelopes]


def _received(one: Signal | DeadLetter, kept: Any, reason: str) -> Received:
    payload = bytes(kept)
    envelope = wrap(one.format, orjson.loads(payload), id=one.external_id, payload=payload)
    if isinstance(envelope, Refused):
        raise ValueError(f"{one.id}: {envelope.what}")
    return Received(one.id, one.received_at, reason, envelope)
