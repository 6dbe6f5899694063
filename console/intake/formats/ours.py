"""Our JSON: one object, an array of them, or one a line (NDJSON). The body of a Standard Webhook is one too."""

from typing import Any

import orjson

from agents.loop.envelope import Envelope, Refused, wrap
from console.intake.answers import Fault
from console.intake.formats.documents import BOM, Parsed, Read, check_count, events, not_an_object, read

LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


def parse(raw: bytes, *, content_type: str, webhook_id: str = "") -> Parsed:
    """
    The events in `raw`. `webhook_id`, of a signed request, is the id of those that have none.

    Fault 400 or 413 when the body as a whole cannot be used.
    """
    if content_type in LINES:
        return _lines(raw, webhook_id)
    try:
        found = read(raw)
    except Fault:
        if _looks_like_lines(raw):
            return _lines(raw, webhook_id)
        raise
    if not isinstance(found.value, list):
        return Parsed([_event(found.value, found.raw, webhook_id)], found.note)
    items = [
        _event(one, None, f"{webhook_id}#{place}" if webhook_id else "")
        for place, one in enumerate(events(found.value))
    ]
    return Parsed(items, found.note)


def _event(value: Any, raw: bytes | None, webhook_id: str) -> Envelope | Refused:
    if not isinstance(value, dict):
        return not_an_object(value)
    format = "json"
    if webhook_id:
        if isinstance(value.get("data"), dict) and isinstance(value.get("type"), str):
            format = "standard_webhooks"
        if "id" not in value:
            value, raw = {**value, "id": webhook_id}, None
    return wrap(format, value, payload=raw, id=webhook_id)


def _lines(raw: bytes, webhook_id: str) -> Parsed:
    lines = [line for line in raw.removeprefix(BOM).split(b"\n") if line.strip()]
    if not lines:
        raise Fault(400, "The body is empty.", where="the body", how="Send one JSON object a line.")
    check_count(len(lines))
    items: list[Envelope | Refused] = []
    note = ""
    for place, line in enumerate(lines):
        try:
            found: Read = read(line)
        except Fault as fault:
            items.append(Refused(str(fault).replace("The body", "The line"), "Send one JSON object a line."))
            continue
        note = note or found.note
        items.append(_event(found.value, found.raw, f"{webhook_id}#{place}" if webhook_id else ""))
    return Parsed(items, note)


def _looks_like_lines(raw: bytes) -> bool:
    """Whether the first line is an object by itself and there are more."""
    first, _, rest = raw.removeprefix(BOM).strip().partition(b"\n")
    if not rest:
        return False
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False
