"""HOSTILE 23: webhooks. What strangers send is taken in once, refused in words, or kept as a dead letter; no 5xx."""

import gzip
import json
import random
import string
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from agents.models import DeadLetter, Signal
from tests.intake.conftest import SECRET, open_door
from tests.intake.signing import signed

pytestmark = pytest.mark.hostile


@pytest.fixture
def door(workspace):
    with open_door(workspace) as opened:
        yield opened


NASTY = [
    "",
    "\0",
    "\x1f",
    "\x7f\x85\u2028",
    "\ufeff",
    "\ud800",
    "é" * 300,
    "\U0001f600",
    "'; DROP TABLE agents_signal; --",
    "{{ 7*7 }}{% raw %}",
    "<script>alert(1)</script>",
    '=HYPERLINK("https://evil.example")',
    "../../etc/passwd",
    "%s%n%p",
    "\\u0000",
    "a@b@c",
    "x" * 5000,
]
NUMBERS = [0, -0.0, 1e308, -(2**63), 2**64, 10**30, 0.1, True, None]
KEYS = ["id", "type", "time", "account", "email", "person", "region", "segment", "value", "data", "context", "traits"]
PATHS = ["/in/web", "/in/web/outcomes", "/v1/track", "/v1/batch", "/v1/identify"]
TYPES = [
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/cloudevents+avro",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "",
]


def value(rng, depth=0):
    kind = rng.random()
    if kind < 0.5 or depth > 4:
        return rng.choice(NASTY + NUMBERS + ["2026-11-21T10:00:00Z", "emea", "acme"])
    if kind < 0.6:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind < 0.62:
        deep = 1
        for _ in range(rng.choice([50, 240, 260, 2000])):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        return deep
    return {rng.choice(KEYS + NASTY): value(rng, depth + 1) for _ in range(rng.randrange(8))}


def dump(found):
    try:
        return json.dumps(found)
    except RecursionError:
        return '{"a":' * 3000 + "1" + "}" * 3000


def event(rng):
    body = {key: value(rng, 2) for key in rng.sample(KEYS, rng.randrange(1, len(KEYS)))}
    if rng.random() < 0.7:
        body |= {"id": f"h{rng.random()}", "account": "acme", "specversion": "1.0", "source": "/s", "type": "t"}
    return body


def raw_body(rng):
    """A body that is JSON, nearly JSON, or nothing of the kind."""
    shape = rng.random()
    if shape < 0.35:
        text = dump(event(rng))
    elif shape < 0.55:
        text = dump([event(rng) if rng.random() < 0.8 else value(rng) for _ in range(rng.randrange(6))])
    elif shape < 0.65:
        text = "\n".join(dump(event(rng)) for _ in range(rng.randrange(1, 6)))
    elif shape < 0.75:
        text = dump({"batch": [event(rng) if rng.random() < 0.8 else value(rng) for _ in range(rng.randrange(6))]})
    elif shape < 0.8:
        text = '{"id":"1","id":"2","account":"a","account":{}}'
    elif shape < 0.85:
        text = '{"id":"n","n":' + rng.choice(["9" * 5000, "1e999", "-Infinity", "NaN", "0x1", "01", "1."]) + "}"
    elif shape < 0.9:
        text = rng.choice(["[", '{"a":', '["']) * rng.choice([10, 1000, 100_000])
    else:
        return rng.randbytes(rng.randrange(2000))
    raw = text.encode("utf-8", "surrogatepass")
    for _ in range(rng.choice([0, 0, 0, 0, 0, 0, 0, 1, 5])):
        if raw:
            at = rng.randrange(len(raw))
            raw = raw[:at] + rng.choice([b"\xff", b"\0", b'"', b"{", b"", b"\\ud8", b"\xef\xbb\xbf"]) + raw[at + 1 :]
    return raw


