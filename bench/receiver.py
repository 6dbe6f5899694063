"""
The far side: takes POSTs, answers 200, remembers when each id arrived. `python -m bench.receiver PORT`

Keeps one delivery for each Idempotency-Key, as a far side that honours it does, and counts the repeats.
GET /stats → {"n", "unique", "repeats"}; GET /dump → [[id, unix time], …]; POST /reset.
"""

import asyncio
import sys
import time

import httptools
import orjson
import uvloop

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
arrived: list[tuple[str, float]] = []
keys: set[bytes] = set()
repeats = 0


class Receiver(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self.url, self.body, self.key = b"", b"", b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"idempotency-key":
            self.key = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        global repeats
        if self.url == b"/stats":
            self.answer({"n": len(arrived), "unique": len({id_ for id_, _ in arrived}), "repeats": repeats})
        elif self.url == b"/dump":
            self.answer(arrived)
        elif self.url == b"/reset":
            arrived.clear()
            keys.clear()
            repeats = 0
            self.answer({})
        else:
            if self.key and self.key in keys:
                repeats += 1
            else:
                keys.add(self.key)
                arrived.append((orjson.loads(self.body).get("id"), time.time()))
            self.transport.write(ANSWER)

    def answer(self, value: object) -> None:
        body = orjson.dumps(value)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)


async def serve(port: int) -> None:
    """Until killed."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
