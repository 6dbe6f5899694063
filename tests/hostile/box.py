"""A whole Signalbox as `manage.py up` runs it, on engines of its own that may be killed; and clients that post."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connections

from approvals.models import Person
from console import env
from tests import making
from tests.hostile.conftest import Yard, lines
from tests.hostile.receiver import Receiver
from tests.running import ROOT, Process, Workspace, environment

KINDS = 8


@dataclass
class Box:
    """A running Signalbox with `KINDS` agents that send to `receiver`; `url` is where it answers."""

    up: Process
    var: Path
    url: str
    receiver: Receiver
    workspace: Workspace

    def pid(self, name: str) -> int:
        """The process that the supervisor runs under this name just now."""
        return int(json.loads((self.var / "run" / "children.json").read_text())[name][0])

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send the program of this name, and all that it started, a signal."""
        os.killpg(self.pid(name), number)

    def post(self, *ids: str) -> None:
        """Have signals of these ids taken in, together."""
        events = [event(id_, number) for number, id_ in enumerate(ids)]
        requests.post(f"{self.url}/in/web", json=events, headers=KEY, timeout=20).raise_for_status()

    def signed_in(self) -> Callable[..., requests.Response]:
        """Alice at her browser: what sends forms with `(path, field=value…)`; raises for a status of 400 or more."""
        session = requests.Session()
        session.get(f"{self.url}/sign-in", timeout=20)

        def send(path: str, **fields: str) -> requests.Response:
            fields["csrfmiddlewaretoken"] = session.cookies["signalbox_csrf"]
            answer = session.post(f"{self.url}{path}", data=fields, timeout=20, allow_redirects=False)
            answer.raise_for_status()
            return answer

        send("/sign-in", username=ALICE, password=PASSWORD)
        return send

    def received(self) -> Counter[str]:
        """How often an action came of each signal's id."""
        return Counter(json.loads(receipt.visit.body)["id"] for receipt in list(self.receiver.receipts))

    @contextmanager
    def yard(self) -> Iterator[Yard]:
        """For looking, while PostgreSQL is there."""
        with self.workspace.connect() as sql:
            yield Yard(self.workspace, sql)

    def verify(self) -> str:
        """What `manage.py verify` says; AssertionError if the record does not hold."""
        said = subprocess.run(
            [sys.executable, "manage.py", "verify"], cwd=ROOT, env=self.workspace.env, capture_output=True, text=True
        )
        assert said.returncode == 0, said.stdout + said.stderr
        return said.stdout


ALICE, PASSWORD = "alice@example.com", "platform nine at noon"
KEY = {"Authorization": "Bearer web-key"}


def event(id_: str, number: int) -> dict[str, Any]:
    """A signal that the agents' number `number` hears."""
    return {
        "id": id_,
        "type": f"kind-{number % KINDS}",
        "account": f"account-{number % 100}",
        "page": "/pricing",
        "region": "emea",
        "segment": "enterprise",
    }


@contextmanager
def running(var: Path, receiver: Receiver) -> Iterator[Box]:
    """Start a Signalbox on the empty folder `var` and furnish it; it is ended with the block."""
    given = environment(DATABASE_URL="", REDIS_URL="", SIGNALBOX_DEMO="0", SIGNALBOX_VAR=str(var))
    up = Process([sys.executable, "manage.py", "up"], given, "up")
    try:
        up.ready(lambda: "Ctrl-C stops it" in up.output(), seconds=120)
        (url,) = re.findall(r"Signalbox is at (\S+)", up.output())
        addresses = json.loads((var / "run" / "engines.json").read_text())
        workspace = Workspace(addresses["DATABASE_URL"], addresses["REDIS_URL"], {**given, **addresses})
        with _django_on(workspace.database_url):
            making.source()
            making.region()
            making.segment()
            owner = Person.objects.create(email=ALICE, name="Alice", role="owner", password=make_password(PASSWORD))
            lines([receiver.url] * KINDS, owner)
        yield Box(up, var, url, receiver, workspace)
        assert up.stop(signal.SIGINT, seconds=60) == 0, up.output()
    finally:
        up.kill()


@contextmanager
def _django_on(url: str) -> Iterator[None]:
    chosen = settings.DATABASES["default"]
    before = dict(chosen)
    connections.close_all()
    chosen.update(env.django_database(url))
    try:
        yield
    finally:
        connections.close_all()
        chosen.update(before)


@dataclass
class Clients:
    """Each posts one signal after the other, and the same again until it is told that it was accepted."""

    url: str
    count: int
    accepted: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> "Clients":
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(self.count)]
        [thread.start() for thread in self._threads]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        [thread.join() for thread in self._threads]

    def _run(self, client: int) -> None:
        number = client
        with requests.Session() as session:
            while not self._stop.wait(0.01):
                id_ = f"client-{client}-{number}"
                said = self._post(session, event(id_, number))
                if said == "202 Accepted":
                    self.accepted.add(id_)
                    number += 1
                else:
                    self.refused[said] += 1

    def _post(self, session: requests.Session, body: dict[str, Any]) -> str:
        try:
            answer = session.post(f"{self.url}/in/web", json=body, headers=KEY, timeout=30)
        except requests.RequestException as error:
            return type(error).__name__
        return f"{answer.status_code} {answer.reason}"
