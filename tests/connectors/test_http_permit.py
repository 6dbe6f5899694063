"""Past the permit nothing is written, whatever the connection was doing meanwhile."""

import asyncio
import time

from agents.connectors import Outgoing, Verdict, boottime
from agents.connectors import http as module
from tests.connectors.conftest import Certificate, Started
from tests.connectors.far_side import Visit, out


async def _ok(visit: Visit) -> None:
    visit.answer("200 OK")


async def test_a_permit_that_has_passed(started: Started):
    far_side, http = await started.pair(_ok)
    assert (await http.send(out(permit=-0.001))).verdict is Verdict.EXPIRED
    await asyncio.sleep(0.02)
    assert far_side.connections == 0


async def test_a_permit_that_passes_while_connecting_is_checked_on_the_new_connection(started: Started, monkeypatch):
    far_side, http = await started.pair(_ok)
    attempt = out(permit=5)
    monkeypatch.setattr(module, "boottime", _clock_that_leaps(attempt))
    assert (await http.send(attempt)).verdict is Verdict.EXPIRED
    await asyncio.sleep(0.02)
    assert far_side.visits == []
    assert far_side.connections == 1


async def test_a_permit_is_checked_on_a_reused_connection(started: Started, monkeypatch):
    far_side, http = await started.pair(_ok)
    await http.send(out())
    attempt = out(permit=5)
    monkeypatch.setattr(module, "boottime", _clock_that_leaps(attempt))
    assert (await http.send(attempt)).verdict is Verdict.EXPIRED
    monkeypatch.undo()
    assert (await http.send(out())).verdict is Verdict.DELIVERED
    assert len(far_side.visits) == 2


async def test_a_permit_that_passes_between_connecting_and_writing(started: Started, monkeypatch):
    far_side, http = await started.pair(_ok)
    await http.send(out())
    attempt = out(permit=5)
    monkeypatch.setattr(module, "boottime", _clock_that_leaps(attempt, after=2))
    assert (await http.send(attempt)).verdict is Verdict.EXPIRED
    monkeypatch.undo()
    await asyncio.sleep(0.02)
    assert len(far_side.visits) == 1
    assert (await http.send(out())).verdict is Verdict.DELIVERED


async def test_a_slow_handshake_outlives_the_permit_and_nothing_is_written(started: Started, certificate: Certificate):
    heard = bytearray()

    async def sluggish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)
        heard.extend(await reader.read(65_536))
        writer.close()

    server = await asyncio.start_server(sluggish, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    http = started.http(f"https://127.0.0.1:{port}", ca_certificate=certificate.pem)
    answer = await http.send(out({"json": {"marker": "in-the-clear"}}, permit=0.2))
    await asyncio.sleep(0.6)
    server.close()
    assert answer.verdict in (Verdict.UNSENT, Verdict.EXPIRED)
    assert heard[:1] in (b"", b"\x16"), "only a TLS greeting may have left"


async def test_32_in_flight_all_expire_when_the_loop_was_frozen(started: Started):
    far_side, http = await started.pair(_ok)
    until = boottime() + 0.05
    attempts = [Outgoing(o.action_id, o.attempt_id, o.payload, until, 5.0) for o in (out() for _ in range(32))]
    tasks = [asyncio.create_task(http.send(attempt)) for attempt in attempts]
    await asyncio.sleep(0)
    time.sleep(0.2)  # the whole loop stands still, as under SIGSTOP
    verdicts = {(await task).verdict for task in tasks}
    await asyncio.sleep(0.05)
    assert Verdict.DELIVERED not in verdicts
    assert verdicts <= {Verdict.EXPIRED, Verdict.UNSENT}
    assert far_side.visits == []


def _clock_that_leaps(attempt: Outgoing, *, after: int = 1):
    """In time when first asked (before connecting, then once connected), past the permit `after` so many times."""
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return boottime() if asked <= after else attempt.permit_until + 0.001

    return clock