def headers(rng, raw):
    found = {"Authorization": "Bearer key-of-web", "Content-Type": rng.choice(TYPES)}
    if rng.random() < 0.3:
        found["Content-Type"] = "application/json"
    if rng.random() < 0.1:
        found |= signed(SECRET, raw, id=f"msg{rng.random()}")
    if rng.random() < 0.15:
        found |= {f"ce-{name}": rng.choice(["1.0", "a%20b", '"q\\"', "%ff%00", "x" * 500]) for name in ("id", "type")}
        found |= {"ce-specversion": "1.0", "ce-source": "/s", "ce-time": rng.choice(["soon", "2026-11-21T10:00:00Z"])}
    if rng.random() < 0.1:
        name = rng.choice(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "Content-Encoding", "ce-" + "z" * 90]
        )
        found[name] = rng.choice(["1", "gzip", "deflate", "br", "v1,!!", "9" * 50, string.printable[:90]])
    return found


def test_whatever_is_sent_is_answered_below_500(door, hostile, rng):
    """8,000 hostile requests; each answer is below 500 and every error says what, where and how."""
    requests_ = []
    for _ in range(hostile.of(8000)):
        raw = raw_body(rng)
        packed = rng.random() < 0.1
        head = headers(rng, raw) | ({"Content-Encoding": "gzip"} if packed else {})
        requests_.append((rng.choice(PATHS), head, gzip.compress(raw) if packed else raw))
    local, tally, wrong = threading.local(), {}, []

    def send(one):
        path, head, raw = one
        if not hasattr(local, "session"):
            local.session = requests.Session()
        answer = local.session.post(door.url + path, data=raw, headers=head, timeout=30)
        tally[answer.status_code] = tally.get(answer.status_code, 0) + 1
        told = answer.json()
        if answer.status_code >= 500 or (answer.status_code >= 400 and set(told["error"]) != {"what", "where", "how"}):
            wrong.append((answer.status_code, path, head, raw[:300], told))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(send, requests_))
    print(
        f"answers: {dict(sorted(tally.items()))}; {Signal.objects.count()} signals, {DeadLetter.objects.count()} dead"
    )
    assert wrong == []
    assert tally[202] + tally[200] > len(requests_) // 10
    for signal in Signal.objects.iterator():
        assert isinstance(signal.document, dict)
    assert door.post({"id": "after", "account": "acme"}).json()["accepted"] == 1


def test_a_replayed_id_makes_one_signal(door, hostile, rng):
    """100 times the same signed event, from 16 senders at once, in each format → 1 signal each, 100 times 2xx."""
    bodies = {
        "application/json": {"id": "a", "type": "visit", "account": "acme"},
        "application/json; charset=utf-8": {
            "type": "visit",
            "timestamp": "2026-11-21T10:00:00Z",
            "data": {"account": "b"},
        },
        "application/cloudevents+json": {
            "specversion": "1.0",
            "id": "1",
            "source": "/s",
            "type": "t",
            "data": {"account": "c"},
        },
    }
    for number, (content_type, body) in enumerate(bodies.items()):
        raw = json.dumps(body).encode()

        def send(_, raw=raw, content_type=content_type, number=number):
            head = signed(SECRET, raw, id=f"msg_{number}")
            return door.post(raw, key="", **{"Content-Type": content_type}, **head).json()

        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(send, range(100)))
        assert sum(one["accepted"] for one in told) == 1
        assert sum(one["duplicate"] for one in told) == 99
    assert (Signal.objects.count(), DeadLetter.objects.count()) == (3, 0)


def test_what_is_not_rightly_signed_is_not_taken_in(door, hostile, rng):
    """Clock off by 301 s either way, wrong key, changed body, each header missing or garbled → 0 accepted."""
    statuses = []
    for number in range(hostile.of(200)):
        raw = json.dumps({"id": f"w{number}", "account": "acme"}).encode()
        good = signed(SECRET, raw, id=f"msg_{number}")
        flaw = number % 7
        head = dict(good)
        if flaw == 0:
            head = signed(
                SECRET,
                raw,
                id=f"msg_{number}",
                shift=rng.choice([-301, 302, rng.randrange(-(10**6), -301), rng.randrange(302, 10**6)]),
            )
        elif flaw == 1:
            head = signed("whsec_" + "d3Jvbmc" * 4, raw)
        elif flaw == 2:
            head = signed(SECRET, raw + b" ")
        elif flaw == 3:
            del head[rng.choice(sorted(head))]
        elif flaw == 4:
            head["webhook-id"] += "x"
        elif flaw == 5:
            head["webhook-timestamp"] = str(int(head["webhook-timestamp"]) + 1)
        else:
            place = rng.randrange(3, len(head["webhook-signature"]) - 2)
            kept = head["webhook-signature"]
            head["webhook-signature"] = kept[:place] + random.Random(number).choice("!, ") + kept[place + 1 :]
        statuses.append(door.post(raw, key=rng.choice(["", "key-of-web"]), **head).status_code)
    assert set(statuses) == {401}
    assert Signal.objects.count() == 0
    assert DeadLetter.objects.count() == 0


