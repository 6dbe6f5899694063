"""Checkpoints beyond this machine: stores, collectors and witnesses, all over real HTTP."""

import io
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event

import pytest

from audit import checkpoints, keys, outlets, standalone, witness
from audit.entries import Line, append
from audit.export import proved
from audit.outlets import Outlet
from audit.seal import run
from tests.audit import s3


@pytest.fixture
def collector():
    """Keeps what is brought; `refusing` makes it answer 503."""

    class Handler(BaseHTTPRequestHandler):
        def _take(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.server.refusing:
                self.server.got.append((self.command, self.path, self.headers["Authorization"], body.decode()))
            self.send_response(503 if self.server.refusing else 201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST = _take

        def log_message(self, *args):
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        server.got, server.refusing = [], False
        yield server


class serving:
    """A server in a thread, for a block."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.server

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def sealing(connect, var, monkeypatch):
    """Starts a sealer with these outlets."""
    monkeypatch.setattr(outlets, "EVERY", 0.05)
    monkeypatch.setattr(outlets, "SLOWEST", 0.3)
    started = []

    def start(*which):
        stop = Event()
        given = {
            "connect": connect,
            "outside": var / "checkpoints.log",
            "outlets": [Outlet.parse(one) for one in which],
        }
        thread = threading.Thread(target=run, args=[stop], kwargs=given)
        thread.start()
        started.append((stop, thread))

    yield start
    for stop, thread in started:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def write(conn, n=3):
    append(conn, [Line("play.changed", f"play:{i}", "cli") for i in range(n)])


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_checkpoints_are_put_and_posted(fresh, sealing, collector):
    base = f"http://ana:secret@127.0.0.1:{collector.server_port}"
    sealing(f"PUT {base}/store/{{size}}.txt", f"POST {base}/collect?token=x")
    write(fresh)
    until(lambda: len(collector.got) >= 2)
    by = {method: (path, authorization, note) for method, path, authorization, note in collector.got}
    assert by["PUT"][0] == "/store/3.txt"
    assert by["POST"][:2] == ("/collect?token=x", "Basic YW5hOnNlY3JldA==")
    assert checkpoints.verify(by["PUT"][2], [keys.signer(fresh).verifier]).size == 3
    until(lambda: fresh.execute("select count(*) from audit_outlet where size = 3").fetchone() == (2,))
    shown = fresh.execute("select string_agg(target, ' ') from audit_outlet").fetchone()[0]
    assert "secret" not in shown
    assert "token" not in shown


@pytest.fixture
def store(monkeypatch):
    """An object store, and the environment that leads there."""
    with serving(s3.server()) as server:
        given = {
            "AWS_ACCESS_KEY_ID": s3.ID,
            "AWS_SECRET_ACCESS_KEY": s3.SECRET,
            "AWS_REGION": s3.REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        yield server


def test_checkpoints_are_written_to_an_object_store(fresh, sealing, store):
    sealing("PUT s3://bucket/check+points/{size}.txt")
    write(fresh)
    until(lambda: store.objects)
    [(path, note)] = store.objects.items()
    assert path == "/bucket/check%2Bpoints/3.txt"
    assert checkpoints.verify(note.decode(), [keys.signer(fresh).verifier]).size == 3
    until(lambda: fresh.execute("select target, size, error from audit_outlet").fetchone() is not None)
    assert fresh.execute("select size, error from audit_outlet").fetchone() == (3, "")


def test_an_object_store_that_refuses_is_named_without_secrets(fresh, sealing, store, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mistyped")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://ana:secret@127.0.0.1:{store.server_port}")
    sealing("PUT s3://refusing/{size}.txt")
    write(fresh)
    until(lambda: outlets.failing(fresh.cursor()))
    [failing] = outlets.failing(fresh.cursor())
    assert failing.target.startswith("PUT s3://refusing/")
    assert "403" in failing.error or "SignatureDoesNotMatch" in failing.error
    assert "mistyped" not in failing.error
    assert "secret" not in failing.error
    assert not store.objects


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ENDPOINT_URL", "minio.example.com"), ("AWS_ACCESS_KEY_ID", f"{s3.ID}\n")]
)
def test_settings_of_a_store_that_cannot_be_used_are_told_and_stop_no_other(
    fresh, sealing, store, collector, monkeypatch, name, value
):
    monkeypatch.setenv(name, value)
    bucket = name.lower().replace("_", "-")
    sealing(f"PUT s3://{bucket}/{{size}}.txt", f"POST http://127.0.0.1:{collector.server_port}/collect")
    goes_on(fresh, collector)
    [failing] = outlets.failing(fresh.cursor())
    assert bucket in failing.target
    assert failing.error.startswith("the object store: ")


def test_an_outlet_that_fails_holds_nothing_up_is_named_and_tried_again(fresh, sealing, collector):
    collector.refusing = True
    sealing(f"POST http://127.0.0.1:{collector.server_port}/collect")
    write(fresh)
    until(lambda: outlets.failing(fresh.cursor()))
    [failing] = outlets.failing(fresh.cursor())
    assert "503" in failing.error
    assert outlets.failing(fresh.cursor(), longer_than=600) == []
    for _ in range(3):
        write(fresh)
        until(lambda: fresh.execute("select count(*) from audit_pending").fetchone() == (0,))
    collector.refusing = False
    until(lambda: not outlets.failing(fresh.cursor()))
    assert collector.got[-1][3].splitlines()[1] == "12"


@pytest.mark.parametrize("answer", [b"junk\r\n", b"HTTP/1.1 abc\r\n\r\n", b""])
def test_an_answer_that_is_no_http_is_told_and_stops_no_other(fresh, sealing, collector, answer):
    class Odd(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65_536)
            self.request.sendall(answer)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Odd)) as odd:
        base = f"http://127.0.0.1:{collector.server_port}"
        sealing(f"POST http://127.0.0.1:{odd.server_address[1]}/in", f"POST {base}/collect")
        goes_on(fresh, collector)


def test_a_witness_co_signs_and_an_export_shows_it(fresh, sealing, var):
    state = var / "witness"
    vkey = witness.make_key(state, "witness.example/one")
    watching = witness.Witness(state, [standalone.Key(keys.signer(fresh).verifier.vkey)])
    with serving(witness.serve(watching, "127.0.0.1", 0)) as server:
        sealing(f"WITNESS http://127.0.0.1:{server.server_port} {vkey}")
        for n in (1, 2, 300):
            write(fresh, n)
            until(lambda: fresh.execute("select max(size) from audit_cosignature").fetchone()[0] == total(fresh))
    size, note = fresh.execute("select size, note from audit_checkpoint order by size desc limit 1").fetchone()
    line = fresh.execute("select line from audit_cosignature where size = %s", [size]).fetchone()[0]
    assert standalone.Key(vkey).signed(standalone.Note(note + line))
    header = {"filter": {}, "made": {"at": "2026-11-21T10:00:00.000Z", "by": "person:7"}}
    data = b"".join(proved(fresh, iter([0, 5]), header=header))
    given = standalone.Check(io.BytesIO(data), [], [standalone.Key(vkey)])
    assert given.run(), given.problems
    assert "Witnessed by witness.example/one" in standalone.report(given)
    other = standalone.Key(witness.make_key(var / "other", "witness.example/two"))
    refused = standalone.Check(io.BytesIO(data), [], [other])
    assert not refused.run()
    assert "did not sign" in refused.problems[0]


def goes_on(conn, collector):
    """The collector gets checkpoint after checkpoint, while another outlet is told to fail."""
    for _ in range(2):
        had = len(collector.got)
        write(conn)
        until(lambda had=had: len(collector.got) > had)
    until(lambda: outlets.failing(conn.cursor()))


def total(conn):
    until(lambda: conn.execute("select count(*) from audit_pending").fetchone() == (0,))
    return conn.execute("select max(size) from audit_checkpoint").fetchone()[0]


def test_a_witness_that_saw_another_record_refuses_and_that_is_told(fresh, sealing, var):
    state = var / "witness"
    vkey = witness.make_key(state, "witness.example/one")
    signer = keys.signer(fresh)
    watching = witness.Witness(state, [standalone.Key(signer.verifier.vkey)])
    forked = checkpoints.sign(signer, 1, b"\1" * 32)
    assert watching.add(f"old 0\n\n{forked}".encode()).status == 200
    with serving(witness.serve(watching, "127.0.0.1", 0)) as server:
        sealing(f"WITNESS http://127.0.0.1:{server.server_port} {vkey}")
        write(fresh, 5)
        until(lambda: outlets.failing(fresh.cursor()))
        assert "has seen another record" in outlets.failing(fresh.cursor())[0].error
        assert fresh.execute("select count(*) from audit_cosignature").fetchone() == (0,)
        assert fresh.execute("select count(*) from audit_leaf").fetchone() == (5,)


@pytest.mark.parametrize(
    "text",
    ["", "PUT ftp://x", "PUT s3://x", "POST s3://x/y", "GET http://x/", "WITNESS http://x", "WITNESS http://x a+b+c"],
)
def test_what_is_no_outlet_is_refused(text):
    with pytest.raises(ValueError):
        Outlet.parse(text)
