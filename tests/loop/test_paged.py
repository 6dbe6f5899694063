"""A connection that breaks: real failures over HTTP, one incident, real mail to the owner and then the deputy."""

import email
import threading
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from agents import tasks
from agents.models import Incident
from agents.watchdog import BROKEN_AFTER
from console.engines import ports
from tests import making
from tests.running import until

REFUSING = 404


class Refuse(BaseHTTPRequestHandler):
    """A far side that knows nothing of what is posted."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(REFUSING)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


class Mailbox:
    """Keeps what a mail server is given."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], email.message.EmailMessage]] = []

    async def handle_DATA(self, server, session, envelope) -> str:
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


@pytest.fixture
def mailbox():
    kept = Mailbox()
    server = Controller(kept, hostname="127.0.0.1", port=ports.free_port())
    server.start()
    kept.url = f"smtp://127.0.0.1:{server.port}"
    yield kept
    server.stop()


@pytest.fixture
def refusing():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_broken_connection_is_mailed_to_the_owner_and_then_to_the_deputy(
    workspace, worker, mailbox, refusing, alice, bob
):
    connection = making.http(refusing, slug="crm")
    agent = making.agent(making.play(connection), alice, deputy=bob)
    making.signals([{} for _ in range(BROKEN_AFTER + 1)])
    worker(concurrency=1, env={"SIGNALBOX_SMTP_URL": mailbox.url, "SIGNALBOX_BASE_URL": "https://box.example.com"})
    until(lambda: tasks.sweep.delay() and Incident.objects.filter(kind="connection").exists(), seconds=30, what="opens")
    one = Incident.objects.get(kind="connection")
    until(lambda: tasks.page.delay() and to(mailbox, alice, one), seconds=20, what="the owner is told")
    assert to(mailbox, bob, one) == [], "the deputy sleeps while the owner may take it"
    Incident.objects.filter(pk=one.pk).update(next_page_at=timezone.now())
    until(lambda: tasks.page.delay() and to(mailbox, bob, one), seconds=20, what="the deputy is told")
    text, html = (parts(to(mailbox, alice, one)[0], kind) for kind in ("plain", "html"))
    for part in (text, html):
        assert f"https://box.example.com/incidents/{one.pk}" in part
        assert "Crm fails" in part
        assert f"an agent of yours uses {connection.name}" in part
        assert "Unless somebody takes it, Bob is told at" in part
    assert "Unless somebody takes it, Alice is told at" in parts(to(mailbox, bob, one)[0], "plain")
    assert [len(to(mailbox, person, one)) for person in (alice, bob)] == [1, 1]
    assert agent.slug not in text


def to(mailbox, person, incident):
    """The mails to this person about this incident."""
    return [mail for people, mail in mailbox.mails if people == [person.email] and incident.cause in mail["Subject"]]


def parts(mail, kind):
    return mail.get_body((kind,)).get_content()
