"""A small workspace whose agent asks: people, scopes, plays, an agent, and signals decided by the real loop."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.loop.decide import decide
from agents.loop.hot import Hot
from agents.models import Action, Agent, Connection, Metric, Play, PlayVersion, Policy, Region, Route, Segment, Signal
from agents.models import Source as SignalSource
from agents.rules.canonical import identity_hash
from approvals.models import Approval, Person
from audit.ids import new_ids

REGIONS = {"emea": "EMEA", "emea/de": "Germany", "emea/fr": "France", "amer": "AMER", "apac": "APAC"}
SEGMENTS = {"enterprise": "Enterprise", "mid-market": "Mid-market", "smb": "SMB"}
INTRO = {
    "to": "{{ signal.email }}",
    "subject": "Your team and {{ signal.account_name }}",
    "text": "Hello {{ signal.person }},\n\nI saw that you looked at our plans for {{ signal.seats }} seats.\n"
    "Shall we talk for ten minutes this week?\n\n{{ agent.owner }}",
}
SCORECARD = {
    "criteria": [
        {"key": "big", "label": "Forty seats or more", "kind": "fit", "weight": 40,
         "condition": {"field": "signal.seats", "op": "gte", "value": 40}},
        {"key": "pricing", "label": "Looked at the pricing page", "kind": "intent", "weight": 30,
         "condition": {"field": "signal.page", "op": "eq", "value": "/pricing"}},
        {"key": "industry", "label": "In an industry we serve", "kind": "fit", "weight": 20,
         "condition": {"field": "signal.industry", "op": "in", "value": ["software", "logistics"]}},
        {"key": "again", "label": "Came back within a week", "kind": "recency", "weight": 10,
         "condition": {"field": "history.signals_7d", "op": "gte", "value": 2}},
    ],
    "threshold": 0,
    "confidence_offset": 0.1,
}  # fmt: skip


@dataclass
class World:
    """What a test speaks of."""

    agent: Agent
    play: Play
    source: SignalSource

    def signal(self, name: str = "Jo", **given: Any) -> Signal:
        """A new signal of one person at Acme in Germany, mid-market, unless `given` says otherwise."""
        email = given.pop("email", f"{name.lower().replace(' ', '.')}@acme.example")
        account = given.pop("account", "acme.example")
        region = Region.objects.get(code=given.pop("region", "emea/de"))
        segment = Segment.objects.get(code=given.pop("segment", "mid-market"))
        fields = {"page": "/pricing", "seats": 60, "industry": "retail", **given.pop("fields", {})}
        at = timezone.now() - timedelta(minutes=given.pop("minutes", 2))
        (id_,) = new_ids(1)
        return Signal.objects.create(
            id=id_, source=self.source, external_id=str(id_), type="page_viewed", occurred_at=at, received_at=at,
            account=account, account_name=given.pop("account_name", "Acme"), person=name, email=email,
            contact=identity_hash(settings.IDENTITY_KEY, email), region=region, segment=segment, fields=fields,
            format="json", payload=b"{}", state="new", is_demo=False,
        )  # fmt: skip

    def ask(self, count: int = 1, **given: Any) -> list[Approval]:
        """`count` questions, by the real loop, soonest to expire first."""
        before = set(Approval.objects.values_list("pk", flat=True))
        for n in range(count):
            self.signal(f"Jo {n}" if count > 1 else "Jo", **given)
        run_loop()
        return list(Approval.objects.exclude(pk__in=before).order_by("expires_at", "id"))


def action_of(approval: Approval) -> Action:
    """What the question is about, as it is now."""
    return Action.objects.get(pk=approval.subject.partition(":")[2])


def run_loop() -> None:
    """Decide everything that is new. Commits must be real: the loop has its own connection."""
    hot = Hot()
    try:
        while decide(hot).signals:
            pass
    finally:
        hot.close()


def furnish(owner: Person, **agent: Any) -> World:
    """Scopes, two ways out, a play and one supervised agent, owned by `owner`."""
    with transaction.atomic():
        for model, names in ((Region, REGIONS), (Segment, SEGMENTS)):
            for code, name in names.items():
                above = code.rpartition("/")[0]
                parent = model.objects.get(code=above) if above else None
                model.objects.get_or_create(code=code, defaults={"name": name, "parent": parent})
        mail = {"host": "127.0.0.1", "port": 9, "tls": "none", "from_address": "hello@signalbox.example"}
        Connection.objects.get_or_create(
            slug="mail", defaults={"name": "Mail", "kind": "email", "config": mail, "allowed_hosts": ["127.0.0.1"]}
        )
        Connection.objects.get_or_create(slug="sandbox", defaults={"name": "Sandbox", "kind": "sandbox"})
        steps = [{"key": "intro", "connection": "mail", "payload": INTRO}]
        play, made = Play.objects.get_or_create(slug="intro", defaults={"name": "Intro mail", "steps": steps})
        if made:
            PlayVersion.objects.create(play=play, version=1, name=play.name, risk=play.risk, steps=steps)
        source, _ = SignalSource.objects.get_or_create(slug="web", defaults={"name": "Website", "key": "key-web"})
        made_agent = furnish_agent(owner, play, **agent)
    return World(made_agent, play, source)


def furnish_agent(owner: Person, play: Play, **given: Any) -> Agent:
    """An agent that asks about `play` on everything it hears."""
    spec = given.pop("spec", {"clauses": [{"id": "mails-ask", "say": "ask", "note": "every first mail"}]})
    types = given.pop("types", [])
    values = {
        "slug": "inbound-intent", "name": "Inbound intent", "job": "Answers buying signals within a minute.",
        "owner": owner, "stage": "supervised", "scorecard": SCORECARD,
        "choices": [{"play": play.slug, "when": None, "min_score": 0}], **given,
    }  # fmt: skip
    agent = Agent.objects.create(**{**values, "stage": "draft"})
    agent.policy = Policy.objects.create(agent=agent, version=1, spec=spec, reason="The first.", published_by=owner)
    agent.stage = values["stage"]
    agent.save(update_fields=["policy", "stage"])
    Metric.objects.create(agent=agent, name="Meetings", outcome="meeting", target=5)
    Route.objects.create(agent=agent, types=types)
    return agent
