"""Entries are kept for ever, so nobody's address and no far side's words stand in them."""

from datetime import UTC, datetime

import pytest
from aiosmtpd.controller import Controller
from django.db import connection, transaction

from agents import paging
from agents.connectors.contract import Answer, Verdict
from agents.loop.decide import decide
from agents.loop.envelope import wrap
from agents.loop.gate import gate
from agents.loop.hot import Hot
from agents.loop.intake import receive, understand
from agents.loop.settle import Settled, settle
from agents.loop.sources import load_sources
from agents.models import Account, Attempt, Connection, Incident, Page, Signal
from audit.models import Entry
from audit.timeline import Filters, timeline
from console.engines import ports
from tests import making
from tests.intake.conftest import make_source

pytestmark = pytest.mark.usefixtures("workspace")
AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SAID = "550 5.1.1 ana@gmail.example: no such mailbox"


@pytest.fixture
def hot():
    made = Hot()
    yield made
    made.close()


def recorded() -> bytes:
    return b"\n".join(bytes(body) for body in Entry.objects.values_list("body", flat=True))


@pytest.mark.parametrize(
    "event",
    [{"id": "1", "email": "Ana@gmail.com"}, {"id": "1", "account": "Ana@gmail.com"}],
    ids=["taken from the e-mail", "given"],
)
def test_an_account_that_is_an_address_goes_by_its_hash(hot, alice, event):
    making.agent(making.play(making.sandbox()), alice)
    make_source()
    with transaction.atomic(), connection.cursor() as wrapped:
        known = load_sources(wrapped.cursor, {})["web"]
        assert receive(wrapped.cursor, [understand(known, wrap("json", event), at=AT)]) == ["accepted"]
    decide(hot)
    signal, account = Signal.objects.get(), Account.objects.get()
    assert signal.account == account.key
    assert signal.account.startswith("contact:")
    assert signal.account_name.lower() == account.name.lower() == "ana@gmail.com"
    entries = timeline(Filters(account=signal.account))
    assert {"signal.received", "run.decided"} <= {one.verb for one in entries}
    assert b"gmail" not in recorded().lower()


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.UNKNOWN, Verdict.RETRY])
def test_the_far_sides_words_stay_with_the_attempt(hot, alice, verdict):
    making.agent(making.play(making.sandbox()), alice)
    making.signals([{}])
    decide(hot)
    (one,) = gate(hot)
    settle(hot, [Settled(one.action, one.attempt, one.connection.id, Answer(verdict, 550, SAID, 1), one.line)])
    assert Attempt.objects.get().detail == SAID
    entry = timeline(Filters(subject=f"action:{one.action}"))[0]
    assert (entry.detail["verdict"], entry.detail["status"]) == (verdict.value, 550)
    paging.open_incident("connection", f"Sandbox fails: {SAID}", actor="cli", connection_=Connection.objects.get())
    assert SAID in Incident.objects.get().cause
    assert b"gmail" not in recorded()


class Strict:
    """A mail server that knows nobody."""

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        return f"550 5.1.1 {address}: no such mailbox"


def test_a_page_that_is_refused_is_recorded_by_class_and_code(alice, settings):
    server = Controller(Strict(), hostname="127.0.0.1", port=ports.free_port())
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    try:
        agent = making.agent(making.play(making.sandbox()), alice)
        paging.open_incident("failure_rate", "It fails.", actor="cli", agent=agent)
        assert paging.page_due() == 1
    finally:
        server.stop()
    assert alice.email in Page.objects.get().error
    entry = Entry.objects.get(verb="incident.paged")
    assert b'"error":"SMTPRecipientsRefused 550"' in bytes(entry.body)
    assert alice.email.encode() not in recorded()
