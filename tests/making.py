"""Making what tests are about: agents with a policy, plays, connections and signals, by the ORM and in few words."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import transaction

from agents.models import Agent, Connection, Metric, Play, Policy, Region, Route, Segment, Signal, Source
from agents.rules.canonical import identity_hash
from approvals.models import Person
from audit.ids import new_ids

ALONE = {"clauses": [{"id": "c1", "say": "alone"}]}
ASK = {"clauses": [{"id": "c1", "say": "ask"}]}
PAGE = {"key": "page", "label": "Pricing page", "condition": {"field": "signal.page", "op": "eq", "value": "/pricing"}}
SCORECARD = {"criteria": [{**PAGE, "weight": 10, "kind": "intent"}], "threshold": 0, "confidence_offset": 0.1}


def region(code: str = "emea") -> Region:
    """The region of this code, made with all above it."""
    return _scope(Region, code)


def segment(code: str = "enterprise") -> Segment:
    """The segment of this code, made with all above it."""
    return _scope(Segment, code)


def _scope(tree: Any, code: str) -> Any:
    above = code.rpartition("/")[0]
    parent = _scope(tree, above) if above else None
    return tree.objects.get_or_create(code=code, defaults={"name": code.upper(), "parent": parent})[0]


def sandbox(slug: str = "sandbox", **config: Any) -> Connection:
    """A connection that delivers into Signalbox itself."""
    return Connection.objects.create(slug=slug, name=slug.title(), kind="sandbox", config=config)


def http(url: str, slug: str = "receiver", **config: Any) -> Connection:
    """A connection to a receiver on this machine."""
    return Connection.objects.create(
        slug=slug,
        name=slug.title(),
        kind="http",
        config={"base_url": url, **config},
        allowed_hosts=["127.0.0.1"],
    )


def play(connection: Connection, slug: str = "greet", *, payload: Any = None, **more: Any) -> Play:
    """A play of one step through `connection`."""
    payload = payload or {"json": {"id": "{{ signal.id }}", "account": "{{ signal.account }}"}}
    step = {"key": "send", "connection": connection.slug, "payload": payload, "delay_minutes": 0, "undo": {}}
    return Play.objects.create(slug=slug, name=slug.title(), steps=[step], **more)


def agent(
    play: Play,
    owner: Person,
    slug: str = "inbound",
    *,
    stage: str = "autonomous",
    policy: dict[str, Any] = ALONE,
    **more: Any,
) -> Agent:
    """An agent that listens to everything and chooses `play`."""
    with transaction.atomic():
        made = Agent.objects.create(
            slug=slug,
            name=slug.title(),
            job="Answer who is interested.",
            owner=owner,
            stage=stage,
            scorecard=more.pop("scorecard", SCORECARD),
            choices=[{"play": play.slug, "when": None, "min_score": 0}],
            **more,
        )
        made.policy = Policy.objects.create(agent=made, version=1, spec=policy, reason="first", published_by=owner)
        made.save()
        Metric.objects.create(agent=made, name="Meetings", outcome="meeting", target=5)
        Route.objects.create(agent=made)
    return made


def source(slug: str = "web", **more: Any) -> Source:
    """A source whose key is its slug and -key."""
    return Source.objects.get_or_create(slug=slug, defaults={"name": slug.title(), "key": f"{slug}-key", **more})[0]


def signals(rows: Iterable[dict[str, Any]]) -> list[Signal]:
    """New signals, in the database and unheard of by any worker; each row may give any column."""
    rows = list(rows)
    now = datetime.now(UTC)
    home, kind, web = region(), segment(), source()
    made = []
    for number, (id_, row) in enumerate(zip(new_ids(len(rows)), rows, strict=True)):
        email = row.pop("email", "")
        made.append(
            Signal(
                **{
                    "id": id_,
                    "source": web,
                    "external_id": f"s{number}-{id_}",
                    "type": "visit",
                    "occurred_at": now,
                    "received_at": now,
                    "account": f"account-{number}",
                    "account_name": "",
                    "person": "",
                    "email": email,
                    "contact": identity_hash(b"insecure", email) if email else None,
                    "region": home,
                    "segment": kind,
                    "fields": {"page": "/pricing"},
                    "payload": orjson.dumps({"n": number}),
                    "state": "new",
                    "is_demo": False,
                    **row,
                }
            )
        )
    return Signal.objects.bulk_create(made)
