"""Signals for pages to show, taken in as the intake does, in the test's own transaction."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from agents.changes.source import create_source
from agents.loop.envelope import Envelope, wrap
from agents.loop.intake import Fate, receive, understand
from agents.loop.sources import load_sources
from agents.models import Source


def source(slug: str = "website", **more: Any) -> Source:
    return create_source(actor="cli", slug=slug, name=slug.title(), **more)


def arrive(source: Source, *bodies: Any, format: str = "json") -> list[Fate]:
    """Take each body in, at once; the fate of each."""
    with transaction.atomic(), connection.cursor() as wrapped:
        known = load_sources(wrapped.cursor, {})[source.slug]
        rows = []
        for body in bodies:
            envelope = wrap(format, body)
            assert isinstance(envelope, Envelope)
            rows.append(understand(known, envelope, at=datetime.now(UTC)))
        return receive(wrapped.cursor, rows)


def event(n: int, **more: Any) -> dict[str, Any]:
    return {"id": f"evt-{n}", "type": "pricing_visit", "account": "acme.example", "email": "jo@acme.example", **more}
