"""
Reading JSON that strangers wrote. What can be read is read: a byte order mark is skipped; NUL and halves of surrogate
pairs, which neither text nor PostgreSQL can hold, become U+FFFD; NaN and its like spoil their own event only.
"""

import json
import re
from typing import Any, NamedTuple

import orjson

from agents.loop.envelope import Envelope, Refused
from console.intake.answers import Fault

BOM = b"\xef\xbb\xbf"
MAX_EVENTS = 1000
MANY_BYTES = 128 * 1024
MANY_VALUES = 150_000
PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
ESCAPES = re.compile(PAIR + rb"|\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.", re.DOTALL)
REPLACED = "NUL or half of a surrogate pair was replaced by U+FFFD."


class Unusable:
    """Stands where JSON has no such value (NaN, Infinity, 1e999); no event that holds it can be kept but as `text`."""

    def __init__(self, text: str) -> None:
        self.text = text


class Read(NamedTuple):
    """What was read. `raw` is its JSON when that is what came; `note` tells what was replaced, if anything."""

    value: Any
    raw: bytes | None
    note: str = ""


class Parsed(NamedTuple):
    """The events of one request, in order, each taken in or refused."""

    items: list[Envelope | Refused]
    note: str = ""


def read(raw: bytes) -> Read:
    """The JSON in `raw`. Fault 400 when it is none, 413 when it holds more values than one request may."""
    raw = raw.removeprefix(BOM).strip()
    if len(raw) > MANY_BYTES and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MANY_VALUES:
        raise Fault(413, "The body holds too many values.", where="the body", how="Send fewer events at once.")
    if not raw:
        raise Fault(400, "The body is empty.", where="the body", how="Send a JSON object, or an array of them.")
    try:
        value = orjson.loads(raw)
        if b"\\u0000" not in raw:
            return Read(value, raw)
    except orjson.JSONDecodeError as error:
        return _read_again(raw, error)
    return _read_again(raw, None)


def events(found: Any) -> list[Any]:
    """`found` as a list of events: an array's members, or itself. Fault for an empty array or one too long."""
    if not isinstance(found, list):
        return [found]
    if not found:
        raise Fault(400, "The array holds no event.", where="the body", how="Send at least one.")
    check_count(len(found))
    return found


def check_count(events: int) -> None:
    """Fault 413 for more events than one request may hold."""
    if events > MAX_EVENTS:
        raise Fault(
            413, f"{events} events at once are too many.", where="the body", how=f"Send at most {MAX_EVENTS} a request."
        )


def not_an_object(found: Any) -> Refused:
    """The refusal of an event that is text, a number, an array or null."""
    kind = {str: "text", list: "an array", bool: "true or false", type(None): "null"}.get(type(found), "a number")
    return Refused(f"The event is {kind}, not an object.", 'Send an object, such as {"id": "…", "type": "…"}.')


def text_of(value: Any) -> str:
    """
    The JSON text of what `read` gave, with Unusable values as they came, as text.

    Of an object that is nested too deep even for that only the plain members remain; of anything else that is, "".
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda one: one.text)
    except RecursionError:
        members = value.items() if isinstance(value, dict) else ()
        plain = {key: member for key, member in members if not isinstance(member, dict | list)}
        return text_of(plain) if plain else ""


def _read_again(raw: bytes, error: orjson.JSONDecodeError | None) -> Read:
    mended = ESCAPES.sub(_mend, raw)
    note = REPLACED if mended != raw else ""
    try:
        return Read(orjson.loads(mended), mended, note)
    except orjson.JSONDecodeError as still:
        error = still
    try:
        value = json.loads(mended, parse_constant=Unusable, parse_int=_whole, parse_float=_number)
    except (ValueError, RecursionError):
        raise Fault(
            400, f"The body is not JSON: {error}.", where="the body", how="Send valid JSON in UTF-8."
        ) from error
    return Read(value, None, note)


def _mend(found: re.Match[bytes]) -> bytes:
    escape = found.group()
    return b"\\ufffd" if len(escape) == 6 else escape


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) <= 18 else _number(digits)


def _number(digits: str) -> Any:
    number = float(digits)
    return Unusable(digits) if number in (float("inf"), float("-inf")) else number
