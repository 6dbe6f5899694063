"""SMTP servers: aiosmtpd, doing as it is told, and a scripted one for what aiosmtpd is too polite for."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from agents.connectors import AddressRules
from agents.connectors.email import EmailConnector

STEP = {"to": "ann@customer.example", "subject": "Hello", "text": "One line.\n.\nA dot before.\n"}


class Handler:
    """Keeps what was delivered; each hook answers by `say` (verb → reply or coroutine), if it has the verb."""

    def __init__(self, **say: Any) -> None:
        self.say = say
        self.delivered: list[Envelope] = []
        self.sessions = 0

    async def _said(self, verb: str, server: SMTP) -> str | None:
        said = self.say.get(verb)
        return await said(server) if callable(said) else said

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list) -> str:
        if said := await self._said("MAIL", server):
            return said
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list) -> str:
        if said := await self._said("RCPT", server):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if said := await self._said("DATA", server):
            return said
        self.delivered.append(envelope)
        return "250 2.0.0 queued as 4711"


class Relays:
    """Starts relays and makes connectors to them."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._sessions: list[SMTP] = []
        self._connectors: list[EmailConnector] = []

    async def polite(self, handler: Handler, tls: ssl.SSLContext | None = None, **options: Any) -> int:
        def session() -> SMTP:
            handler.sessions += 1
            self._sessions.append(SMTP(handler, hostname="relay.example", enable_SMTPUTF8=False, **options))
            return self._sessions[-1]

        server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def scripted(self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> int:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    def email(
        self, port: int, password: str = "", allow: tuple[str, ...] = ("127.0.0.1",), **config: Any
    ) -> EmailConnector:
        given = {"host": "127.0.0.1", "port": port, "tls": "none", "from_address": "agent@seller.example"} | config
        connector = EmailConnector(given, {"password": password} if password else {}, allow=AddressRules.parse(allow))
        self._connectors.append(connector)
        return connector

    async def close(self) -> None:
        for connector in self._connectors:
            await connector.close()
        for server in self._servers:
            server.close()
        for session in self._sessions:
            if session.transport:
                session.transport.abort()
        await asyncio.sleep(0.01)


class Script:
    """Answers each command by its first word from `replies`; None hangs up. Keeps every byte it got."""

    def __init__(
        self, greeting: str = "220 hello", delay: dict[str, float] | None = None, **replies: str | None
    ) -> None:
        self._greeting = greeting
        self._delay = delay or {}
        self._replies = {"EHLO": "250 relay", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go"} | replies
        self.heard = bytearray()
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            writer.write(self._greeting.encode() + b"\r\n")
            in_body = False
            while line := await reader.readline():
                self.heard += line
                if in_body and line != b".\r\n":
                    continue
                verb = "BODY" if in_body else line[:4].decode().upper()
                in_body = False
                await asyncio.sleep(self._delay.get(verb, 0))
                reply = self._replies.get(verb, "250 ok")
                if reply is None:
                    return
                in_body = verb == "DATA" and reply.startswith("354")
                writer.write(reply.encode() + b"\r\n")
        except ConnectionError:
            pass
        finally:
            writer.close()


def only(name: bytes, password: bytes) -> Callable[..., AuthResult]:
    """An authenticator that takes this name and password."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (name, password), handled=False)

    return check
