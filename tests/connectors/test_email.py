"""What became of a message, against relays that take it, refuse it, or hang up in the middle."""

import asyncio
import socket
from email import message_from_bytes, policy

import pytest

from agents.connectors import BadPayload, CannotTell, ConfigError, Verdict
from agents.connectors import smtp_line as module
from agents.connectors.email import EmailConnector
from tests.connectors.conftest import Certificate
from tests.connectors.far_side import out
from tests.connectors.relay import STEP, Handler, Relays, Script, only

PASSWORD = "correct horse"


async def test_a_message_is_delivered_as_written(relays: Relays):
    handler = Handler()
    email = relays.email(await relays.polite(handler), from_name="Sales, Acme", reply_to="owner@seller.example")
    attempt = out(STEP | {"html": "<p>One</p>", "unsubscribe_url": "https://sb.example/u/abc?d=1"})
    answer = await email.send(attempt)
    assert (answer.verdict, answer.status) == (Verdict.DELIVERED, 250)
    assert answer.receipt == {
        "message_id": f"<{attempt.action_id}@seller.example>",
        "reply": "250 2.0.0 queued as 4711",
    }
    (envelope,) = handler.delivered
    assert (envelope.mail_from, envelope.rcpt_tos) == ("agent@seller.example", ["ann@customer.example"])
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert message["From"] == '"Sales, Acme" <agent@seller.example>'
    assert message["Reply-To"] == "owner@seller.example"
    assert message["Message-ID"] == answer.receipt["message_id"]
    assert message["X-Signalbox-Action"] == str(attempt.action_id)
    assert message["List-Unsubscribe"] == "<https://sb.example/u/abc?d=1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Date"].datetime is not None
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == STEP["text"]
    assert "<p>One</p>" in message.get_body(("html",)).get_content()


async def test_a_line_is_used_again(relays: Relays):
    handler = Handler()
    email = relays.email(await relays.polite(handler))
    for _ in range(5):
        assert (await email.send(out(STEP))).verdict is Verdict.DELIVERED
    assert handler.sessions == 1
    assert {answer.verdict for answer in await asyncio.gather(*(email.send(out(STEP)) for _ in range(8)))} == {
        Verdict.DELIVERED
    }
    assert handler.sessions <= 8
    assert len(handler.delivered) == 13


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "verdict"), [("451 4.3.0 later", Verdict.RETRY), ("550 5.1.1 no such user", Verdict.FAILED)]
)
async def test_what_the_relay_refuses(relays: Relays, verb, reply, verdict):
    handler = Handler(**{verb: reply})
    email = relays.email(await relays.polite(handler))
    answer = await email.send(out(STEP))
    assert (answer.verdict, answer.status) == (verdict, int(reply[:3]))
    assert reply[4:] in answer.detail
    handler.say.clear()
    assert (await email.send(out(STEP))).verdict is Verdict.DELIVERED
    assert len(handler.delivered) == 1
    assert handler.sessions == 1


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ({"greeting": "554 go away"}, Verdict.UNSENT),
        ({"greeting": "421 busy"}, Verdict.UNSENT),
        ({"greeting": "HTTP/1.1 400 Bad Request"}, Verdict.UNSENT),
        ({"EHLO": None}, Verdict.UNSENT),
        ({"MAIL": None}, Verdict.UNSENT),
        ({"RCPT": None}, Verdict.UNSENT),
        ({"DATA": None}, Verdict.UNSENT),
        ({"MAIL": "421 closing"}, Verdict.RETRY),
        ({"DATA": "451 not now"}, Verdict.RETRY),
        ({"DATA": "554 no"}, Verdict.FAILED),
        ({"BODY": None}, Verdict.UNKNOWN),
        ({"BODY": "552 too big"}, Verdict.FAILED),
        ({"BODY": "452 full"}, Verdict.RETRY),
        ({"BODY": "what?"}, Verdict.UNKNOWN),
        ({"BODY": "354 more"}, Verdict.UNKNOWN),
        ({"BODY": "250 taken"}, Verdict.DELIVERED),
    ],
    ids=repr,
)
async def test_where_the_conversation_breaks_decides(relays: Relays, script, verdict):
    relay = Script(**script)
    answer = await relays.email(await relays.scripted(relay)).send(out(STEP))
    assert answer.verdict is verdict
    assert relay.connections == 1
    assert relay.heard.count(b"\r\n.\r\n") <= 1


async def test_dropped_after_the_body_is_unknown_and_sent_once(relays: Relays):
    async def drop(server) -> str:
        server.transport.abort()
        return "250 never heard"

    handler = Handler(DATA=drop)
    email = relays.email(await relays.polite(handler))
    answer = await email.send(out(STEP))
    assert answer.verdict is Verdict.UNKNOWN
    assert handler.sessions == 1


async def test_dropped_after_the_body_on_a_reused_line_is_not_resent(relays: Relays):
    handler = Handler()
    email = relays.email(await relays.polite(handler))
    assert (await email.send(out(STEP))).verdict is Verdict.DELIVERED
    bodies = 0

    async def drop(server) -> str:
        nonlocal bodies
        bodies += 1
        server.transport.abort()
        return "250 never heard"

    handler.say["DATA"] = drop
    assert (await email.send(out(STEP))).verdict is Verdict.UNKNOWN
    assert (bodies, handler.sessions) == (1, 1)


