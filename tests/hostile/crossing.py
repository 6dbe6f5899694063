"""A workspace that hands on every field of a signal by every way out: what the injections of HOSTILE 25 go through."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from agents.models import Connection, Play, PlayVersion
from tests import making
from tests.hostile.conftest import Yard
from tests.hostile.injections import Attack, Posts
from tests.hostile.mails import Mails, mail_server
from tests.hostile.receiver import Receiver
from tests.intake.conftest import Door, open_door
from tests.running import until

UNSETTLED = """
SELECT (SELECT count(*) FROM agents_signal WHERE state = 'new')
    + (SELECT count(*) FROM agents_action WHERE state IN ('ready', 'sending'))
"""
HOOK = {
    "path": "/accounts/{{ signal.account }}/notes?of={{ signal.type }}",
    "headers": {"X-Person": "{{ signal.person|default('-') }}", "X-Raw": "{{ signal.payload.raw|default('-') }}"},
    "json": {
        "id": "{{ signal.id }}",
        "account": "{{ signal.account }}",
        "person": "{{ signal.person|default('-') }}",
        "note": "Hello {{ signal.person|default('-') }}.",
        "all": "{{ signal.payload }}",
    },
}
MAIL = {
    "to": "{{ signal.email }}",
    "subject": "Hello {{ signal.payload.raw|default('-') }}",
    "text": "Hello {{ signal.person|default('-') }}, of {{ signal.type }}.\n{{ signal.payload.raw|default('-') }}",
    "html": '<p title="{{ signal.payload.raw|default("-") }}">Hello <b>{{ signal.person|default("-") }}</b></p>',
}
COPY = {"to": "{{ signal.payload.copy }}", "subject": "A copy", "text": "Of {{ signal.account }}."}
SHOWN = {
    "to": "{{ signal.email|default('-') }}",
    "subject": "{{ signal.payload.raw|default('-') }}",
    "text": "{{ signal.person|default('-') }} of {{ signal.account }}",
    "json": {"all": "{{ signal.payload }}"},
}
PERMITTED = {
    ("inbound", "greet", "crm"),
    ("inbound", "greet", "mail"),
    ("inbound", "greet", "sandbox"),
    ("asking", "call", "calls"),
}


@dataclass
class Crossing:
    """An agent that acts alone, one that asks and one that is not concerned, and what got out of each."""

    yard: Yard
    door: Door
    crm: Receiver
    calls: Receiver
    refunds: Receiver
    mails: Mails
    answers: Counter[int] = field(default_factory=Counter)

    def send(self, attacks: list[Attack], rng: random.Random) -> None:
        """Post them all, and wait until everything is decided and nothing is on its way."""
        posts, local = Posts(self.door.key), threading.local()
        posts.add(attacks, rng)

        def post(one: tuple[str, dict[str, str], bytes]) -> int:
            if not hasattr(local, "session"):
                local.session = requests.Session()
            path, headers, body = one
            return local.session.post(self.door.url + path, data=body, headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(8) as pool:
            self.answers.update(pool.map(post, posts.made))
        until(lambda: not self.yard.rows(UNSETTLED)[0][0], seconds=600, what="all decided and settled")


@contextmanager
def crossing(yard: Yard, owner: Any) -> Iterator[Crossing]:
    """Real gunicorn, a real worker, real receivers."""
    with ExitStack() as started:
        crm, calls, refunds = (started.enter_context(Receiver()) for _ in range(3))
        mails = started.enter_context(mail_server())
        door = started.enter_context(open_door(yard.workspace))
        config = {"host": "127.0.0.1", "port": mails.port, "tls": "none", "from_address": "agent@seller.example"}
        Connection.objects.create(slug="mail", name="Mail", kind="email", config=config, allowed_hosts=["127.0.0.1"])
        making.sandbox()
        for slug, receiver in (("crm", crm), ("calls", calls), ("refunds", refunds)):
            making.http(receiver.url, slug)
        steps = {"hook": ("crm", HOOK), "mail": ("mail", MAIL), "copy": ("mail", COPY), "shown": ("sandbox", SHOWN)}
        greet = _play("greet", **steps)
        making.agent(greet, owner, "inbound")
        making.agent(_play("call", hook=("calls", HOOK)), owner, "asking", policy=making.ASK)
        making.agent(_play("refund", hook=("refunds", HOOK)), owner, "billing").routes.update(types=["invoice.overdue"])
        worker = yard.workspace.worker()
        started.callback(worker.kill)
        yield Crossing(yard, door, crm, calls, refunds, mails)


def _play(slug: str, **steps: tuple[str, dict[str, Any]]) -> Play:
    made = [
        {"key": key, "connection": connection, "payload": payload, "delay_minutes": 0}
        for key, (connection, payload) in steps.items()
    ]
    play = Play.objects.create(slug=slug, name=slug.title(), steps=made)
    PlayVersion.objects.create(play=play, version=1, name=play.name, risk=play.risk, steps=made)
    return play
