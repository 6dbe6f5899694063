"""
Signalbox's side of the bench: one agent with the twelve criteria, four plays, one receiver.

`python -m bench.workspace RECEIVER` in an empty, migrated database.
"""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

import django

django.setup()

from django.db import transaction  # noqa: E402

from agents import pauses  # noqa: E402
from agents.models import Agent, Connection, Metric, Play, Policy, Region, Route, Segment, Source  # noqa: E402
from approvals.models import Person  # noqa: E402
from audit.entries import Line, record  # noqa: E402
from bench import work  # noqa: E402

ACTOR = "cli"
KEY = "bench-key"
IDLE_PAUSES = 5


def make(receiver: str) -> None:
    """Everything in an empty, migrated database, idle pauses included."""
    with transaction.atomic():
        for tree, codes in ((Region, work.REGIONS), (Segment, work.SEGMENTS)):
            for code in sorted(codes):
                parent = tree.objects.filter(code=code.rpartition("/")[0]).first()
                tree.objects.create(code=code, name=code, parent=parent)
                _tell(tree._meta.model_name, code)
        owner = Person.objects.create(email="owner@bench.example", name="Owner", role="owner")
        _tell("person", owner.pk)
        Connection.objects.create(
            slug="receiver",
            name="Receiver",
            kind="http",
            config={"base_url": receiver, "idempotent": True},
            allowed_hosts=["127.0.0.1"],
        )
        _tell("connection", "receiver")
        step = {"key": "post", "connection": "receiver", "payload": {"json": work.PAYLOAD}, "delay_minutes": 0}
        for slug in work.PLAYS:
            Play.objects.create(slug=slug, name=slug, steps=[step])
            _tell("play", slug)
        agent = Agent.objects.create(
            slug="bench",
            name="Bench",
            job="Answer who is interested.",
            owner=owner,
            stage="autonomous",
            scorecard=work.SCORECARD,
            choices=work.CHOICES,
        )
        agent.policy = Policy.objects.create(agent=agent, version=1, spec=work.POLICY, reason="bench")
        agent.save()
        Metric.objects.create(agent=agent, name="Meetings", outcome="meeting", target=5)
        record(Line("policy.published", "policy:bench@1", ACTOR, detail={"why": "bench"}))
        _tell("agent", "bench")
        source = Source.objects.create(slug="bench", name="Bench", key=KEY, mapping=work.MAPPING)
        _tell("source", "bench")
        _tell("route", Route.objects.create(agent=agent, source=source).pk)
        for number in range(IDLE_PAUSES):
            elsewhere = Region.objects.create(code=f"elsewhere-{number}", name=f"Elsewhere {number}")
            _tell("region", elsewhere.code)
            pauses.set_pause(pauses.Section(region=elsewhere, agent=agent), reason="idle", actor=ACTOR)


def _tell(kind: str, key: object) -> None:
    """The entry that the database wants of what was made."""
    record(Line(f"{kind}.created", f"{kind}:{key}", ACTOR))


if __name__ == "__main__":
    make(sys.argv[1])
