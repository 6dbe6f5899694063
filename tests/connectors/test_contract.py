"""What holds for every connector, and the small parts that all of them stand on."""

import asyncio
import base64
import json
from urllib.parse import quote, quote_plus
from uuid import uuid4

import pytest

from agents.connectors import AddressRules, BadPayload, CannotTell, ConfigError, Verdict, boottime, registry
from agents.connectors.contract import one_line
from agents.connectors.redact import Redactor
from agents.connectors.sandbox import SandboxConnector
from tests.connectors.far_side import out


@pytest.mark.parametrize("kind", ["http", "email", "sandbox"])
def test_the_form_can_be_built_from_the_description(kind):
    connector = registry[kind]
    assert connector.kind == kind
    assert connector.payload_fields
    for field in connector.fields + connector.payload_fields:
        assert field.name.isidentifier()
        assert field.label
        assert (field.kind == "choice") == bool(field.choices)
        assert field.default is None or field.kind != "choice" or field.default in dict(field.choices)


@pytest.mark.parametrize("kind", ["http", "email", "sandbox"])
def test_a_field_nobody_asked_for_is_a_problem(kind):
    with pytest.raises(ConfigError, match="nonsense"):
        registry[kind]({"nonsense": 1}, {}, allow=AddressRules())


def sandbox(**config) -> SandboxConnector:
    return SandboxConnector(config, {}, allow=AddressRules())


async def test_the_sandbox_delivers_into_the_receipt_and_says_so():
    payload = {"json": {"name": "Zoë"}}
    answer = await sandbox().send(out(payload))
    assert answer.verdict is Verdict.DELIVERED
    assert answer.receipt == {"sandbox": True, "message": payload}
    assert (await sandbox().test()).verdict is Verdict.DELIVERED
    assert isinstance(await sandbox().lookup(uuid4()), CannotTell)


async def test_the_sandbox_obeys_the_permit_and_wants_something_to_deliver():
    assert (await sandbox().send(out({"text": "a"}, permit=-1))).verdict is Verdict.EXPIRED
    assert (await sandbox().send(out({"nothing": "a"}))).verdict is Verdict.FAILED


async def test_the_sandbox_can_be_taken_back():
    attempt = out({"text": "a"})
    receipt = (await sandbox().send(attempt)).receipt
    undo = sandbox().undo_payload(action_id=attempt.action_id, payload=attempt.payload, receipt=receipt)
    assert (await sandbox().send(out(undo))).verdict is Verdict.DELIVERED
    with pytest.raises(BadPayload):
        sandbox().undo_payload(action_id=attempt.action_id, payload={}, receipt={})


async def test_sandbox_failures_follow_from_the_ids():
    attempts = [out({"text": "a"}) for _ in range(1000)]
    some = [(await sandbox(fail_percent=20).send(attempt)).verdict for attempt in attempts]
    again = [(await sandbox(fail_percent=20).send(attempt)).verdict for attempt in attempts]
    assert some == again
    assert 140 < some.count(Verdict.FAILED) < 260
    assert Verdict.DELIVERED not in {(await sandbox(fail_percent=100).send(attempt)).verdict for attempt in attempts}


async def test_sandbox_takes_its_time():
    slow = sandbox(delay_ms=150)
    answers = await asyncio.gather(*(slow.send(out({"text": "a"})) for _ in range(32)))
    assert all(150 <= answer.ms < 1000 for answer in answers)
    assert (await slow.send(out({"text": "a"}, timeout=0.05))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\n b\t c", "a b c"),
        ("\0a\ud800", "a?"),
        ("x" * 600, "x" * 499 + "…"),
        ("Zoë 🚂", "Zoë 🚂"),
        ("a\u2028\u202eb", "a b"),
    ],
)
def test_one_line(text, line):
    assert one_line(text) == line


def test_the_permit_clock_runs_in_seconds():
    assert 0 <= boottime() - boottime() + 0.001 < 1


@pytest.mark.parametrize("secret", ["tok/en+=", 'quo"te', "sp ace"])
def test_a_secret_is_masked_in_every_dress(secret):
    redactor = Redactor([secret, ""])
    for dress in (secret, json.dumps(secret), quote(secret, safe=""), quote_plus(secret)):
        assert dress.strip('"') not in redactor.text(f"it said {dress}!")
        assert dress.strip('"').encode() not in redactor.bytes(f"it said {dress}!".encode())
    assert base64.b64encode(secret.encode()).decode().rstrip("=") not in redactor.text(
        base64.b64encode(secret.encode()).decode()
    )
    assert redactor.text("nothing to hide") == "nothing to hide"
