"""HTTP: one request an action, never redirected, never resent."""

import asyncio
import math
import ssl
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID

import aiohttp
import orjson

from agents.connectors.addresses import AddressRefused, AddressRules, CheckedResolver
from agents.connectors.contract import (
    Answer,
    BadPayload,
    CannotTell,
    Found,
    NotFound,
    Outgoing,
    Verdict,
    boottime,
    one_line,
    slots_for,
)
from agents.connectors.fields import Field
from agents.connectors.http_config import FIELDS, PAYLOAD_FIELDS, Settings, read_settings
from agents.connectors.http_request import Request, compose, fill, join
from agents.connectors.http_verdict import verdict_of
from agents.connectors.redact import Redactor

BODY_LIMIT = 64 * 1024
RECEIPT_LIMIT = 2048
KEPT_OPEN = 3.0
"""Seconds a connection is kept for reuse: less than most servers wait before they close it."""
REUSING = frozenset({"POST", "PATCH"})
"""Methods that aiohttp never resends by itself, and so may go over a connection that was used before."""
_NO_CEIL = math.inf


class _PermitPassed(Exception):
    pass


class _WouldResend(Exception):
    pass


class _Flight:
    """One attempt's leave to write, given once, and looked at again just before the first byte."""

    __slots__ = ("begun", "expired", "permit_until", "written")

    def __init__(self, permit_until: float) -> None:
        self.permit_until = permit_until
        self.written = False
        """Whether bytes may have been written."""
        self.begun = self.expired = False

    def take(self) -> None:
        if self.written:
            raise _WouldResend
        if boottime() > self.permit_until:
            raise _PermitPassed
        self.written = True

    def begin(self) -> None:
        """Headers go out with the body, from a task that aiohttp starts later: a process may be frozen in between."""
        if not self.begun and boottime() > self.permit_until:
            self.expired = True
            raise _PermitPassed
        self.begun = True


