"""E-mail: one message an action, handed to an SMTP relay over connections that are kept for a while."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

import aiosmtplib

from agents.connectors.addresses import AddressRefused, AddressRules, canonical_host, check_host
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
from agents.connectors.email_message import PAYLOAD_FIELDS, Message, Sender, address, compose
from agents.connectors.fields import ConfigError, Field, Problem, read
from agents.connectors.redact import Redactor
from agents.connectors.smtp_line import Line, Refused, Relay
from agents.connectors.tls import tls_context

MESSAGES_A_LINE = 100
IDLE = 20.0
"""Seconds a line is kept without use."""


class EmailConnector:
    """One SMTP relay. No far side can be asked about a message or take it back, so an unknown goes to a person."""

    kind: ClassVar[str] = "email"
    label: ClassVar[str] = "E-mail"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("host", "Server", "The SMTP server, such as smtp.example.com.", required=True),
        Field("port", "Port", "Usually 587 with STARTTLS, 465 with TLS.", "number", default=587.0, low=1, high=65535),
        Field(
            "tls",
            "Encryption",
            "None only to a host that an admin allowed.",
            "choice",
            default="starttls",
            choices=(("starttls", "STARTTLS, required"), ("tls", "TLS from the start"), ("none", "none")),
        ),
        Field("username", "Name", "If the server asks for one."),
        Field("password", "Password", "That goes with the name.", secret=True),
        Field("from_address", "From", "The address that mail comes from.", required=True),
        Field("from_name", "From, as a name", "Shown beside the address."),
        Field("reply_to", "Answers go to", "Where a step names no one."),
        Field("timeout", "Time limit (s)", "For one message, in seconds.", "number", default=20.0, low=0.1, high=120),
        Field("ca_certificate", "Own authority", "PEM of a certificate authority to trust besides the usual.", "long"),
    )
    payload_fields: ClassVar[tuple[Field, ...]] = PAYLOAD_FIELDS
    idempotent = False
    lookup_after: float | None = None
    can_undo = False

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, Any], *, allow: AddressRules) -> None:
        values, problems = read(self.fields, config, secrets)
        host, port = _host(values, allow, problems)
        sender = _sender(values, problems)
        if values["password"] and not values["username"]:
            problems.append(Problem("username", "there is a password but no name", "Give the name that goes with it."))
        context = tls_context(values["ca_certificate"], problems)
        if problems:
            raise ConfigError(problems)
        self._allow = allow
        self._sender = sender
        username, password = values["username"] or "", values["password"] or ""
        self._relay = Relay(
            host=host,
            port=port,
            tls=values["tls"],
            context=context or ssl.create_default_context(),
            username=username,
            password=password,
            helo=sender.domain,
        )
        self._redact = Redactor([password, f"\0{username}\0{password}" if password else ""])
        self._idle: list[Line] = []
        self.timeout = values["timeout"]
        self.slots = slots_for(idempotent=self.idempotent, lookup_after=self.lookup_after)

    def check(self, payload: Mapping[str, Any]) -> None:
        """See Connector.check."""
        compose(payload, action_id=UUID(int=0), sender=self._sender)

    async def send(self, out: Outgoing) -> Answer:
        """See Connector.send. Until the body is written nothing has taken effect; after it only the reply tells."""
        started = time.perf_counter()
        try:
            message = compose(out.payload, action_id=out.action_id, sender=self._sender)
        except BadPayload as fault:
            return self._answer(started, Verdict.FAILED, f"nothing was sent: {fault}")
        line = await self._kept()
        reused = line is not None
        line = line or self._new_line()
        try:
            async with asyncio.timeout(out.timeout):
                try:
                    reply = await self._deliver(line, message, out.permit_until)
                except (aiosmtplib.SMTPServerDisconnected, OSError):
                    if not reused or line.written:
                        raise
                    # The relay had hung up while the line was idle, and heard nothing of this message.
                    line = self._new_line()
                    reply = await self._deliver(line, message, out.permit_until)
        except Exception as fault:
            return self._fault(started, fault, line)
        finally:
            self._keep(line)
        receipt = {"message_id": message.message_id, "reply": one_line(self._redact.text(reply), 200)}
        return self._answer(started, Verdict.DELIVERED, reply, int(reply[:3]), receipt)

    async def lookup(self, action_id: UUID) -> Found | NotFound | CannotTell:
        """SMTP has no way to ask."""
        return CannotTell("a mail server can't be asked what became of a message")

    def undo_payload(self, *, action_id: UUID, payload: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
        """Mail that has left stays out."""
        raise BadPayload("mail can't be taken back")

    async def test(self) -> Answer:
        """Connect, greet, encrypt, sign in and part: no message is written."""
        started = time.perf_counter()
        line = self._new_line()
        try:
            async with asyncio.timeout(self.timeout):
                await line.open()
                await line.noop()
        except Exception as fault:
            return self._fault(started, fault, line)
        finally:
            await line.quit()
        done = {"none": "unencrypted", "tls": "with TLS", "starttls": "with STARTTLS"}[self._relay.tls]
        signed_in = ", signed in" if self._relay.username else ""
        return self._answer(started, Verdict.DELIVERED, f"it answers {done}{signed_in}", 250)

    async def close(self) -> None:
        """See Connector.close."""
        lines, self._idle = self._idle, []
        await asyncio.gather(*(line.quit() for line in lines))

    def _new_line(self) -> Line:
        return Line(self._relay, self._allow)

    async def _kept(self) -> Line | None:
        """The line used last, if it is still good."""
        now = time.monotonic()
        while self._idle:
            line = self._idle.pop()
            if line.is_open and now - line.idle_since < IDLE:
                return line
            line.close()
        return None

    def _keep(self, line: Line) -> None:
        if line.is_open and line.delivered < MESSAGES_A_LINE and len(self._idle) < self.slots:
            line.idle_since = time.monotonic()
            self._idle.append(line)
        else:
            line.close()

    async def _deliver(self, line: Line, message: Message, permit_until: float) -> str:
        if not line.is_open:
            left = permit_until - boottime()
            if left <= 0:
                raise Refused(Verdict.EXPIRED, "the permit had passed before anything was written")
            async with asyncio.timeout(left):
                await line.open()
        return await line.deliver(
            sender=self._sender.address, recipient=message.to, data=message.data, permit_until=permit_until
        )

    def _fault(self, started: float, fault: Exception, line: Line) -> Answer:
        if isinstance(fault, Refused):
            return self._answer(started, fault.verdict, str(fault), fault.status)
        if isinstance(fault, AddressRefused):
            return self._answer(started, Verdict.FAILED, f"nothing was sent: {fault}")
        why = _why(fault)
        if line.written:
            return self._answer(started, Verdict.UNKNOWN, f"the message was written, but no answer: {why}")
        if isinstance(fault, OSError | aiosmtplib.SMTPException):
            return self._answer(started, Verdict.UNSENT, f"no message was written: {why}")
        return self._answer(started, Verdict.FAILED, f"nothing was sent: {why}")

    def _answer(
        self,
        started: float,
        verdict: Verdict,
        detail: str,
        status: int | None = None,
        receipt: dict[str, Any] | None = None,
    ) -> Answer:
        ms = round((time.perf_counter() - started) * 1000)
        said = one_line(self._redact.text(detail))
        return Answer(verdict=verdict, status=status, detail=said, ms=ms, receipt=receipt or {})


def _host(values: Mapping[str, Any], allow: AddressRules, problems: list[Problem]) -> tuple[str, int]:
    port = values["port"]
    if port != int(port):
        problems.append(Problem("port", "it is not a whole number", "Give a port such as 587."))
    if not values["host"]:
        return "", int(port)
    try:
        host = canonical_host(values["host"])
        check_host(host, int(port), allow)
    except AddressRefused as fault:
        problems.append(Problem("host", str(fault), "Give another server, or let an admin allow this one."))
        return "", int(port)
    if values["tls"] == "none" and not allow.names_host(host, int(port)):
        problems.append(Problem("tls", "mail would go unencrypted", "Use STARTTLS or TLS, or let an admin allow it."))
    return host, int(port)


def _sender(values: Mapping[str, Any], problems: list[Problem]) -> Sender:
    found: dict[str, str] = {}
    for name in ("from_address", "reply_to"):
        found[name] = ""
        if values[name]:
            try:
                found[name] = address(values[name])
            except BadPayload as fault:
                problems.append(Problem(name, str(fault), "Give one address, such as sales@example.com."))
    if not (values["from_name"] or "").isprintable() or len(values["from_name"] or "") > 100:
        problems.append(Problem("from_name", "it holds a line break or is too long", "Give a name on one line."))
    return Sender(address=found["from_address"], name=values["from_name"] or "", reply_to=found["reply_to"])


def _why(fault: Exception) -> str:
    if isinstance(fault, TimeoutError) and not isinstance(fault, aiosmtplib.SMTPException):
        return "it took too long"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted ({fault.verify_message})"
    if isinstance(fault.__cause__, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted ({fault.__cause__.verify_message})"
    return str(fault) or type(fault).__name__