def memory(pid):
    """Resident bytes of a process and all it started."""
    parent = psutil.Process(pid)
    return sum(each.memory_info().rss for each in [parent, *parent.children(recursive=True)])


def test_bombs_and_great_bodies_cost_little(door, hostile):
    """10 MB whole and in chunks, too many events or values, bombs of each encoding → 413, at most 20 MB more memory."""
    great = b'[{"id":"1","account":"' + b"a" * 10_000_000 + b'"}]'
    pieces = [great[at : at + 100_000] for at in range(0, len(great), 100_000)]
    gzipped, deflated = gzip.compress(bytes(hostile.of(10**9))), zlib.compress(bytes(hostile.of(3 * 10**8)))
    sent = {
        "great": lambda: door.post(great),
        "in chunks": lambda: door.post(iter(pieces)),
        "without a key": lambda: door.post(great, key=""),
        "gzip bomb": lambda: door.post(gzipped, Content_Encoding="gzip"),
        "deflate bomb": lambda: door.post(deflated, Content_Encoding="deflate"),
        "many values": lambda: door.post(b"[" + b"{}," * 1_600_000 + b"{}]"),
        "many events": lambda: door.post(b"[" + b"{}," * 60_000 + b"{}]"),
        "segment": lambda: door.post(great, path="/v1/batch"),
    }
    for number in range(300):
        door.post({"id": f"warm-{number}", "account": "acme"})
    before, peak, done = memory(door.pid), 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, memory(door.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    statuses = {name: [send().status_code for _ in range(hostile.of(10, least=2))] for name, send in sent.items()}
    done.set()
    watching.join()
    print(f"memory {before / 1e6:.0f} MB, at its peak {(peak - before) / 1e6:+.1f} MB")
    assert {name: set(found) for name, found in statuses.items()} == {
        name: {401 if name == "without a key" else 413} for name in sent
    }
    assert peak - before <= 20_000_000
    assert Signal.objects.count() == 300


def test_one_bad_body_in_a_hundred(door, hostile):
    """A hundred posted at once, as posts, in one array, as lines: 99 accepted and 1 refused, each time."""
    bad = [b"{", b"[]", b"\xff", b"7", b'{"id":NaN,"account":"a"}', b"[" * 5000, b'{"id":"' + b"x" * 6_000_000 + b'"}']
    for round_, flaw in enumerate(bad):
        bodies = [json.dumps({"id": f"{round_}-{n}", "account": "acme"}).encode() for n in range(99)]
        bodies.insert(37, flaw)
        with ThreadPoolExecutor(100) as pool:
            statuses = [answer.status_code for answer in pool.map(door.post, bodies)]
        assert statuses.count(202) == 99
        assert statuses[37] in (400, 413, 422)
    assert Signal.objects.count() == 99 * len(bad)
    events = [json.dumps({"id": f"array-{n}", "account": "acme"}) for n in range(99)]
    for number, flaw in enumerate(["7", "null", '"text"', '{"id":NaN}', "[[]]", "1e999", "[" * 300 + "]" * 300]):
        named = [event.replace("array", f"array{number}") for event in events]
        named.insert(number * 14, flaw)
        told = door.post(f"[{','.join(named)}]".encode()).json()
        assert (told["accepted"], [one["index"] for one in told["refused"]]) == (99, [number * 14])
        named = [event.replace("array", "line") for event in named]
        told = door.post("\n".join(named).encode(), Content_Type="application/x-ndjson").json()
        assert (told["accepted"], [one["index"] for one in told["refused"]]) == (99, [number * 14])
