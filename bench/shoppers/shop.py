"""The shop's workspace, made through the same changes as a person makes on the pages: one source, two agents."""

from typing import Any

from django.db import transaction

from agents.changes.agent import change_thinking, create_agent, set_stage
from agents.changes.connection import create_connection
from agents.changes.contact import import_addresses
from agents.changes.metric import set_metric
from agents.changes.play import create_play
from agents.changes.policy import publish_policy
from agents.changes.route import Wanted, set_routes
from agents.changes.source import create_source, set_mapping
from agents.models import Agent, Region, Segment, Source, Stage
from approvals.models import Person
from audit.entries import Line, record

ACTOR = "cli"
SOURCE = "shop"
OUTCOME = "Revenue=TRUE"
REGIONS = {str(n): f"shop/{n}" for n in range(1, 9)}
"""The file's regions. The ninth is left out: its sessions are in no region, and those never act alone."""
VISITORS = {"Returning_Visitor": "returning", "New_Visitor": "new"}
MAPPING: dict[str, Any] = {
    "type": "'Session ended'",
    "account": "id",
    "account_name": "join(' ', ['Session', id])",
    "email": "join('', [id, '@visitors.shop.example'])",
    "region": "Region",
    "region_map": REGIONS,
    "segment": "VisitorType",
    "segment_map": VISITORS,
    "fields": {
        "page_value": "PageValues",
        "product_pages": "ProductRelated",
        "product_seconds": "ProductRelated_Duration",
        "exit_rate": "ExitRates",
        "visitor": "VisitorType",
        "weekend": "Weekend",
        "month": "Month",
    },
    "spread": [],
}
"""The file names no visitor: each session is an account of its own, with an address made of its id."""
INTRO = "You left a few things behind. They are still there, and so are we if you have a question."
NEWS = "What came in this week, and what goes out of season."


def fact(field: str, op: str, value: Any) -> dict[str, Any]:
    """A condition on one field of the signal."""
    return {"field": f"signal.{field}", "op": op, "value": value}


def _criterion(key: str, label: str, kind: str, weight: int, condition: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "label": label, "kind": kind, "weight": weight, "condition": condition}


RESCUE: dict[str, Any] = {
    "criteria": [
        _criterion("valuable", "Saw pages that lead to sales", "intent", 35, fact("page_value", "gt", 0)),
        _criterion("dear", "Saw pages that lead to large sales", "intent", 15, fact("page_value", "gte", 10)),
        _criterion("depth", "Saw 20 products or more", "intent", 15, fact("product_pages", "gte", 20)),
        _criterion("time", "Ten minutes or more on products", "intent", 10, fact("product_seconds", "gte", 600)),
        _criterion("stays", "Pages that people seldom leave", "fit", 15, fact("exit_rate", "lte", 0.03)),
        _criterion("knows", "Was here before", "fit", 10, fact("visitor", "eq", "Returning_Visitor")),
    ],
    "threshold": 40,
    "confidence_offset": 0.1,
}
RESCUE_POLICY: dict[str, Any] = {
    "clauses": [
        {"id": "no-consent", "say": "never", "regions": ["shop/8"], "note": "no consent to be written to there"},
        {"id": "unsure", "say": "never", "below_confidence": 45, "note": "too little is known of the session"},
        {"id": "open", "say": "alone", "min_confidence": 45},
    ],
    "limits": {"hourly": 20_000, "daily": 20_000},
    "contact_lock_hours": 24,
    "max_signal_age_minutes": 120,
}
CLUB: dict[str, Any] = {
    "criteria": [_criterion("weekend", "Came on a weekend", "fit", 10, fact("weekend", "eq", "TRUE"))],
    "threshold": 50,
}
CLUB_POLICY: dict[str, Any] = {
    "clauses": [{"id": "open", "say": "alone"}],
    "limits": {"hourly": 20_000, "daily": 20_000},
    "contact_lock_hours": 24,
}


