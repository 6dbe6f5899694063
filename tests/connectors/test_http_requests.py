"""What is written: key, credentials, path and headers; and what comes back of it."""

import base64

import orjson
import pytest

from agents.connectors import AddressRules, BadPayload, CannotTell, ConfigError, Found, NotFound, Verdict
from agents.connectors.http import HttpConnector
from tests.connectors.conftest import Started
from tests.connectors.far_side import Visit, out

SECRET = "s3cret/+\"token'"


async def _ok(visit: Visit) -> None:
    visit.answer("201 Created", b'{"id": 42, "note": "kept"}')


async def test_a_request_carries_the_key_and_the_json(started: Started):
    far_side, http = await started.pair(_ok, headers={"X-Team": "sales"})
    attempt = out({"json": {"name": "Zoë"}, "path": "/contacts?x=1", "headers": {"X-Step": "first"}})
    answer = await http.send(attempt)
    (visit,) = far_side.visits
    assert visit.line == "POST /contacts?x=1 HTTP/1.1"
    assert visit.header("Idempotency-Key") == [str(attempt.action_id)]
    assert visit.header("Content-Type") == ["application/json"]
    assert visit.header("X-Team") == ["sales"]
    assert visit.header("X-Step") == ["first"]
    assert orjson.loads(visit.body) == {"name": "Zoë"}
    assert answer.receipt == {"status": 201, "body": {"id": 42, "note": "kept"}}


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ({"auth": "bearer"}, "Authorization", f"Bearer {SECRET}"),
        ({"auth": "header", "auth_header": "X-Key"}, "X-Key", SECRET),
        (
            {"auth": "basic", "username": "ann"},
            "Authorization",
            "Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode(),
        ),
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Oops"])
async def test_credentials_are_sent_and_never_kept_though_echoed(started: Started, config, header, value, status):
    async def echo(visit: Visit) -> None:
        told = visit.header(header)[0]
        visit.answer(f"{status}", orjson.dumps({"raw": told, "basic": base64.b64encode(told.encode()).decode()}))

    far_side = await started.far_side(echo)
    http = started.http(far_side.url, {"secret": SECRET}, **config)
    answer = await http.send(out())
    assert far_side.visits[0].header(header) == [value]
    kept = answer.detail + repr(answer.receipt)
    for form in (SECRET, orjson.dumps(SECRET).decode()[1:-1], value.removeprefix("Basic ").removeprefix("Bearer ")):
        assert form not in kept


@pytest.mark.parametrize(
    "payload",
    [
        {"path": "contacts"},
        {"path": "//evil.example/x"},
        {"path": "/a/../../admin"},
        {"path": "/a/%2e%2e/admin"},
        {"path": "/a/%252e%252e/admin"},
        {"path": "/a/..%2fadmin"},
        {"path": "/a\\..\\admin"},
        {"path": "/a\r\nX-Evil: 1"},
        {"path": "/a#b"},
        {"path": "@evil.example/"},
        {"path": 7},
        {"path": "/" + "a" * 3000},
        {"method": "TRACE"},
        {"method": "POST /x HTTP/1.1\r\nX: y"},
        {"headers": {"X-A": "b\r\nX-Evil: 1"}},
        {"headers": {"X-A": "b\nX-Evil: 1"}},
        {"headers": {"X-A": "b\0"}},
        {"headers": {"X-A": "\u560d\u560aX"}},
        {"headers": {"X-A\r\nX-Evil": "1"}},
        {"headers": {"X A": "1"}},
        {"headers": {"": "1"}},
        {"headers": {"Host": "evil.example"}},
        {"headers": {"idempotency-key": "mine"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"Authorization": "Bearer other"}},
        {"headers": {"x-fixed": "other"}},
        {"headers": ["X-A"]},
        {"json": {"a": {1, 2}}},
        {"url": "http://evil.example/"},
    ],
    ids=repr,
)
async def test_what_could_lead_elsewhere_fails_before_anything_is_written(started: Started, payload):
    far_side, http = await started.pair(_ok, headers={"X-Fixed": "1"})
    answer = await http.send(out(payload))
    assert answer.verdict is Verdict.FAILED
    assert answer.detail.startswith("nothing was sent: ")
    assert far_side.connections == 0


async def test_a_path_is_added_and_encoded(started: Started):
    far_side = await started.far_side(_ok)
    http = started.http(far_side.url + "/api/v1/")
    await http.send(out({"path": "/contacts/zoë b"}))
    await http.send(out({"path": "/contacts/a%2Fb"}))
    await http.send(out())
    assert [visit.line for visit in far_side.visits] == [
        "POST /api/v1/contacts/zo%C3%AB%20b HTTP/1.1",
        "POST /api/v1/contacts/a%2Fb HTTP/1.1",
        "POST /api/v1/ HTTP/1.1",
    ]


