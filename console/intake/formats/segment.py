"""
Segment's HTTP tracking API, and RudderStack's use of it: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/

One call a path, or many under /v1/batch and /v1/import. Browser libraries shorten the paths to their first letter.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from agents.loop.envelope import Envelope, Refused, spoilt, wrap
from audit.ids import new_id
from console.intake.answers import Fault
from console.intake.formats.documents import Parsed, events, read, text_of

CALLS = ("identify", "track", "page", "screen", "group", "alias")
PATHS: dict[str, str] = {
    **{f"/v1/{call}": call for call in CALLS},
    **{f"/v1/{call[0]}": call for call in ("identify", "track", "page", "screen", "group", "alias")},
    **dict.fromkeys(("/v1/batch", "/v1/import", "/v1/b"), ""),
}
"""Path → the call it carries, "" for a batch."""


def parse(raw: bytes, *, call: str) -> Parsed:
    """
    The calls in `raw`. None of a batch is refused, since these clients do not read which were: what is no proper call,
    or cannot be kept as an event, becomes a dead letter. Only a call that came alone under its own path is refused.
    Fault 400 or 413 when the body as a whole cannot be used.
    """
    found = read(raw)
    if not isinstance(found.value, dict):
        raise Fault(400, "The body is not an object.", where="the body", how="Send the call as a JSON object.")
    if call:
        return Parsed([_call(found.value, call, {})], found.note)
    batch = found.value.get("batch")
    if not isinstance(batch, list):
        raise Fault(400, "There is no array named batch.", where="batch", how='Send {"batch": [calls]}.')
    if not batch:
        return Parsed([], found.note)
    return Parsed([_kept(one, found.value) for one in events(batch)], found.note)


def write_key(raw: bytes) -> str:
    """The key in the body, where browser libraries put it; "" when there is none."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    key = body.get("writeKey") if isinstance(body, dict) else None
    return key if isinstance(key, str) else ""


def _kept(one: Any, batch: Mapping[str, Any]) -> Envelope:
    called = _call(one, "", batch)
    return spoilt("segment", text_of(one), called) if isinstance(called, Refused) else called


def _call(one: Any, call: str, batch: Mapping[str, Any]) -> Envelope | Refused:
    if not isinstance(one, dict):
        return wrap("segment", one)
    body = {key: value for key, value in one.items() if key != "writeKey"}
    if call:
        body["type"] = call
    if "context" not in body and isinstance(batch.get("context"), dict):
        body["context"] = batch["context"]
    if "sentAt" not in body and isinstance(batch.get("sentAt"), str) and not body.get("timestamp"):
        body["sentAt"] = batch["sentAt"]
    wrapped = wrap("segment", body)
    if isinstance(wrapped, Refused) or body.get("messageId"):
        return wrapped
    return wrapped._replace(id=_message_id(body, wrapped))


def _message_id(body: dict[str, Any], wrapped: Envelope) -> str:
    """As Segment does, one is made for a call without; the same for the same call of the same moment."""
    moment = body.get("timestamp") or body.get("originalTimestamp")
    return f"auto-{wrapped.content & (1 << 64) - 1:016x}-{moment}" if moment else f"auto-{new_id()}"