async def _before_writing(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.take()


async def _before_body(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.begin()


class HttpConnector:
    """One far side that is spoken to in JSON over HTTP, with keep-alive where a lost connection is told apart."""

    kind: ClassVar[str] = "http"
    label: ClassVar[str] = "HTTP"
    fields: ClassVar[tuple[Field, ...]] = FIELDS
    payload_fields: ClassVar[tuple[Field, ...]] = PAYLOAD_FIELDS

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, Any], *, allow: AddressRules) -> None:
        self._settings: Settings = read_settings(config, secrets, allow=allow)
        self._allow = allow
        self._redact = Redactor(self._settings.secrets)
        self._url = self._settings.url
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self.idempotent = self._settings.idempotent
        self.lookup_after = self._settings.lookup_after
        self.can_undo = bool(self._settings.undo_method)
        self.timeout = self._settings.timeout
        self.slots = slots_for(idempotent=self.idempotent, lookup_after=self.lookup_after)

    def check(self, payload: Mapping[str, Any]) -> None:
        """See Connector.check."""
        self._request(payload)

    def _request(self, payload: Mapping[str, Any]) -> Request:
        settings = self._settings
        return compose(payload, place=settings.place, url=self._url, method=settings.method, headers=settings.headers)

    async def send(self, out: Outgoing) -> Answer:
        """See Connector.send."""
        started = time.perf_counter()
        try:
            request = self._request(out.payload)
        except BadPayload as fault:
            return _answer(started, Verdict.FAILED, f"nothing was sent: {self._redact.text(str(fault))}")
        request.headers["Idempotency-Key"] = str(out.action_id)
        if request.method in REUSING:
            await _hear()
        return await self._exchange(request, permit_until=out.permit_until, timeout=out.timeout, started=started)

    async def lookup(self, action_id: UUID) -> Found | NotFound | CannotTell:
        """See Connector.lookup: 200 is found, 404 not found."""
        settings = self._settings
        if settings.lookup_after is None:
            return CannotTell("this connection has no way to look an action up")
        url = join(settings.place, fill(settings.lookup_path, {"action_id": str(action_id)}))
        answer = await self._exchange(Request("GET", url, dict(settings.headers), None))
        if answer.status == 200:
            return Found(answer.receipt)
        return NotFound() if answer.status == 404 else CannotTell(answer.detail)

    def undo_payload(self, *, action_id: UUID, payload: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
        """The payload of the configured undo; `{name}` is a field of the object that the far side answered with."""
        if not self.can_undo:
            raise BadPayload("this connection has no way to undo")
        answered = receipt.get("body")
        values = (answered if isinstance(answered, dict) else {}) | {"action_id": str(action_id)}
        return {"method": self._settings.undo_method, "path": fill(self._settings.undo_path, values)}

    async def test(self) -> Answer:
        """Ask for the head of the base address: any answer shows an open way, 401 and 403 one not open to us."""
        answer = await self._exchange(Request("HEAD", self._url, dict(self._settings.headers), None))
        if answer.status is None:
            return answer
        if answer.status in (401, 403):
            detail = f"it answers, but refuses our credentials ({answer.status})"
            return Answer(Verdict.FAILED, answer.status, detail, answer.ms)
        if answer.status < 300 or answer.status in (404, 405, 501):
            return Answer(Verdict.DELIVERED, answer.status, f"it answers ({answer.status} to HEAD)", answer.ms)
        return Answer(Verdict.FAILED, answer.status, f"it answers {answer.detail}", answer.ms)

    async def close(self) -> None:
        """See Connector.close."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    def _session(self, method: str) -> aiohttp.ClientSession:
        # aiohttp resends what HTTP calls idempotent when a reused connection was closed, so those get a fresh one.
        reuse = method in REUSING
        session = self._sessions.get(reuse)
        if session is None:
            session = self._sessions[reuse] = self._new_session(reuse=reuse)
        return session

    def _new_session(self, *, reuse: bool) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_before_writing)
        trace.on_connection_reuseconn.append(_before_writing)
        trace.on_request_chunk_sent.append(_before_body)  # which aiohttp calls before it writes
        tls: ssl.SSLContext | bool = self._settings.tls or True
        keep: dict[str, Any] = {"keepalive_timeout": KEPT_OPEN} if reuse else {"force_close": True}
        connector = aiohttp.TCPConnector(limit=self.slots, resolver=CheckedResolver(self._allow), ssl=tls, **keep)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            trace_configs=[trace],
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Content-Type"),
        )

    async def _exchange(
        self,
        request: Request,
        *,
        permit_until: float = math.inf,
        timeout: float | None = None,
        started: float | None = None,
    ) -> Answer:
        started = started or time.perf_counter()
        flight = _Flight(permit_until)
        left = permit_until - boottime()
        if left < 0:
            return _answer(started, Verdict.EXPIRED, "the permit had passed before anything was written")
        limits = aiohttp.ClientTimeout(
            total=timeout or self.timeout, connect=left if left < math.inf else None, ceil_threshold=_NO_CEIL
        )
        answer: Answer | None = None
        try:
            async with self._session(request.method).request(
                request.method,
                request.url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                timeout=limits,
                trace_request_ctx=flight,
            ) as response:
                answer = self._told(response, await _read(response), started)
        except Exception as fault:
            return answer or self._fault(fault, flight, started)
        return answer

    def _told(self, response: aiohttp.ClientResponse, body: bytes, started: float) -> Answer:
        status, detail = response.status, f"{response.status} {response.reason or ''}".rstrip()
        verdict, retry_after = verdict_of(status, response.headers.get("Retry-After"))
        receipt: dict[str, Any] = {}
        if verdict is Verdict.DELIVERED:
            receipt = self._receipt(status, body)
        elif 300 <= status < 400:
            detail = f"{status}: redirects are not followed"
        elif body:
            detail += ": " + self._redact.bytes(body[:4096]).decode("utf-8", "replace")
        return Answer(
            verdict=verdict,
            status=status,
            detail=one_line(self._redact.text(detail)),
            ms=round((time.perf_counter() - started) * 1000),
            retry_after=retry_after,
            receipt=receipt,
        )

    def _receipt(self, status: int, body: bytes) -> dict[str, Any]:
        if not body:
            return {"status": status}
        clean = self._redact.bytes(body)
        # PostgreSQL's JSON holds no NUL.
        if len(clean) <= RECEIPT_LIMIT and clean[:1] in b"{[" and b"\\u0000" not in clean:
            try:
                return {"status": status, "body": orjson.loads(clean)}
            except orjson.JSONDecodeError:
                pass
        return {"status": status, "body": one_line(clean[:RECEIPT_LIMIT].decode("utf-8", "replace"))}

    def _fault(self, fault: Exception, flight: _Flight, started: float) -> Answer:
        if isinstance(fault, _PermitPassed) or flight.expired:
            return _answer(started, Verdict.EXPIRED, "the permit passed before anything was written")
        if isinstance(fault, AddressRefused):
            return _answer(started, Verdict.FAILED, f"nothing was sent: {fault}")
        why = self._redact.text(_why(fault))
        if flight.written:
            return _answer(started, Verdict.UNKNOWN, f"sent, but no answer: {why}")
        if isinstance(fault, OSError | TimeoutError | aiohttp.ClientConnectionError):
            return _answer(started, Verdict.UNSENT, f"nothing was written: {why}")
        return _answer(started, Verdict.FAILED, f"nothing was sent: {why}")


async def _hear() -> None:
    """Let the loop hear of connections that closed while it was kept from running, so that none of them is reused."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """At most BODY_LIMIT bytes of the body; what is broken or left after the status line changes nothing."""
    if response.headers.get("Content-Length") == "0":
        return b""
    chunks: list[bytes] = []
    size = 0
    try:
        while size < BODY_LIMIT and (chunk := await response.content.read(BODY_LIMIT - size)):
            chunks.append(chunk)
            size += len(chunk)
        if not response.content.at_eof():
            response.close()
    except (aiohttp.ClientError, OSError):
        response.close()
    return b"".join(chunks)


def _why(fault: Exception) -> str:
    match fault:
        case _WouldResend() | aiohttp.ServerDisconnectedError():
            return "the connection closed without an answer"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate was not accepted ({fault.certificate_error})"
        case aiohttp.ClientSSLError():
            return f"TLS failed ({fault.os_error.strerror or fault.os_error})"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {fault.host} did not resolve"
        case aiohttp.ClientConnectorError():
            return f"no connection to {fault.host} port {fault.port} ({fault.os_error.strerror or fault.os_error})"
        case aiohttp.ConnectionTimeoutError():
            return "no connection in time"
        case TimeoutError():
            return "it took too long"
        case aiohttp.ClientResponseError():
            return f"the answer was not HTTP ({fault.message})"
        case _:
            return f"{type(fault).__name__} {fault}"


def _answer(started: float, verdict: Verdict, detail: str) -> Answer:
    ms = round((time.perf_counter() - started) * 1000)
    return Answer(verdict=verdict, status=None, detail=one_line(detail), ms=ms)