@pytest.mark.parametrize(
    ("status", "kind"), [("200 OK", Found), ("404 No", NotFound), ("500 No", CannotTell), ("302 No", CannotTell)]
)
async def test_lookup_asks_for_the_action(started: Started, status, kind):
    async def behave(visit: Visit) -> None:
        visit.answer(status, b'{"id": 7}')

    far_side, http = await started.pair(behave, lookup_path="/messages/{action_id}", lookup_after=90)
    action = out().action_id
    found = await http.lookup(action)
    assert isinstance(found, kind)
    assert far_side.visits[0].line == f"GET /messages/{action} HTTP/1.1"
    assert http.lookup_after == 90
    assert http.slots == 32


async def test_lookup_of_a_far_side_that_is_away_cannot_tell(started: Started):
    far_side, http = await started.pair(_ok, lookup_path="/messages/{action_id}")
    far_side._server.close()
    assert isinstance(await http.lookup(out().action_id), CannotTell)


async def test_undo_is_made_of_the_answer(started: Started):
    _, http = await started.pair(_ok, undo_method="DELETE", undo_path="/contacts/{id}?by={action_id}")
    attempt = out()
    answer = await http.send(attempt)
    undo = http.undo_payload(action_id=attempt.action_id, payload=attempt.payload, receipt=answer.receipt)
    assert undo == {"method": "DELETE", "path": f"/contacts/42?by={attempt.action_id}"}
    hostile = {"body": {"id": "../../admin?x=\r\n"}}
    undo = http.undo_payload(action_id=attempt.action_id, payload={}, receipt=hostile)
    assert (await http.send(out(undo))).verdict is Verdict.FAILED
    for receipt in ({}, {"body": {"id": ".."}}, {"body": {"id": ""}}, {"body": {"id": None}}, {"body": "42"}):
        with pytest.raises(BadPayload):
            http.undo_payload(action_id=attempt.action_id, payload={}, receipt=receipt)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("200 OK", "delivered"),
        ("405 No", "delivered"),
        ("401 No", "failed"),
        ("500 No", "failed"),
        ("302 No", "failed"),
    ],
)
async def test_the_test_button_asks_for_the_head(started: Started, status, verdict):
    async def behave(visit: Visit) -> None:
        visit.answer(status)

    far_side, http = await started.pair(behave)
    assert (await http.test()).verdict == verdict
    assert far_side.visits[0].line == "HEAD / HTTP/1.1"
    assert far_side.visits[0].header("Idempotency-Key") == []


@pytest.mark.parametrize("body", [b'{"a": "\\u0000"}', b"\0\xff\xfe", b"{broken", b"[" * 5000, b'{"a": "\\ud800"}'])
async def test_a_receipt_can_always_be_stored_as_jsonb(started: Started, body):
    async def behave(visit: Visit) -> None:
        visit.answer("200 OK", body)

    _, http = await started.pair(behave)
    answer = await http.send(out())
    assert answer.verdict is Verdict.DELIVERED
    stored = orjson.dumps(answer.receipt).replace(b"\\\\", b"")
    assert b"\\u0000" not in stored
    assert b"\\ud8" not in stored
    assert len(stored) < 4096


async def test_slots_follow_from_what_the_far_side_can_do(started: Started):
    url = "https://crm.example.com"
    assert started.http(url).slots == 8
    assert started.http(url, idempotent=True).slots == 32
    assert started.http(url).lookup_after is None
    assert started.http(url).can_undo is False


def test_every_fault_of_a_configuration_is_named_at_once():
    config = {
        "base_url": "ftp://crm.example.com",
        "method": "BREW",
        "headers": {"X-A": "b\r\nX-Evil: 1", "Host": "evil.example"},
        "auth": "basic",
        "timeout": "soon",
        "idempotent": "maybe",
        "lookup_path": "/messages",
        "undo_method": "DELETE",
        "ca_certificate": "nonsense",
        "typo": 1,
    }
    with pytest.raises(ConfigError) as caught:
        HttpConnector(config, {"secrat": "x"}, allow=AddressRules())
    places = [problem.place for problem in caught.value.problems]
    assert set(places) == (
        {"base_url", "method", "headers", "secret", "timeout", "idempotent", "lookup_path", "undo_path"}
        | {"ca_certificate", "typo", "secrat"}
    )
    assert all(problem.mend and problem.says for problem in caught.value.problems)


def test_an_authority_with_a_foreign_character_is_a_fault_of_its_field():
    pem = "-----BEGIN CERTIFICATE-----\nMIIé\n-----END CERTIFICATE-----\n"
    with pytest.raises(ConfigError, match="holds 'é'") as caught:
        HttpConnector({"base_url": "https://crm.example.com", "ca_certificate": pem}, {}, allow=AddressRules())
    assert [problem.place for problem in caught.value.problems] == ["ca_certificate"]


def test_a_secret_is_not_sent_unencrypted_unless_the_host_was_allowed():
    config = {"base_url": "http://crm.example.com", "auth": "bearer"}
    with pytest.raises(ConfigError, match="unencrypted"):
        HttpConnector(config, {"secret": "x"}, allow=AddressRules())
    HttpConnector(config, {"secret": "x"}, allow=AddressRules.parse(["crm.example.com"]))
