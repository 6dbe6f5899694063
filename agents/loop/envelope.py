"""An event as it came in, before its source's mapping has read it."""

from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

MAX_DEPTH = 250
MAX_SPOILT = 65_536
RESTAMPED = {
    "segment": frozenset(("timestamp", "originalTimestamp", "sentAt", "receivedAt", "writeKey")),
    "cloudevents": frozenset(("time", "traceparent", "tracestate")),
}
"""What a sender may stamp anew each time it sends the same event: it tells no repeat from a conflict."""


class Refused(NamedTuple):
    """An item that is not taken in: what is wrong with it, and how to mend it."""

    what: str
    how: str


class Envelope(NamedTuple):
    """One event of a format, a key of agents.rules.mapping_defaults.DEFAULTS."""

    format: str
    body: Any
    """What the mapping reads."""
    payload: bytes
    """Its JSON, as it is kept."""
    content: int
    """64 signed bits that tell a repeat from the same id with other content."""
    id: str = ""
    """The id that the format itself gives, for when the mapping finds none."""
    reason: str = ""
    """Why it can be no event: then the body is its text, and it becomes a dead letter whatever the mapping says."""


def spoilt(format: str, text: str, refused: Refused) -> Envelope:
    """The envelope of what was refused and yet must not be lost: its text, cut to MAX_SPOILT characters."""
    text = text[:MAX_SPOILT]
    payload = orjson.dumps(text)
    return Envelope(format, text, payload, _digest(payload), reason=f"{refused.what} {refused.how}")


def wrap(format: str, body: Any, *, id: str = "", payload: bytes | None = None) -> Envelope | Refused:
    """
    The envelope of `body`, parsed JSON of any shape, or why it cannot be kept (nested too deep, a number out of range).

    `payload` is its JSON if that is at hand.
    """
    restamped = RESTAMPED.get(format)
    lasting = body
    if restamped and isinstance(body, dict):
        lasting = {key: value for key, value in body.items() if key not in restamped}
    try:
        canonical = orjson.dumps(lasting, option=orjson.OPT_SORT_KEYS)
        kept = orjson.dumps(body) if payload is None else payload
    except TypeError as error:
        if "ecursion" in str(error):
            return Refused(f"The event is nested more than {MAX_DEPTH} levels deep.", "Send a flatter object.")
        return Refused("A number in the event is NaN, Infinity or out of range.", "Send it as text, or leave it out.")
    return Envelope(format, body, kept, _digest(canonical), id)


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)
