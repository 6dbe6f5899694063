import base64
import contextlib
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.loop.envelope import Envelope, Refused
from console.intake.answers import Fault
from console.intake.formats import cloudevents, ours, segment
from console.intake.formats.documents import MAX_EVENTS

EVENT = {"id": "1", "type": "visit", "account": "acme"}
CE = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.visit", "data": {"account": "acme"}}


def parse(raw, *, content_type="application/json", webhook_id=""):
    raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return ours.parse(raw, content_type=content_type, webhook_id=webhook_id)


def test_one_object_an_array_or_lines():
    one = parse(EVENT)
    assert [(item.format, item.body, item.id) for item in one.items] == [("json", EVENT, "")]
    assert one.items[0].payload == json.dumps(EVENT).encode()
    assert [item.body for item in parse([EVENT, EVENT]).items] == [EVENT, EVENT]
    lines = b"\n".join([orjson.dumps(EVENT)] * 3) + b"\r\n\n"
    assert len(parse(lines, content_type="application/x-ndjson").items) == 3
    assert len(parse(lines).items) == 3
    assert len(parse(orjson.dumps(EVENT), content_type="application/x-ndjson").items) == 1


def test_a_bad_one_among_many_is_refused_by_itself():
    bad = parse(b'[{"id":"1"},2,"x",null,[],{"id":"2","n":NaN},{"id":"3","n":1e999},{"id":"4"}]').items
    assert [isinstance(item, Refused) for item in bad] == [False, True, True, True, True, True, True, False]
    lines = parse(b'{"id":"1"}\n{"id":\n{"id":"3"}', content_type="application/jsonl").items
    assert [isinstance(item, Refused) for item in lines] == [False, True, False]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'{"id":"a\u0000b"}', "a\ufffdb"),
        (rb'{"id":"a\ud800b"}', "a\ufffdb"),
        (rb'{"id":"\udc00\ud83d"}', "\ufffd\ufffd"),
        (rb'{"id":"\ud83d\ude00\u0000"}', "\U0001f600\ufffd"),
    ],
)
def test_what_text_cannot_hold_is_replaced_and_told(raw, text):
    parsed = parse(raw)
    assert parsed.items[0].body == {"id": text}
    assert orjson.loads(parsed.items[0].payload) == {"id": text}
    assert "U+FFFD" in parsed.note


@pytest.mark.parametrize("raw", [rb'{"id":"a\\u0000b"}', rb'{"id":"\\ud800"}', rb'{"id":"\ud83d\ude00"}'])
def test_what_only_looks_like_it_is_left_alone(raw):
    parsed = parse(raw)
    assert parsed.items[0].body == json.loads(raw)
    assert parsed.note == ""


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbf" + orjson.dumps(EVENT), b"  \n" + orjson.dumps(EVENT) + b"\n"])
def test_a_mark_or_space_around_it_is_skipped(raw):
    assert parse(raw).items[0].body == EVENT