def build(*, receiver: str, smtp_port: int, unwilling: list[str]) -> list[Agent]:
    """
    Make everything in an empty, migrated database: what acts goes to `receiver` (an address on this machine) and to
    the SMTP server at `smtp_port`; `unwilling` addresses are on the do-not-contact list. The agents, the first being
    the one whose metric is revenue.
    """
    with transaction.atomic():
        owner = _person("Mira Holt", "mira@shop.example")
        deputy = _person("Jon Reyes", "jon@shop.example")
        _scopes()
        _ways_out(receiver, smtp_port)
        source = set_mapping(
            create_source(actor=ACTOR, slug=SOURCE, name="Shop sessions"), mapping=MAPPING, actor=ACTOR
        )
        people = {"owner": owner, "deputy": deputy}
        rescue = _agent(
            "Basket rescue",
            "Win back visitors who were about to buy: a call-back where much is at stake, else a mail.",
            people,
            source=source,
            scorecard=RESCUE,
            choices=[
                {"play": "call-back", "when": fact("page_value", "gt", 0), "min_score": 60},
                {"play": "reminder", "when": None, "min_score": 40},
            ],
            policy=RESCUE_POLICY,
        )
        club = _agent(
            "Weekend club",
            "Tell those who shop on weekends what is new.",
            people,
            source=source,
            scorecard=CLUB,
            choices=[{"play": "newsletter", "when": fact("visitor", "eq", "New_Visitor"), "min_score": 50}],
            policy=CLUB_POLICY,
        )
        if unwilling:
            import_addresses("\n".join(unwilling), actor=ACTOR, reason="Asked not to be written to")
    return [rescue, club]


def address(id: str) -> str:
    """The address of the session that was sent under `id`, as the mapping makes it."""
    return f"{id}@visitors.shop.example"


def _person(name: str, email: str) -> Person:
    person = Person.objects.create(email=email, name=name, role="owner")
    record(Line("person.created", person.actor, ACTOR, detail={"role": "owner"}))
    return person


def _scopes() -> None:
    shop = _scope(Region, "shop", "Shop", None)
    for n, code in REGIONS.items():
        _scope(Region, code, f"Region {n}", shop)
    for code in VISITORS.values():
        _scope(Segment, code, f"{code.title()} visitors", None)


def _scope(tree: Any, code: str, name: str, parent: Any) -> Any:
    kind = tree._meta.model_name
    record(Line(f"{kind}.created", f"{kind}:{code}", ACTOR, detail={"name": name}))
    return tree.objects.create(code=code, name=name, parent=parent)


def _ways_out(receiver: str, smtp_port: int) -> None:
    create_connection(
        actor=ACTOR,
        slug="call-desk",
        name="Call desk",
        kind="http",
        config={"base_url": receiver},
        allowed_hosts=["127.0.0.1"],
    )
    create_connection(
        actor=ACTOR,
        slug="post-office",
        name="Post office",
        kind="email",
        config={"host": "127.0.0.1", "port": smtp_port, "tls": "none", "from_address": "hello@shop.example"},
        allowed_hosts=["127.0.0.1"],
    )
    call = {
        "session": "{{ signal.account }}",
        "region": "{{ signal.region }}",
        "page_value": "{{ signal.page_value }}",
        "score": "{{ score }}",
    }
    _play("call-back", "Call-back", "medium", "call-desk", {"path": "/calls", "json": call})
    mail = {"to": "{{ signal.email }}", "subject": "Still looking?", "text": INTRO}
    _play("reminder", "Reminder", "low", "post-office", mail)
    _play("newsletter", "Newsletter", "low", "post-office", {**mail, "subject": "New this week", "text": NEWS})


def _play(slug: str, name: str, risk: str, connection: str, payload: dict[str, Any]) -> None:
    step = {"key": "send", "connection": connection, "payload": payload, "delay_minutes": 0}
    create_play(actor=ACTOR, slug=slug, name=name, risk=risk, steps=[step])


def _agent(
    name: str,
    job: str,
    people: dict[str, Person],
    *,
    source: Source,
    scorecard: dict[str, Any],
    choices: list[dict[str, Any]],
    policy: dict[str, Any],
) -> Agent:
    agent = create_agent(actor=ACTOR, name=name, job=job, **people)
    change_thinking(agent, actor=ACTOR, scorecard=scorecard, choices=choices)
    set_metric(agent, actor=ACTOR, name="Sessions that end in revenue", outcome="revenue", target=40)
    why = "What we agreed to start with."
    two = {"person": people["owner"], "confirmed_by": people["deputy"]}
    publish_policy(agent, actor=ACTOR, spec=policy, reason=why, **two)
    set_routes(agent, actor=ACTOR, wanted=[Wanted(None, source, [], {})])
    for stage in (Stage.SHADOW, Stage.SUPERVISED, Stage.AUTONOMOUS):
        agent = set_stage(Agent.objects.get(pk=agent.pk), actor=ACTOR, stage=stage)
    return agent
