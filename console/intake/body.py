"""Reading a request's body within bounds, whatever it claims to be: chunked, compressed, too long, cut short."""

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from console.intake.answers import Fault

MAX_WIRE = 5 * 1024 * 1024
MAX_INFLATED = 10 * 1024 * 1024
MAX_DRAINED = 32 * 1024 * 1024
STEP = 64 * 1024
MAX_MEMBERS = 100
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
RAW_DEFLATE = -15


class Body(NamedTuple):
    """The body as it travelled, and inflated; the same bytes when it was not compressed."""

    wire: bytes
    plain: bytes


def read(environ: dict[str, Any]) -> Body:
    """The request's body. Fault 413 past MAX_WIRE or MAX_INFLATED, 415 for an unknown encoding, 400 when cut short."""
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity", *WINDOWS):
        raise Fault(
            415,
            f"The encoding {encoding[:40]!r} is not understood.",
            where="header Content-Encoding",
            how="Send gzip, deflate or no encoding.",
            headers=(("Accept-Encoding", "gzip, deflate"),),
        )
    wire = _wire(environ)
    return Body(wire, inflate(wire, encoding) if encoding in WINDOWS and wire else wire)


def drain(environ: dict[str, Any]) -> None:
    """Read what is left of a body and forget it, so that the answer reaches a client that is still sending."""
    source = environ["wsgi.input"]
    for _ in range(MAX_DRAINED // STEP):
        try:
            if not source.read(STEP):
                return
        except Exception:
            return


def inflate(wire: bytes, encoding: str) -> bytes:
    """`wire` decompressed. A bomb costs STEP bytes of memory, since it is measured before it is kept."""
    window = WINDOWS[encoding]
    if encoding == "deflate" and not _is_zlib(wire):
        window = RAW_DEFLATE
    size = _measure(wire, window)
    return _inflated(wire, window, size)


def _wire(environ: dict[str, Any]) -> bytes:
    source = environ["wsgi.input"]
    claimed = environ.get("CONTENT_LENGTH") or ""
    if not claimed and not environ.get("HTTP_TRANSFER_ENCODING"):
        return b""
    wanted = int(claimed) if claimed.isdigit() else None
    if wanted is not None and wanted > MAX_WIRE:
        raise _too_long("the body", MAX_WIRE)
    parts: list[bytes] = []
    size = 0
    while wanted is None or size < wanted:
        try:
            part = source.read(min(wanted - size, MAX_WIRE) if wanted is not None else STEP)
        except Exception as error:
            raise Fault(400, "The body ended early.", where="the body", how="Send it whole.") from error
        if not part:
            break
        size += len(part)
        if size > MAX_WIRE:
            raise _too_long("the body", MAX_WIRE)
        parts.append(part)
    if wanted is not None and size < wanted:
        raise Fault(400, "The body ended early.", where="the body", how="Send as much as Content-Length says.")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _measure(wire: bytes, window: int) -> int:
    """The inflated size, holding STEP bytes at a time."""
    size = 0
    for part in _members(wire, window):
        size += len(part)
        if size > MAX_INFLATED:
            raise _too_long("the inflated body", MAX_INFLATED)
    return size


def _inflated(wire: bytes, window: int, size: int) -> bytes:
    if size <= STEP:
        return b"".join(_members(wire, window))
    whole = bytearray(size)
    at = 0
    for part in _members(wire, window):
        whole[at : at + len(part)] = part
        at += len(part)
    return bytes(whole)


def _members(wire: bytes, window: int) -> Iterator[bytes]:
    """The inflated pieces, at most STEP bytes each, of all members; Fault 400 for damaged or cut data."""
    at = 0
    try:
        for _ in range(MAX_MEMBERS):
            inflater = zlib.decompressobj(window)
            while not inflater.eof and at < len(wire):
                part = inflater.decompress(wire[at : at + STEP], STEP)
                at += STEP
                yield part
                while not inflater.eof and (inflater.unconsumed_tail or len(part) == STEP):
                    part = inflater.decompress(inflater.unconsumed_tail, STEP)
                    yield part
            if not inflater.eof:
                raise zlib.error("it is cut short")
            at = min(at, len(wire)) - len(inflater.unused_data)
            if at == len(wire):
                return
        raise zlib.error("it has too many members")
    except zlib.error as error:
        raise Fault(
            400, f"The compressed body is damaged: {error}.", where="the body", how="Compress it again, whole."
        ) from error


def _is_zlib(wire: bytes) -> bool:
    return len(wire) > 1 and wire[0] & 15 == 8 and (wire[0] << 8 | wire[1]) % 31 == 0


def _too_long(what: str, most: int) -> Fault:
    return Fault(
        413,
        f"{what.capitalize()} is longer than {most // 1024 // 1024} MB.",
        where=what,
        how="Send fewer or smaller events at once.",
    )
