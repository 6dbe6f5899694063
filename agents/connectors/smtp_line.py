"""One SMTP conversation: connected to a checked address, used for several messages, each written at most once."""

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from agents.connectors.addresses import AddressRules, resolve
from agents.connectors.contract import Verdict, boottime

_ENDINGS = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed over, and as whom."""

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"]
    context: ssl.SSLContext
    username: str
    password: str
    helo: str


class Refused(Exception):
    """Nothing was accepted, and which verdict that is."""

    def __init__(self, verdict: Verdict, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.verdict = verdict
        self.status = status


class Line:
    """
    A connection to the relay. `written` says whether the body of the message in hand may have gone out.

    After anything but a plain refusal by the relay it is closed, and `is_open` says so.
    """

    def __init__(self, relay: Relay, allow: AddressRules) -> None:
        self._relay = relay
        self._allow = allow
        self._smtp: aiosmtplib.SMTP | None = None
        self.written = False
        self.delivered = 0
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known without asking."""
        return self._smtp is not None and self._smtp.is_connected

    async def open(self) -> None:
        """Connect, greet, encrypt and sign in. Raises Refused, AddressRefused, or what the network raised."""
        relay = self._relay
        sock = await _connect(await resolve(relay.host, relay.port, self._allow), relay.port)
        smtp = aiosmtplib.SMTP(
            hostname=relay.host,
            local_hostname=relay.helo,
            timeout=None,
            use_tls=relay.tls == "tls",
            start_tls=relay.tls == "starttls",
            tls_context=relay.context,
            sock=sock,
        )
        try:
            await smtp.connect()
            if relay.username:
                await smtp.login(relay.username, relay.password)
            if smtp.is_ehlo_or_helo_needed:
                await _greet(smtp)
        except aiosmtplib.SMTPAuthenticationError as fault:
            smtp.close()
            lasting = 500 <= fault.code < 600
            raise Refused(
                Verdict.FAILED if lasting else Verdict.RETRY, f"sign-in refused: {fault.message}", fault.code
            ) from None
        except aiosmtplib.SMTPResponseException as fault:
            smtp.close()
            raise Refused(Verdict.UNSENT, f"{fault.code} {fault.message}", fault.code) from None
        except BaseException:
            smtp.close()
            raise
        self._smtp = smtp

    async def deliver(self, *, sender: str, recipient: str, data: bytes, permit_until: float) -> str:
        """
        The relay's words once it took the message. Raises Refused, or what the network raised.

        The permit is checked before MAIL FROM and again, last, before the body: without a body nothing is delivered.
        """
        smtp = self._smtp
        assert smtp is not None
        self.written = False
        try:
            _check(permit_until)
            await self._say(smtp, b"MAIL FROM:<" + sender.encode("ascii") + b">", 250)
            await self._say(smtp, b"RCPT TO:<" + recipient.encode("ascii") + b">", 250, 251)
            await self._say(smtp, b"DATA", 354)
            protocol = smtp.protocol
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("Connection lost")
            body = _LEADING_DOT.sub(b"..", _ENDINGS.sub(b"\r\n", data))
            _check(permit_until)
            self.written = True
            protocol.write(body + (b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"))
            reply = await protocol.read_response()
            if reply.code // 100 in (4, 5):
                raise _refusal(reply)
            if reply.code // 100 != 2:
                raise aiosmtplib.SMTPServerDisconnected(f"Answered {reply.code} {reply.message}")
        except Refused as fault:
            self.written = False
            if fault.verdict is Verdict.EXPIRED or fault.status in (None, 421):
                self.close()
            else:
                await self._reset(smtp)
            raise
        except BaseException:
            self.close()
            raise
        self.written = False
        self.delivered += 1
        return f"{reply.code} {reply.message}"

    async def _say(self, smtp: aiosmtplib.SMTP, command: bytes, *expected: int) -> None:
        reply = await smtp.execute_command(command)
        if reply.code not in expected:
            raise _refusal(reply)

    async def _reset(self, smtp: aiosmtplib.SMTP) -> None:
        try:
            async with asyncio.timeout(1):
                await smtp.rset()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            self.close()

    async def noop(self) -> None:
        """Ask for nothing. Raises what the network raised."""
        assert self._smtp is not None
        await self._smtp.noop()

    async def quit(self) -> None:
        """Part politely, within a second."""
        smtp = self._smtp
        if smtp is not None and smtp.is_connected:
            try:
                async with asyncio.timeout(1):
                    await smtp.quit()
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                pass
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None


async def _greet(smtp: aiosmtplib.SMTP) -> None:
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError:
        await smtp.helo()


def _check(permit_until: float) -> None:
    if boottime() > permit_until:
        raise Refused(Verdict.EXPIRED, "the permit passed before the message was written")


def _refusal(reply: aiosmtplib.SMTPResponse) -> Refused:
    lasting = 500 <= reply.code < 600
    return Refused(Verdict.FAILED if lasting else Verdict.RETRY, f"{reply.code} {reply.message}", reply.code)


async def _connect(places: list[tuple[int, str]], port: int) -> socket.socket:
    fault: OSError = OSError("no address")
    for family, address in places:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except OSError as refused:
            sock.close()
            fault = refused
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise fault