async def test_a_line_that_was_dropped_while_idle_is_replaced(relays: Relays):
    handler = Handler()
    email = relays.email(await relays.polite(handler))
    assert (await email.send(out(STEP))).verdict is Verdict.DELIVERED

    async def hang_up(server) -> str:
        handler.say.clear()
        server.transport.abort()
        return "250 never heard"

    handler.say["MAIL"] = hang_up
    assert (await email.send(out(STEP))).verdict is Verdict.DELIVERED
    assert (len(handler.delivered), handler.sessions) == (2, 2)


async def test_too_slow_after_the_body_is_unknown_and_before_it_unsent(relays: Relays):
    async def linger(server) -> str:
        await asyncio.sleep(20)
        return "250 at last"

    for verb, verdict in (("DATA", Verdict.UNKNOWN), ("RCPT", Verdict.UNSENT)):
        email = relays.email(await relays.polite(Handler(**{verb: linger})))
        answer = await email.send(out(STEP, timeout=0.3))
        assert answer.verdict is verdict
        assert answer.ms < 2000


async def test_a_slow_answer_to_data_outlives_the_permit_and_no_body_is_written(relays: Relays):
    relay = Script(delay={"DATA": 0.4})
    email = relays.email(await relays.scripted(relay))
    answer = await email.send(out(STEP, permit=0.2))
    await asyncio.sleep(0.1)
    assert answer.verdict is Verdict.EXPIRED
    assert relay.heard.endswith(b"DATA\r\n")


async def test_a_permit_that_passes_before_mail_from(relays: Relays, monkeypatch):
    relay = Script()
    email = relays.email(await relays.scripted(relay))
    attempt = out(STEP)
    monkeypatch.setattr(module, "boottime", lambda: attempt.permit_until + 1)
    assert (await email.send(attempt)).verdict is Verdict.EXPIRED
    assert b"MAIL" not in relay.heard
    monkeypatch.undo()
    assert (await email.send(out(STEP, permit=-1))).verdict is Verdict.EXPIRED
    assert relay.connections == 1


async def test_nobody_listens(relays: Relays):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = await relays.email(bound.getsockname()[1]).send(out(STEP))
    assert answer.verdict is Verdict.UNSENT


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_tls_and_sign_in(relays: Relays, certificate: Certificate, tls):
    handler = Handler()
    options = {"authenticator": only(b"agent", PASSWORD.encode()), "auth_required": True}
    if tls == "tls":
        port = await relays.polite(handler, certificate.server, auth_require_tls=False, **options)
    else:
        port = await relays.polite(handler, tls_context=certificate.server, require_starttls=True, **options)
    config = {"tls": tls, "username": "agent"}
    stranger = await relays.email(port, PASSWORD, **config).send(out(STEP))
    assert stranger.verdict is Verdict.UNSENT
    assert "certificate" in stranger.detail
    trusting = config | {"ca_certificate": certificate.pem}
    wrong = await relays.email(port, "wrong", **trusting).send(out(STEP))
    assert (wrong.verdict, wrong.status) == (Verdict.FAILED, 535)
    assert "wrong" not in wrong.detail
    email = relays.email(port, PASSWORD, **trusting)
    assert (await email.test()).verdict is Verdict.DELIVERED
    assert handler.delivered == []
    assert (await email.send(out(STEP))).verdict is Verdict.DELIVERED


async def test_a_relay_without_starttls_hears_neither_password_nor_message(relays: Relays):
    relay = Script(EHLO="250 AUTH PLAIN LOGIN")
    email = relays.email(await relays.scripted(relay), PASSWORD, tls="starttls", username="agent")
    assert (await email.send(out(STEP))).verdict is Verdict.UNSENT
    assert (await email.test()).verdict is Verdict.UNSENT
    assert b"AUTH" not in relay.heard
    assert b"MAIL" not in relay.heard


async def test_a_relay_that_echoes_the_password_does_not_get_it_stored(relays: Relays):
    relay = Script(EHLO="250-relay\r\n250 AUTH PLAIN", AUTH=f"535 wrong: {PASSWORD} AGFnZW50AGNvcnJlY3QgaG9yc2U=")
    answer = await relays.email(await relays.scripted(relay), PASSWORD, username="agent").send(out(STEP))
    assert answer.verdict is Verdict.FAILED
    assert PASSWORD not in answer.detail
    assert "AGFnZW50AGNvcnJlY3QgaG9yc2U" not in answer.detail


async def test_mail_can_neither_be_asked_about_nor_taken_back(relays: Relays):
    email = relays.email(25)
    assert isinstance(await email.lookup(out().action_id), CannotTell)
    assert (email.idempotent, email.lookup_after, email.can_undo, email.slots) == (False, None, False, 8)
    with pytest.raises(BadPayload):
        email.undo_payload(action_id=out().action_id, payload={}, receipt={})


def test_every_fault_of_a_configuration_is_named_at_once(relays: Relays):
    with pytest.raises(ConfigError) as caught:
        relays.email(
            25.5,
            "x",
            allow=(),
            host="smtp.example",
            tls="none",
            from_address="A <a@b.example>",
            from_name="a\r\nBcc: x",
            reply_to="a@b.example, c@d.example",
        )
    assert {problem.place for problem in caught.value.problems} == {
        "port",
        "tls",
        "from_address",
        "from_name",
        "reply_to",
        "username",
    }
    with pytest.raises(ConfigError) as caught:
        EmailConnector({}, {}, allow=relays.email(25)._allow)
    assert {problem.place for problem in caught.value.problems} == {"host", "from_address"}