def test_huge_numbers_duplicate_keys_and_depth():
    assert parse(b'{"id":"1","n":' + b"9" * 40 + b"}").items[0].body["n"] == pytest.approx(1e40)
    assert parse(b'{"id":"1","id":"2"}').items[0].body == {"id": "2"}
    assert isinstance(parse(b'{"id":"1","n":' + b"9" * 5000 + b"}").items[0], Refused)
    assert isinstance(parse(b'{"id":' + b"[" * 600 + b"]" * 600 + b"}").items[0], Refused)


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (400, b""),
        (400, b"   "),
        (400, b"[]"),
        (400, b"{"),
        (400, b"visit"),
        (400, b"\xff\xfe{}"),
        (400, b'{"id":"\xff"}'),
        (400, b'{"id":"\x01"}'),
        (400, b"[" * 100_000),
        (400, b'{"a":' * 5000 + b"1" + b"}" * 5000),
        (400, b"{}{}"),
        (413, orjson.dumps([EVENT] * (MAX_EVENTS + 1))),
        (413, b"[" + b"1," * 900_000 + b"1]"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_read_as_a_whole_is_turned_away(status, raw):
    with pytest.raises(Fault) as turned_away:
        parse(raw)
    assert turned_away.value.status == status


def test_a_signed_body_is_known_by_its_webhook_id():
    hook = {"type": "user.created", "timestamp": "2026-11-21T10:00:00Z", "data": {"account": "acme"}}
    (item,) = parse(hook, webhook_id="msg_1").items
    assert (item.format, item.id, item.body) == ("standard_webhooks", "msg_1", {**hook, "id": "msg_1"})
    (item,) = parse(EVENT, webhook_id="msg_1").items
    assert (item.format, item.id, item.body) == ("json", "msg_1", EVENT)
    assert [item.id for item in parse([EVENT, EVENT], webhook_id="m").items] == ["m#0", "m#1"]


READERS = {
    "json": lambda raw: parse(raw),
    "lines": lambda raw: parse(raw, content_type="application/jsonl", webhook_id="m"),
    "batch": lambda raw: segment.parse(raw, call=""),
    "track": lambda raw: segment.parse(raw, call="track"),
    "structured": lambda raw: cloudevents.parse(raw, {}, content_type=cloudevents.STRUCTURED),
    "batched": lambda raw: cloudevents.parse(raw, {}, content_type=cloudevents.BATCH),
    "binary": lambda raw: cloudevents.parse(raw, {"HTTP_CE_SPECVERSION": "1.0"}, content_type=""),
}


@pytest.mark.parametrize("reader", READERS)
@given(raw=st.binary(max_size=200) | st.text('{}[]",:0123456789eE.+-\\uDd8 \n').map(str.encode))
def test_no_bytes_do_more_than_be_turned_away(reader, raw):
    with contextlib.suppress(Fault):
        assert all(isinstance(item, Envelope | Refused) for item in READERS[reader](raw).items)


def call(body, *, call=""):
    return segment.parse(json.dumps(body).encode(), call=call).items


def test_segments_paths_name_the_call():
    assert segment.PATHS["/v1/track"] == segment.PATHS["/v1/t"] == "track"
    assert segment.PATHS["/v1/batch"] == segment.PATHS["/v1/import"] == segment.PATHS["/v1/b"] == ""
    (item,) = call({"messageId": "m1", "userId": "u1", "event": "Bought", "writeKey": "k"}, call="track")
    assert item.body == {"messageId": "m1", "userId": "u1", "event": "Bought", "type": "track"}


def test_a_batch_lends_its_context():
    own = {"type": "track", "messageId": "m2", "context": {"ip": "2"}}
    batch = {"batch": [{"type": "track", "messageId": "m1"}, own], "context": {"ip": "1"}}
    assert [item.body["context"] for item in call(batch)] == [{"ip": "1"}, {"ip": "2"}]


def test_a_call_without_id_is_given_one_that_a_repeat_shares():
    stamped = {"type": "track", "userId": "u1", "timestamp": "2026-11-21T10:00:00Z"}
    first, again = call({"batch": [stamped, stamped]})
    other = call({"batch": [{**stamped, "timestamp": "2026-11-21T10:00:01Z"}]})[0]
    assert first.id == again.id != other.id
    bare, bare_again = call({"batch": [{"type": "track", "userId": "u1"}] * 2})
    assert bare.id != bare_again.id


def test_what_is_no_call_is_kept_all_the_same():
    assert all(isinstance(item, Envelope) for item in call({"batch": [1, "x", {}, None]}))
    assert call({"batch": []}) == []
    for body in ([], {"batch": 1}, {}):
        with pytest.raises(Fault):
            call(body)


def test_where_browsers_put_the_key():
    assert segment.write_key(b'{"writeKey":"k"}') == "k"
    assert segment.write_key(b'{"writeKey":1}') == segment.write_key(b"[") == segment.write_key(b"[]") == ""


def ce(body, *, content_type=cloudevents.STRUCTURED, **environ):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return cloudevents.parse(raw, environ, content_type=content_type).items


def test_cloudevents_structured_batched_and_binary_are_kept_alike():
    (structured,) = ce(CE)
    (batched,) = ce([CE], content_type=cloudevents.BATCH)
    headers = {"HTTP_CE_SPECVERSION": "1.0", "HTTP_CE_ID": "1", "HTTP_CE_SOURCE": "/shop"}
    (binary,) = ce(CE["data"], content_type="", HTTP_CE_TYPE="com.example.visit", **headers)
    assert structured.body == batched.body == binary.body == CE
    assert structured.content == batched.content == binary.content
    assert binary.id == "/shop 1"
    assert ce([], content_type=cloudevents.BATCH) == []


def test_binary_attributes_are_decoded_and_data_kept_by_its_type():
    headers = {
        "HTTP_CE_SPECVERSION": "1.0",
        "HTTP_CE_ID": "Euro%20%E2%82%AC",
        "HTTP_CE_SOURCE": '"a\\"b"',
        "HTTP_CE_TYPE": "t",
    }
    (text,) = ce(b"hello", content_type="text/plain", CONTENT_TYPE="text/plain; charset=utf-8", **headers)
    assert (text.body["id"], text.body["source"], text.body["data"]) == ("Euro \u20ac", 'a"b', "hello")
    assert text.body["datacontenttype"] == "text/plain; charset=utf-8"
    (packed,) = ce(b"\xff\x00", content_type="image/png", **headers)
    assert packed.body["data_base64"] == base64.b64encode(b"\xff\x00").decode()
    (bare,) = ce(b"", content_type="", **headers)
    assert "data" not in bare.body


def test_packed_json_is_opened():
    packed = {key: value for key, value in CE.items() if key != "data"}
    packed |= {"datacontenttype": "application/json", "data_base64": base64.b64encode(b'{"account":"acme"}').decode()}
    assert ce(packed)[0].body["data"] == {"account": "acme"}
    assert "data" not in ce({**packed, "data_base64": "!"})[0].body


@pytest.mark.parametrize("change", [{"id": ""}, {"source": None}, {"type": 1}, {"specversion": "0.3"}], ids=str)
def test_a_cloudevent_without_what_is_required_is_refused(change):
    bad, good = ce([{**CE, **change}, CE], content_type=cloudevents.BATCH)
    assert isinstance(bad, Refused)
    assert isinstance(good, Envelope)


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (400, [CE], cloudevents.STRUCTURED),
        (400, CE, cloudevents.BATCH),
        (415, CE, "application/cloudevents+avro"),
        (400, b"{", cloudevents.STRUCTURED),
    ],
)
def test_a_cloudevent_in_the_wrong_wrapping_is_turned_away(status, body, content_type):
    with pytest.raises(Fault) as turned_away:
        ce(body, content_type=content_type)
    assert turned_away.value.status == status
