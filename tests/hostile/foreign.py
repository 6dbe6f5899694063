"""
Two of everything: what one grant reaches, and what is foreign. Every text of what is foreign bears MARK.

The one is of agent "home" in emea/de and smb, the other of agent MARK in the region MARK and the segment MARK.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from django.db import transaction
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from agents import paging, pauses
from agents.models import (
    Action,
    Agent,
    Attempt,
    Connection,
    ContactLock,
    DeadLetter,
    DoNotContact,
    Incident,
    Outcome,
    Pause,
    Play,
    PlayVersion,
    Region,
    Run,
    Segment,
    Signal,
    Source,
)
from agents.unsubscribe import unsubscribe_url
from approvals.models import Approval, Person
from audit.entries import Line, record
from audit.ids import new_ids
from audit.models import Entry
from tests import making
from tests.deciding import run_loop

MARK = "zq7foreign"
PARAMETER = re.compile(r"<(\w+:)?(\w+)>")
KEPT = (Action, Approval, DeadLetter, Incident, Pause, DoNotContact, Agent, Play, Connection, Source, Region, Segment)
CALM = [
    (re.compile(rb"(?i)since=[0-9]{4}-[0-9]{2}-[0-9]{2}t[0-9]{2}%3a[0-9]{2}"), b""),
    (re.compile(rb"<time\b[^>]*>[^<]*</time>"), b""),
    (re.compile(rb'(nonce|csrfmiddlewaretoken" value|data-at|datetime|title)="[^"]*"'), b""),
    (re.compile(rb"\d{1,2}:\d\d(:\d\d)?|\d+ (s|sec|min|h)\b|[0-9a-f-]{32,36}|[0-9a-z]{64}|\b\d{13}\b"), b""),
]


@dataclass
class Ground:
    """One agent, region and segment, with the person who owns the agent."""

    agent: Agent
    region: Region
    segment: Segment
    owner: Person
    name: str

    def work(self, size: int = 6) -> None:
        """Signals decided by the real loop: questions that wait and that were answered, sends that failed."""
        before = set(Run.objects.values_list("pk", flat=True))
        making.signals(
            [
                {
                    "type": self.name,
                    "region": self.region,
                    "segment": self.segment,
                    "source": Source.objects.get(slug=self.name),
                    "account": f"{self.name}.example",
                    "account_name": f"{self.name} Corp",
                    "person": f"{self.name} Jo",
                    "email": f"{self.name}.{uuid4().hex[:6]}@{self.name}.example",
                    "fields": {"page": "/pricing", "note": self.name},
                }
                for _ in range(size)
            ]
        )
        run_loop()
        actions = list(Action.objects.filter(agent=self.agent).exclude(run__in=before).order_by("id"))
        states = ("failed", "unknown", "refused", "delivered", "ready", "waiting")
        for action, state in zip(actions, states, strict=False):
            Action.objects.filter(pk=action.pk).update(state=state, why=f"{self.name}: it did not go")
            self._tried(action, state)

    def _tried(self, action: Action, state: str) -> None:
        now, (id_,) = timezone.now(), new_ids(1)
        Attempt.objects.create(
            id=id_, action=action, connection_id=action.connection_id, at=now, permit_until=now, flight_until=now,
            verdict=state if state in ("failed", "delivered") else "", detail=f"{self.name} said so",
            receipt={"message": {"subject": self.name, "text": self.name, "to": self.name}},
        )  # fmt: skip
        if state == "delivered":
            (outcome,) = new_ids(1)
            Outcome.objects.create(
                id=outcome, run_id=action.run_id, agent=self.agent, kind=self.name, value=5, acted=True,
                occurred_at=now, received_at=now, actor="cli",
            )  # fmt: skip

    def trouble(self, by: Person) -> None:
        """An incident, pauses of each of its three, a dead letter, someone not to be contacted, entries."""
        now = timezone.now()
        paging.open_incident("failure_rate", f"{self.name} broke", actor="cli", agent=self.agent)
        (id_,) = new_ids(1)
        DeadLetter.objects.create(
            id=id_, source=Source.objects.get(slug=self.name), kind="unmapped", format="json", received_at=now,
            external_id=f"{self.name}-dead", envelope=b"{}", reason=f"{self.name} is not understood",
        )  # fmt: skip
        for part in ({"agent": self.agent}, {"region": self.region}, {"segment": self.segment}):
            pauses.set_pause(
                pauses.Section(**part), reason=f"{self.name} rests", actor=by.actor, until=now + timedelta(hours=1)
            )
        contact = bytes(Action.objects.filter(agent=self.agent).exclude(contact=None).latest("pk").contact)
        ContactLock.objects.create(
            contact=contact, agent=self.agent, action_id=uuid4(), taken_at=now, until=now + timedelta(days=1)
        )
        with transaction.atomic():
            self._said(by)

    def _said(self, by: Person) -> None:
        record(
            Line(
                "agent.changed", f"agent:{self.agent.slug}", by.actor, agent=self.agent.slug, detail={"why": self.name}
            ),
            Line("region.changed", f"region:{self.region.code}", by.actor, region=self.region.code),
            Line("segment.changed", f"segment:{self.segment.code}", by.actor, segment=self.segment.code),
        )

    def url(self, route: str) -> str:
        """The address of a route, its parameters those of this ground."""
        known = next(
            (keys for noun, keys in self._keys().items() if route.removeprefix("api/v1/").startswith(noun)), {}
        )
        uuid = self._keys()["runs"]["pk"]
        guess = {"slug": self.name, "code": self.region.code, "key": f"{self.name}.example", "number": 1}

        def fill(found: re.Match[str]) -> str:
            kind, name = found.groups()
            given = known.get(name, guess.get(name, uuid if kind == "uuid:" else 1))
            return quote(str(given), safe="/:@")

        return "/" + PARAMETER.sub(fill, route)

    def _keys(self) -> dict[str, dict[str, Any]]:
        action = Action.objects.filter(agent=self.agent, state="failed").latest("pk")
        contact = bytes(ContactLock.objects.get(agent=self.agent).contact)
        return {
            "agents": {"slug": self.agent.slug, "number": 1},
            "runs": {"pk": action.run_id, "action": action.pk},
            "signals": {"pk": action.run.signal_id},
            "inbox": {"pk": Approval.objects.filter(agent=self.agent.slug, state="waiting").earliest("pk").pk},
            "pauses": {"pk": Pause.objects.get(agent=self.agent).pk},
            "incidents": {"pk": Incident.objects.get(agent=self.agent).pk},
            "audit": {"pk": Entry.objects.filter(agent=self.agent.slug).latest("pk").pk},
            "accounts": {"key": f"{self.name}.example"},
            "contacts": {"hash": contact.hex()},
            "people": {"pk": self.owner.pk},
            "scopes/regions": {"code": self.region.code},
            "scopes/segments": {"code": self.segment.code},
            "unsubscribe": {"token": unsubscribe_url(contact).rpartition("/")[2]},
        }

    def wishes(self) -> dict[str, Any]:
        """Values for filters, searches and forms that name what is of this ground."""
        keys = self._keys()
        waiting = Approval.objects.get(pk=keys["inbox"]["pk"])
        letter = DeadLetter.objects.filter(source__slug=self.name).earliest("pk")
        external = Signal.objects.get(pk=keys["signals"]["pk"]).external_id
        return {
            "q": self.name, "agent": self.agent.slug, "region": self.region.code, "segment": self.segment.code,
            "account": f"{self.name}.example", "source": self.name, "connection": self.name, "play": self.name,
            "type": self.name, "run": str(keys["runs"]["pk"]), "subject": f"agent:{self.agent.slug}",
            "actor": self.owner.actor, "owner": str(self.owner.pk), "on": str(keys["signals"]["pk"]),
            "person": str(self.owner.pk), "why": f"{self.name}: it did not go", "verb": "agent",
            "pick": f"{waiting.pk}:{bytes(waiting.binding).hex()}", "action": str(keys["runs"]["action"]),
            "letter": str(letter.pk), "external": external, "beneath": self.region.code,
        }  # fmt: skip


def routes() -> list[str]:
    """Every address of the console and its API, but those a stranger may reach: to sign in, by a signed link."""

    def walk(patterns: Any, before: str = "") -> Iterator[tuple[str, Any]]:
        for one in patterns:
            route = before + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, route)
            elif "(" not in route:
                yield route, one.callback

    every = walk(get_resolver().url_patterns)
    return [route for route, view in every if getattr(view, "login_required", True) or route.startswith("api/")]


def ground(name: str, owner: Person, region: str, segment: str) -> Ground:
    """An agent that asks, with play, connection and source of its own, all called `name`."""
    way = making.sandbox(name)
    play = making.play(way, name, payload={"json": {"id": "{{ signal.id }}", "who": name}}, purpose=name)
    PlayVersion.objects.create(play=play, version=1, name=name, risk="low", steps=play.steps)
    making.source(name)
    ask = {"clauses": [{"id": f"{name}-c1", "say": "ask", "note": name}]}
    agent = making.agent(play, owner, name, stage="supervised", policy=ask)
    agent.metric.name, agent.metric.outcome = name, name
    agent.metric.save()
    agent.routes.update(types=[name])
    return Ground(agent, making.region(region), making.segment(segment), owner, name)


def kept() -> dict[str, list[Any]]:
    """Everything that is foreign or could be made so, as it stands."""
    return {model.__name__: sorted(map(str, model.objects.order_by().values_list())) for model in KEPT}


def calm(body: bytes) -> bytes:
    """A page without what differs from one moment to the next."""
    for pattern, instead in CALM:
        body = pattern.sub(instead, body)
    return body
