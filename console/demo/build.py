"""Building the demo workspace, every part with its entry in the record."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from agents.changes.agent import set_stage
from agents.changes.metric import set_metric
from agents.changes.policy import publish_policy
from agents.changes.route import Wanted, set_routes
from agents.changes.source import new_key, set_mapping
from agents.models import Agent, Connection, DoNotContact, Play, PlayVersion, Region, Segment, Source, Stage
from agents.rules.canonical import identity_hash
from approvals.models import Person
from audit.entries import Line, record
from console.demo import inbound_intent, people, places, renewal_risk, sources, stories, trial_rescue, ways

ACTOR = "cli"
WORKSPACE = "workspace:demo"
UP_TO: dict[str, tuple[Stage, ...]] = {
    "shadow": (Stage.SHADOW,),
    "supervised": (Stage.SHADOW, Stage.SUPERVISED),
    "autonomous": (Stage.SHADOW, Stage.SUPERVISED, Stage.AUTONOMOUS),
}


def is_there() -> bool:
    """Whether any of the demo workspace is left."""
    return Agent.objects.filter(is_demo=True).exists() or Source.objects.filter(is_demo=True).exists()


def new_password() -> str:
    """Four words and two digits: 33 bits, made for this workspace only."""
    words = [secrets.choice(stories.WORDS["passwords"]) for _ in range(4)]
    return "-".join([*words, f"{secrets.randbelow(90) + 10}"])


def build(*, password: str) -> list[Person]:
    """
    Make everything in one transaction; the people who may sign in with `password`.

    Regions and segments that are there already are used as they are. IntegrityError or ValidationError, with nothing
    made, when another slug or e-mail is taken.
    """
    with transaction.atomic():
        record(Line("demo.created", WORKSPACE, ACTOR))
        _places()
        staff = _people(password)
        for connection in ways.CONNECTIONS:
            _connection(connection)
        for play in ways.PLAYS:
            _play(play)
        for source in sources.SOURCES:
            _source(source)
        for agent in (inbound_intent, trial_rescue, renewal_risk):
            _agent(agent.AGENT, staff)
        _do_not_contact()
    return list(staff.values())


def _places() -> None:
    for place in places.REGIONS:
        _scope(
            Region,
            place.code,
            place.name,
            time_zone=place.time_zone,
            currency=place.currency,
            working_hours=place.hours,
        )
    for code, name in places.SEGMENTS:
        _scope(Segment, code, name)


def _scope(tree: type[Region] | type[Segment], code: str, name: str, **more: Any) -> None:
    if tree.objects.filter(code=code).exists():
        return
    above: Any = tree.objects.filter(code=code.rpartition("/")[0]).first()
    scope = tree(code=code, name=name, parent=above, is_demo=True)
    for field, value in more.items():
        setattr(scope, field, value)
    scope.full_clean()
    scope.save()
    kind = tree._meta.model_name
    record(Line(f"{kind}.created", f"{kind}:{code}", ACTOR, detail={"name": name}))


def _people(password: str) -> dict[str, Person]:
    encoded = make_password(password)
    staff = {}
    for one in people.PEOPLE:
        person = Person(
            email=one.email, name=one.name, role=one.role, time_zone=one.time_zone, mails="never", is_demo=True
        )
        person.password = encoded
        person.full_clean()
        person.save()
        record(Line("person.created", person.actor, ACTOR, detail={"role": one.role}))
        staff[one.key] = person
    return staff


def _connection(spec: dict[str, Any]) -> None:
    made = Connection(kind="sandbox", is_demo=True, **spec)
    made.full_clean()
    made.save()
    record(Line("connection.created", f"connection:{made.slug}", ACTOR, detail={"kind": made.kind, "name": made.name}))


def _play(spec: dict[str, Any]) -> None:
    made = Play(is_demo=True, **spec)
    made.full_clean()
    made.save()
    PlayVersion.objects.create(play=made, version=1, name=made.name, risk=made.risk, steps=made.steps)
    record(Line("play.created", f"play:{made.slug}", ACTOR, detail={"name": made.name, "risk": made.risk}))


def _source(spec: dict[str, Any]) -> None:
    made = Source(slug=spec["slug"], name=spec["name"], key=new_key(), is_demo=True)
    made.full_clean()
    made.save()
    record(Line("source.created", f"source:{made.slug}", ACTOR, detail={"name": made.name}))
    set_mapping(made, mapping=spec["mapping"], actor=ACTOR)


def _agent(spec: dict[str, Any], staff: dict[str, Person]) -> None:
    owner = staff[spec["owner"]]
    agent = Agent(
        slug=spec["slug"],
        name=spec["name"],
        job=spec["job"],
        owner=owner,
        deputy=staff[spec["deputy"]],
        built_by=staff["sam"],
        scorecard=spec["scorecard"],
        choices=spec["choices"],
        is_demo=True,
    )
    agent.full_clean()
    agent.save()
    people_ = {"owner": owner.actor, "deputy": staff[spec["deputy"]].actor}
    record(
        Line("agent.created", f"agent:{agent.slug}", ACTOR, agent=agent.slug, detail={"name": agent.name, **people_})
    )
    set_metric(agent, actor=owner.actor, **spec["metric"])
    publish_policy(
        agent,
        actor=owner.actor,
        person=owner,
        confirmed_by=agent.deputy,
        spec=spec["policy"],
        reason="What we agreed to start with.",
    )
    wanted = [
        Wanted(None, Source.objects.get(slug=route["source"]), route["types"], route.get("condition", {}))
        for route in spec["routes"]
    ]
    set_routes(agent, actor=ACTOR, wanted=wanted)
    for stage in UP_TO[spec["stage"]]:
        set_stage(Agent.objects.get(pk=agent.pk), actor=owner.actor, stage=stage, why="Set up with the demo workspace")


def _do_not_contact() -> None:
    for email in stories.UNSUBSCRIBED:
        contact = identity_hash(settings.IDENTITY_KEY, email)
        _, made = DoNotContact.objects.get_or_create(
            contact=contact,
            defaults={
                "hint": stories.hint(email),
                "origin": "import",
                "reason": "Asked in a mail not to be written to",
            },
        )
        if made:
            record(Line("contact.suppressed", f"contact:{contact.hex()}", ACTOR, detail={"origin": "import"}))
