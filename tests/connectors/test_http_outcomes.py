"""I1's table, against a server that does each of these things for real."""

import asyncio
import gzip
import socket
import time
from concurrent.futures import ProcessPoolExecutor
from email.utils import formatdate
from multiprocessing import get_context

import pytest

from agents.connectors import Verdict
from tests.connectors.conftest import Certificate, Started
from tests.connectors.far_side import Visit, out


def answer_and_hang_up(port: int, times: int) -> int:
    """Serve so many requests, each followed by a close that no header announced."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(5)
        for _ in range(times):
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                time.sleep(0.005)
    return times


@pytest.mark.parametrize(
    ("status", "headers", "verdict", "retry_after"),
    [
        ("200 OK", {}, Verdict.DELIVERED, None),
        ("201 Created", {}, Verdict.DELIVERED, None),
        ("204 No Content", {}, Verdict.DELIVERED, None),
        ("301 Moved Permanently", {"Location": "/elsewhere"}, Verdict.FAILED, None),
        ("307 Temporary Redirect", {"Location": "http://127.0.0.1:1/"}, Verdict.FAILED, None),
        ("400 Bad Request", {}, Verdict.FAILED, None),
        ("401 Unauthorized", {}, Verdict.FAILED, None),
        ("404 Not Found", {}, Verdict.FAILED, None),
        ("408 Request Timeout", {}, Verdict.UNKNOWN, None),
        ("409 Conflict", {}, Verdict.FAILED, None),
        ("429 Too Many Requests", {}, Verdict.RETRY, None),
        ("429 Too Many Requests", {"Retry_After": "7"}, Verdict.RETRY, 7.0),
        ("429 Too Many Requests", {"Retry_After": "soon"}, Verdict.RETRY, None),
        ("429 Too Many Requests", {"Retry_After": "9" * 60}, Verdict.RETRY, 86_400.0),
        ("429 Too Many Requests", {"Retry_After": "Wed, 21 Oct 2015 07:28:00 GMT"}, Verdict.RETRY, 0.0),
        ("500 Oops", {}, Verdict.UNKNOWN, None),
        ("502 Bad Gateway", {"Retry_After": "5"}, Verdict.UNKNOWN, None),
        ("503 Service Unavailable", {}, Verdict.UNKNOWN, None),
        ("503 Service Unavailable", {"Retry_After": "5"}, Verdict.RETRY, 5.0),
        ("503 Service Unavailable", {"Retry_After": "whenever"}, Verdict.UNKNOWN, None),
        ("599 Odd", {}, Verdict.UNKNOWN, None),
        ("700 Odder", {}, Verdict.UNKNOWN, None),
    ],
)
async def test_the_status_decides(started: Started, status, headers, verdict, retry_after):
    async def behave(visit: Visit) -> None:
        visit.answer(status, **headers)

    far_side, http = await started.pair(behave)
    answer = await http.send(out())
    assert (answer.verdict, answer.retry_after) == (verdict, retry_after)
    assert answer.status == int(status[:3])
    assert len(far_side.visits) == 1


async def test_retry_after_as_a_date_to_come(started: Started):
    async def behave(visit: Visit) -> None:
        visit.answer("503 Busy", Retry_After=formatdate(time.time() + 30, usegmt=True))

    _, http = await started.pair(behave)
    answer = await http.send(out())
    assert answer.verdict is Verdict.RETRY
    assert 27 <= answer.retry_after <= 31


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
@pytest.mark.parametrize("how", ["reset", "close", "half", "garbage"])
async def test_accepted_and_then_no_answer_is_unknown_and_never_resent(started: Started, method, how):
    async def behave(visit: Visit) -> None:
        if visit.nth == 1:
            visit.answer("200 OK")
        elif how == "reset":
            visit.reset()
        else:
            visit.writer.write(
                {"close": b"", "half": b"HTTP/1.1 200 OK\r\nContent-", "garbage": b"\0\1\2\3\r\n\r\n"}[how]
            )
            visit.writer.close()

    far_side, http = await started.pair(behave)
    assert (await http.send(out({"method": method, "json": {}}))).verdict is Verdict.DELIVERED
    answer = await http.send(out({"method": method, "json": {}}))
    assert answer.verdict is Verdict.UNKNOWN
    await asyncio.sleep(0.05)
    assert len(far_side.visits) == 2
    assert answer.detail.startswith("sent, but no answer")


async def test_post_reuses_its_connection_and_put_takes_a_fresh_one(started: Started):
    async def behave(visit: Visit) -> None:
        visit.answer("200 OK", b"{}")

    far_side, http = await started.pair(behave)
    for _ in range(3):
        await http.send(out())
    assert far_side.connections == 1
    for _ in range(3):
        await http.send(out({"method": "PUT", "json": {}}))
    assert far_side.connections == 4


async def test_a_connection_that_closed_while_the_loop_was_busy_is_not_reused(started: Started):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        served = elsewhere.submit(answer_and_hang_up, port, 20)
        http = started.http(f"http://127.0.0.1:{port}")
        while (await http.send(out())).verdict is Verdict.UNSENT:
            await asyncio.sleep(0.05)
        verdicts = []
        for _ in range(19):
            time.sleep(0.02)
            verdicts.append((await http.send(out())).verdict)
        assert verdicts == [Verdict.DELIVERED] * 19
        assert served.result(10) == 20


async def test_too_slow_is_unknown(started: Started):
    async def behave(visit: Visit) -> None:
        await asyncio.sleep(30)

    far_side, http = await started.pair(behave)
    began = time.monotonic()
    answer = await http.send(out(timeout=0.3))
    assert answer.verdict is Verdict.UNKNOWN
    assert 0.2 < time.monotonic() - began < 2
    assert 200 <= answer.ms < 2000
    assert len(far_side.visits) == 1


async def test_a_status_that_came_counts_though_its_body_breaks_or_drips(started: Started):
    async def behave(visit: Visit) -> None:
        visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        if visit.nth == 1:
            visit.writer.close()
        else:
            await asyncio.sleep(30)

    _, http = await started.pair(behave)
    assert (await http.send(out())).verdict is Verdict.DELIVERED
    assert (await http.send(out(timeout=0.3))).verdict is Verdict.DELIVERED


async def test_nobody_listens(started: Started):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        http = started.http(f"http://127.0.0.1:{bound.getsockname()[1]}")
        answer = await http.send(out())
    assert answer.verdict is Verdict.UNSENT
    assert "no connection" in answer.detail


async def test_refused_three_times_then_up_is_one_receipt(started: Started):
    async def behave(visit: Visit) -> None:
        visit.answer("200 OK")

    far_side = await started.far_side(behave)
    far_side._server.close()
    http = started.http(far_side.url)
    attempt = out()
    assert [(await http.send(attempt)).verdict for _ in range(3)] == [Verdict.UNSENT] * 3
    far_side._server = await asyncio.start_server(far_side._serve, "127.0.0.1", far_side.port)
    assert (await http.send(attempt)).verdict is Verdict.DELIVERED
    assert len(far_side.visits) == 1


async def test_an_unknown_name_is_unsent(started: Started):
    answer = await started.http("https://nobody.invalid").send(out())
    assert answer.verdict in (Verdict.UNSENT,)
    assert "nobody.invalid" in answer.detail


async def test_connecting_gives_up_with_the_permit(started: Started):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        await asyncio.sleep(0.05)
        answer = await started.http(f"http://127.0.0.1:{port}").send(out(permit=0.3, timeout=20))
        for filler in fillers:
            filler.close()
    assert answer.verdict is Verdict.UNSENT
    assert answer.ms < 3000


async def test_tls_that_nobody_vouches_for_is_unsent(started: Started, certificate: Certificate):
    async def behave(visit: Visit) -> None:
        visit.answer("200 OK")

    far_side = await started.far_side(behave, certificate.server)
    answer = await started.http(far_side.url).send(out())
    assert answer.verdict is Verdict.UNSENT
    assert "certificate" in answer.detail
    trusting = started.http(far_side.url, ca_certificate=certificate.pem)
    assert (await trusting.send(out())).verdict is Verdict.DELIVERED
    assert len(far_side.visits) == 1


async def test_tls_spoken_to_a_plain_port_is_unsent(started: Started):
    async def behave(visit: Visit) -> None:
        visit.answer("200 OK")

    far_side = await started.far_side(behave)

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    far_side._server.close()
    far_side._server = await asyncio.start_server(slam, "127.0.0.1", 0)
    port = far_side._server.sockets[0].getsockname()[1]
    assert (await started.http(f"https://127.0.0.1:{port}").send(out())).verdict is Verdict.UNSENT


async def test_a_huge_body_is_read_to_64_kb_and_no_further(started: Started):
    sent = 0

    async def behave(visit: Visit) -> None:
        nonlocal sent
        visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(16_384):
            visit.writer.write(b"x" * 65_536)
            sent += 65_536
            await visit.writer.drain()

    far_side, http = await started.pair(behave)
    answer = await http.send(out())
    assert answer.verdict is Verdict.DELIVERED
    assert len(str(answer.receipt)) < 1000
    await asyncio.sleep(0.1)
    assert sent < 16 * 1024 * 1024
    assert len(far_side.visits) == 1


async def test_a_gzip_bomb_stays_small(started: Started):
    bomb = gzip.compress(b"0" * 50_000_000)

    async def behave(visit: Visit) -> None:
        visit.answer("200 OK", bomb, Content_Encoding="gzip")

    far_side, http = await started.pair(behave)
    answer = await http.send(out())
    assert answer.verdict is Verdict.DELIVERED
    assert len(str(answer.receipt)) < 1000
    assert far_side.visits[0].header("Accept-Encoding") == []


async def test_endless_headers_are_unknown(started: Started):
    async def behave(visit: Visit) -> None:
        visit.writer.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(100_000):
            visit.writer.write(b"X-%d: %s\r\n" % (n, b"y" * 100))
            await visit.writer.drain()

    _, http = await started.pair(behave)
    assert (await http.send(out())).verdict is Verdict.UNKNOWN


async def test_cookies_are_not_kept(started: Started):
    async def behave(visit: Visit) -> None:
        visit.answer("200 OK", Set_Cookie="a=b")

    far_side, http = await started.pair(behave)
    await http.send(out())
    await http.send(out())
    assert far_side.visits[1].header("Cookie") == []


async def test_proxies_of_the_environment_are_not_used(started: Started, monkeypatch):
    async def behave(visit: Visit) -> None:
        visit.answer("200 OK")

    far_side, http = await started.pair(behave)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert (await http.send(out())).verdict is Verdict.DELIVERED
    assert far_side.visits[0].line == "POST / HTTP/1.1"
