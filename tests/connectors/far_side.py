"""An HTTP server in the test's own loop that keeps the bytes it got and answers as it is told, or does worse."""

import asyncio
import re
import ssl
import struct
from collections.abc import Awaitable, Callable
from uuid import uuid4

from agents.connectors import Outgoing, boottime

Behave = Callable[["Visit"], Awaitable[None]]


def out(payload: dict | None = None, *, permit: float = 2.0, timeout: float = 5.0) -> Outgoing:
    return Outgoing(
        action_id=uuid4(),
        attempt_id=uuid4(),
        payload={"json": {"hello": "world"}} if payload is None else payload,
        permit_until=boottime() + permit,
        timeout=timeout,
    )


class Visit:
    """One request, and the connection it came on."""

    def __init__(self, raw: bytes, nth: int, writer: asyncio.StreamWriter) -> None:
        self.raw = raw
        self.nth = nth
        self.writer = writer

    @property
    def line(self) -> str:
        return self.raw.split(b"\r\n", 1)[0].decode()

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    def header(self, name: str) -> list[str]:
        return re.findall(rf"(?im)^{name}: (.*?)\r$", self.raw.partition(b"\r\n\r\n")[0].decode("latin-1") + "\r\n")

    def answer(self, status: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
        self.writer.transport.abort()


class FarSide:
    def __init__(self, behave: Behave, tls: ssl.SSLContext | None = None, *, port: int = 0) -> None:
        self._behave = behave
        self._tls = tls
        self.port = port
        self.visits: list[Visit] = []
        self.connections = 0
        self.received = 0
        self._serving: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> "FarSide":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        serving = [task for task in self._serving if task]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?im)^content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                visit = Visit(head + body, len(self.visits) + 1, writer)
                self.visits.append(visit)
                await self._behave(visit)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(asyncio.current_task())
            writer.close()
