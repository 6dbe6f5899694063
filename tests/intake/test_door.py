"""The way in over HTTP, on the gunicorn that users run."""

import gzip
import json
import socket
import time
import zlib

import requests
from django.db import connection

from agents.loop.dead_letters import replay
from agents.models import DeadLetter, Signal, Source
from audit.entries import Line, record
from tests.intake.conftest import SECRET, open_door
from tests.intake.signing import signed
from tests.running import until

EVENT = {"id": "1", "type": "visit", "account": "acme"}


def change(**fields):
    from django.db import transaction

    with transaction.atomic():
        Source.objects.filter(slug="web").update(**fields)
        record(Line("source.changed", "source:web", "cli"))


def test_what_is_answered_was_committed(door):
    answer = door.post(EVENT)
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 1, "duplicate": 0, "dead": 0, "refused": []}
    assert Signal.objects.get().document == EVENT
    assert door.post([EVENT, {**EVENT, "id": "2"}, {**EVENT, "note": 1}, {"id": "3"}, 4]).json() == {
        "accepted": 1,
        "duplicate": 1,
        "dead": 2,
        "refused": [
            {
                "index": 4,
                "what": "The event is a number, not an object.",
                "how": 'Send an object, such as {"id": "…", "type": "…"}.',
            }
        ],
    }
    assert set(DeadLetter.objects.values_list("kind", flat=True)) == {"conflict", "unmapped"}

    for way in (
        {"headers": {"Authorization": "Bearer key-of-web"}},
        {"headers": {"X-Signalbox-Key": "key-of-web"}},
        {"auth": ("key-of-web", "")},
        {"params": {"key": "key-of-web"}},
        {"params": {"access_token": "key-of-web"}},
    ):
        assert requests.post(f"{door.url}/in/web", json=EVENT, timeout=20, **way).json()["duplicate"] == 1

    for status, path, key in (
        (401, "/in/web", "wrong"),
        (401, "/in/web", "é"),
        (401, "/in/web", ""),
        (404, "/in/nowhere", None),
        (404, "/in/web/more", None),
        (404, "/in/", None),
        (401, "/v1/track", "wrong"),
        (401, "/v1/track", ""),
    ):
        answer = (
            door.post(EVENT, path=path, key=key)
            if key != "é"
            else requests.post(door.url + path, json=EVENT, headers={"X-Signalbox-Key": "é".encode()}, timeout=20)
        )
        assert answer.status_code == status, path
        assert set(answer.json()["error"]) == {"what", "where", "how"}

    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = requests.request(method, f"{door.url}/in/web", timeout=20)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")
        assert "Authorization: Bearer" in answer.json()["error"]["how"]
    assert requests.head(f"{door.url}/in/web", timeout=20).status_code == 405

    packed = {"gzip": gzip.compress, "deflate": zlib.compress}
    for number, (encoding, pack) in enumerate(packed.items()):
        raw = pack(json.dumps({**EVENT, "id": f"packed-{number}"}).encode())
        assert door.post(raw, Content_Encoding=encoding).json()["accepted"] == 1
    lines = "\n".join(json.dumps({**EVENT, "id": f"line-{n}"}) for n in range(3))
    assert door.post(lines.encode(), Content_Type="application/x-ndjson").json()["accepted"] == 3
    pieces = (
        piece.encode()
        for piece in (json.dumps({**EVENT, "id": "chunked"})[:9], json.dumps({**EVENT, "id": "chunked"})[9:])
    )
    assert door.post(pieces).json()["accepted"] == 1

    handshake = requests.options(
        f"{door.url}/in/web", headers={"WebHook-Request-Origin": "events.example.com"}, timeout=20
    )
    assert handshake.headers["WebHook-Allowed-Origin"] == "events.example.com"
    assert handshake.headers["WebHook-Allowed-Rate"] == "*"
    preflight = requests.options(f"{door.url}/v1/track", headers={"Origin": "https://shop.example"}, timeout=20)
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, "*")


def test_what_of_a_batch_cannot_be_kept_becomes_a_dead_letter(door):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION fussy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.external_id = 'odd' THEN "
            "RAISE EXCEPTION 'no' USING ERRCODE = 'data_exception'; END IF; RETURN NEW; END $$; "
            "CREATE TRIGGER fussy BEFORE INSERT ON agents_signal FOR EACH ROW EXECUTE FUNCTION fussy()"
        )

    def call(id, properties="{}"):
        return f'{{"type":"group","groupId":"acme","messageId":"{id}","properties":{properties}}}'

    bad = {
        "nested": call("deep", '{"a":' * 300 + "1" + "}" * 300),
        "NaN": call("nan", '{"price":NaN,"far":-1e999}'),
        "stored": call("odd"),
    }
    for spoilt in bad.values():
        batch = f'{{"batch":[{call("good")},{spoilt}]}}'
        assert door.post(batch.encode(), path="/v1/batch").json() == {"success": True}
    assert door.post(f'{{"batch":[{bad["NaN"]}]}}'.encode(), path="/v1/batch").json() == {"success": True}
    assert door.post(bad["NaN"].encode(), path="/v1/track").status_code == 400
    assert Signal.objects.get().external_id == "good"
    letters = list(DeadLetter.objects.order_by("id"))
    for word, letter in zip([*bad, "NaN"], letters, strict=True):
        assert word in letter.reason
        assert letter.document == bad[word].replace("NaN", '"NaN"').replace("-1e999", '"-1e999"')
    assert {one.fate for one in replay([letter.id for letter in letters], actor="cli")} == {"dead"}
    assert [one.reason for one in DeadLetter.objects.order_by("id")] == [one.reason for one in letters]


