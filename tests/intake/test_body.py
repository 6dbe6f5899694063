import gzip
import io
import os
import tracemalloc
import zlib

import pytest

from console.intake import body
from console.intake.answers import Fault

TEXT = b'{"id":"1"}' * 50_000
RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATED = RAW.compress(TEXT) + RAW.flush()


def request(wire, *, encoding="", length=True, **more):
    environ = {"wsgi.input": io.BytesIO(wire), "HTTP_CONTENT_ENCODING": encoding, **more}
    return environ | ({"CONTENT_LENGTH": str(len(wire))} if length else {"HTTP_TRANSFER_ENCODING": "chunked"})


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("encoding", "wire"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("GZIP", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT[:300_000]) + gzip.compress(TEXT[300_000:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", RAW_DEFLATED),
        ("gzip", gzip.compress(TEXT, compresslevel=0)),
    ],
)
def test_a_body_comes_out_as_it_was(encoding, wire, length):
    assert body.read(request(wire, encoding=encoding, length=length)).plain == TEXT


def test_noise_comes_out_as_it_was():
    noise = os.urandom(1_500_000)
    assert body.read(request(gzip.compress(noise), encoding="gzip")).plain == noise


def test_no_body_is_an_empty_one():
    assert body.read({"wsgi.input": io.BytesIO(b"never read")}).plain == b""


@pytest.mark.parametrize(
    ("status", "environ"),
    [
        (415, request(TEXT, encoding="br")),
        (415, request(TEXT, encoding="gzip, gzip")),
        (413, request(b" " * (body.MAX_WIRE + 1))),
        (413, request(b" " * (body.MAX_WIRE + 1), length=False)),
        (413, request(gzip.compress(bytes(body.MAX_INFLATED + 1)), encoding="gzip")),
        (413, request(gzip.compress(bytes(1_200_000)) * 9, encoding="gzip")),
        (413, request(zlib.compress(bytes(body.MAX_INFLATED + 1)), encoding="deflate")),
        (400, request(gzip.compress(TEXT)[:-20], encoding="gzip")),
        (400, request(gzip.compress(TEXT) + b"junk", encoding="gzip")),
        (400, request(b"not gzip", encoding="gzip")),
        (400, request(gzip.compress(b"") * 200, encoding="gzip")),
        (400, request(TEXT) | {"CONTENT_LENGTH": str(len(TEXT) + 1)}),
    ],
)
def test_what_cannot_be_read_is_turned_away(status, environ):
    with pytest.raises(Fault) as turned_away:
        body.read(environ)
    assert turned_away.value.status == status


def test_a_bomb_costs_little():
    bomb = gzip.compress(bytes(200_000_000))
    tracemalloc.start()
    with pytest.raises(Fault):
        body.inflate(bomb, "gzip")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_draining_leaves_nothing_and_ends():
    environ = request(bytes(10_000_000))
    body.drain(environ)
    assert environ["wsgi.input"].read() == b""

    class Endless:
        def read(self, size):
            return bytes(size)

    body.drain({"wsgi.input": Endless()})
