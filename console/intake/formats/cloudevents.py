"""
CloudEvents 1.0 over HTTP: structured, binary and batched. https://github.com/cloudevents/spec, v1.0.2

Each event is kept in its structured JSON form, whichever way it came.
"""

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from agents.loop.envelope import Envelope, Refused, wrap
from console.intake.answers import Fault
from console.intake.formats.documents import Parsed, events, not_an_object, read

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
REQUIRED = ("id", "source", "type")
ATTRIBUTE = re.compile(r"[a-z0-9]{1,60}")


def is_cloudevents(environ: dict[str, Any], content_type: str) -> bool:
    """Whether the request is one by its content type or its headers."""
    return content_type.startswith("application/cloudevents") or "HTTP_CE_SPECVERSION" in environ


def parse(raw: bytes, environ: dict[str, Any], *, content_type: str) -> Parsed:
    """The events of a request, those that lack an attribute refused one by one. Fault 400, 413 or 415 for all."""
    if content_type == STRUCTURED:
        found = read(raw)
        if isinstance(found.value, list):
            raise Fault(400, "The body is an array.", where="header Content-Type", how=f"Send a batch as {BATCH}.")
        return Parsed([_event(found.value, found.raw)], found.note)
    if content_type == BATCH:
        found = read(raw)
        if not isinstance(found.value, list):
            raise Fault(400, "The batch is not an array.", where="the body", how=f"Send one event as {STRUCTURED}.")
        return Parsed([_event(one, None) for one in events(found.value)] if found.value else [], found.note)
    if content_type.startswith("application/cloudevents"):
        raise Fault(
            415,
            f"The event format {content_type[:60]} is not understood.",
            where="header Content-Type",
            how=f"Send {STRUCTURED}, {BATCH}, or binary mode.",
        )
    return _binary(raw, environ, content_type)


def _binary(raw: bytes, environ: dict[str, Any], content_type: str) -> Parsed:
    event: dict[str, Any] = {}
    for header, value in environ.items():
        if header.startswith("HTTP_CE_") and isinstance(value, str):
            name = header[8:].lower()
            if ATTRIBUTE.fullmatch(name):
                event[name] = _header(value)
    if environ.get("CONTENT_TYPE"):
        event["datacontenttype"] = environ["CONTENT_TYPE"]
    note = ""
    if raw:
        if not content_type or content_type.endswith(("/json", "+json")):
            found = read(raw)
            event["data"], note = found.value, found.note
        else:
            try:
                event["data"] = raw.decode().replace("\0", "\ufffd")
            except UnicodeDecodeError:
                event["data_base64"] = base64.b64encode(raw).decode()
    return Parsed([_event(event, None)], note)


def _event(event: Any, raw: bytes | None) -> Envelope | Refused:
    if not isinstance(event, dict):
        return not_an_object(event)
    version = event.get("specversion")
    if version != "1.0":
        return Refused(f"The specversion is {str(version)[:20]!r}.", 'Send CloudEvents of specversion "1.0".')
    missing = [name for name in REQUIRED if not isinstance(event.get(name), str) or not event[name].strip()]
    if missing:
        return Refused(f"There is no {' and no '.join(missing)}.", "Send each as text that is not empty.")
    data = _opened(event)
    if data is not None:
        event, raw = {key: value for key, value in event.items() if key != "data_base64"} | {"data": data}, None
    return wrap("cloudevents", event, payload=raw, id=f"{event['source']} {event['id']}")


def _opened(event: dict[str, Any]) -> Any:
    """The JSON inside `data_base64`, where the event says that it is JSON; None when there is none to open."""
    packed = event.get("data_base64")
    kind = str(event.get("datacontenttype") or "").partition(";")[0].strip().lower()
    if not isinstance(packed, str) or "data" in event or not kind.endswith(("/json", "+json")):
        return None
    try:
        return read(base64.b64decode(packed, validate=True)).value
    except (binascii.Error, ValueError, Fault):
        return None


def _header(value: str) -> str:
    """An attribute's text out of its header: unquoted, percent-decoded (HTTP binding, 3.1.3.2)."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return unquote_to_bytes(value.encode("latin-1")).decode(errors="replace").replace("\0", "\ufffd")