def test_a_batch_nested_as_deep_as_json_can_be_is_kept_in_part(door):
    deep = '{"type":"group","groupId":"acme","messageId":"deep","properties":' + "[" * 1015 + "]" * 1015 + "}"
    assert door.post(f'{{"batch":[{deep}]}}'.encode(), path="/v1/batch").json() == {"success": True}
    assert DeadLetter.objects.get().document == '{"type":"group","groupId":"acme","messageId":"deep"}'


def test_the_registry_is_followed(door):
    def becomes(status: int, key=None):
        until(lambda: door.post(EVENT, key=key).status_code == status, seconds=10, what=f"{status} was answered")

    assert door.post(EVENT).status_code == 202
    change(key="renewed")
    becomes(202, key="renewed")
    becomes(401)
    change(is_active=False)
    becomes(403, key="renewed")
    change(is_active=True, mapping={"account": "firm"})
    becomes(202, key="renewed")
    assert door.post({"id": "9", "firm": "umbrella"}, key="renewed").json()["accepted"] == 1
    change(rate_limit=5)
    five = [{"id": f"r{m}", "firm": "a"} for m in range(5)]
    answers = []
    until(
        lambda: answers.append(door.post(five, key="renewed")) or answers[-1].status_code == 429,
        seconds=10,
        what="more than 5 signals a second were refused",
    )
    assert answers[0].status_code == 202
    assert int(answers[-1].headers["Retry-After"]) == 1
    time.sleep(1)
    assert door.post({"id": "late", "firm": "a"}, key="renewed").status_code == 202


def test_signed_requests(door):
    raw = json.dumps({"type": "visit", "account": "acme"}).encode()
    for _ in range(3):
        assert door.post(raw, key="", **signed(SECRET, raw, id="msg_1")).status_code == 202
    assert Signal.objects.get().external_id == "msg_1"
    packed = gzip.compress(raw)
    for body in (raw, packed):
        headers = signed(SECRET, body, id="msg_2")
        assert door.post(packed, key="", Content_Encoding="gzip", **headers).status_code == 202
    assert Signal.objects.count() == 2
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"account": "acme"}}
    raw = json.dumps(event).encode()
    answer = door.post(raw, key="", Content_Type="application/cloudevents+json", **signed(SECRET, raw))
    assert answer.json()["accepted"] == 1
    bad = signed(SECRET, raw)
    del bad["webhook-timestamp"]
    assert door.post(raw, **bad).status_code == 401
    change(signed_only=True)
    until(lambda: door.post(raw).status_code == 401, seconds=10, what="what is not signed was refused")
    segment = json.dumps({"messageId": "m1", "userId": "u1", "event": "E"}).encode()
    assert door.post(segment, path="/v1/track").status_code == 401
    assert door.post(segment, path="/v1/track", **signed(SECRET, segment)).json() == {"success": True}


def test_the_key_that_browsers_put_into_the_body(door):
    body = {"messageId": "m1", "userId": "u1", "event": "E", "writeKey": "key-of-web"}
    assert door.post(body, path="/v1/t", key="").json() == {"success": True}
    assert "writeKey" not in Signal.objects.get().document


def test_without_redis_signals_are_taken_in(workspace):
    with open_door(workspace, env={"REDIS_URL": "redis://127.0.0.1:1/0"}) as door:
        took = []
        for n in range(20):
            begun = time.perf_counter()
            assert door.post({**EVENT, "id": str(n)}).status_code == 202
            took.append(time.perf_counter() - begun)
        assert Signal.objects.count() == 20
        assert sorted(took)[10] < 0.2


BROKEN = [
    "Content-Length: 50\r\n\r\n{",
    "Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
    "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "Content-Length: -1\r\n\r\n{}",
    "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "Content-Type: \xe9\xff\r\nContent-Length: 2\r\n\r\n{}",
]


def test_a_broken_request_is_no_fault_of_the_server(door):
    host, port = door.url.removeprefix("http://").split(":")
    for head in BROKEN:
        with socket.create_connection((host, int(port)), timeout=10) as line:
            start = "POST /in/web HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-web\r\n"
            line.sendall((start + head).encode("latin-1"))
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(65536)
        assert not answer or answer.split()[1] in (b"400", b"202", b"422"), (head, answer)
    assert door.post({**EVENT, "id": "after"}).status_code == 202
