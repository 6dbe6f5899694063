"""Agents: the list, and one agent with everything that says whether it deserves its freedom."""

from datetime import timedelta
from typing import Any

from django.db.models import Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from agents import access
from agents.changes.agent import NEXT
from agents.changes.proposal import open_proposal
from agents.figures import lately, waiting
from agents.health import health
from agents.models import Action, Agent, Incident, Pause, Play, Policy, Source, Stage
from agents.models.action import State
from agents.readiness import AT_WORK, readiness
from agents.results import Results, first_month, track_record
from agents.rules.conditions import compile_condition
from agents.rules.errors import SpecError
from agents.rules.metrics import metric_words, rate_words
from audit.ids import floor_id
from console.views import page
from console.views.boundaries import columns, limits_of, names
from console.views.roster import STATES, kept_results, roster
from console.views.runs import lines

MEANS = {
    Stage.DRAFT: "It hears nothing and does nothing.",
    Stage.SHADOW: "It decides on every signal it hears and records what it would have done. It sends nothing.",
    Stage.SUPERVISED: "It acts, and a person says yes to every action first.",
    Stage.AUTONOMOUS: "It acts alone inside its boundaries, and asks where they say so.",
    Stage.RETIRED: "It is out of service for good; its history stays.",
}
ATTENTION_DAYS = 7
SEVERAL = 10
FEW = 5


def agents(request: HttpRequest) -> HttpResponse:
    """Every agent, the retired too; `?owner=me` is where an owner lands."""
    context = {
        "roster": roster(request, access.visible(request.user, Agent.objects.all())),
        "stages": Stage.choices,
        "states": STATES,
        "may_build": access.may(request.user, access.BUILD),
    }
    return page.render(request, "agents/list.html", context, fragment="board")


def agent(request: HttpRequest, slug: str) -> HttpResponse:
    """One agent; the part that says what goes on now is asked for anew while it is open."""
    found = named(request, slug)
    part = page.part(request)
    context: dict[str, Any] = {"agent": found}
    plays = [] if part == "recent" else list(Play.objects.only("slug", "name", "risk", "is_active", "steps"))
    if part != "recent":
        context |= _now(found, plays)
    if part != "now":
        context["runs"] = _recent(found)
    if not part:
        context |= _standing(request, found, kept_results([found]).get(found.pk), plays)
    return page.render(request, "agents/agent.html", context, fragment=("now", "recent"))


def named(request: HttpRequest, slug: str) -> Agent:
    """The agent of that slug with its people, metric and policy; 404, also when the person does not see it."""
    agents = access.visible(request.user, Agent.objects.all())
    return get_object_or_404(
        agents.select_related("owner", "deputy", "built_by", "metric", "policy__published_by"), slug=slug
    )


def _now(agent: Agent, plays: list[Play]) -> dict[str, Any]:
    recent = lately()
    hour, day = recent.failures(agent.pk)
    return {
        "health": health([agent], recent, plays=plays)[agent.pk],
        "hour": hour,
        "day": day,
        "waiting": waiting().get(agent.slug),
        "attention": _attention(agent),
    }


def _standing(request: HttpRequest, agent: Agent, measured: Results | None, plays: list[Play]) -> dict[str, Any]:
    routes = list(agent.routes.select_related("source").order_by("pk"))
    items = readiness(agent, plays=plays, routes=routes)
    spec = agent.policy.spec if agent.policy else {}
    labels = names()
    order = list(Stage)
    moves = [
        {
            "stage": stage,
            "label": Stage(stage).label,
            "means": MEANS[Stage(stage)],
            "forward": stage != Stage.RETIRED and order.index(Stage(stage)) > order.index(Stage(agent.stage)),
            "blocked": stage in AT_WORK and not all(item.ok for item in items),
        }
        for stage in NEXT[agent.stage]
    ]
    return {
        "results": measured,
        "points": [(one.day, one.value) for one in measured.days] if measured else [],
        "marks": _marks(agent, measured),
        "metric_says": _metric_says(measured),
        "month": first_month(agent, measured),
        "split": _split(measured),
        "track": track_record(agent),
        "items": items,
        "ready": all(item.ok for item in items),
        "columns": columns(spec, labels),
        "limits": limits_of(spec),
        "criteria": _criteria(agent),
        "choices": _choices(agent, {play.slug: play for play in plays}),
        "routes": [{"route": route, "when": _words(route.condition)} for route in routes],
        "incidents": Incident.objects.filter(agent=agent).select_related("taken_by").order_by("-opened_at")[:5],
        "means": MEANS[Stage(agent.stage)],
        "forward": [move for move in moves if move["forward"]],
        "back": [move for move in moves if not move["forward"]],
        "may_build": access.may(request.user, access.BUILD, agent),
        "sees_all": access.may(request.user, access.SEE, Source),
        "may_publish": access.may(request.user, access.PUBLISH, agent),
        "proposal": open_proposal(agent),
    }


def _metric_says(one: Results | None) -> str:
    if one is None:
        return ""
    metric = one.metric
    if one.value is None:
        return f"Nothing measured yet; the target is {metric.target.normalize():f} {metric.unit}"
    return metric_words(one.value, float(metric.target), unit=metric.unit, direction=metric.direction)  # type: ignore[arg-type]


def _marks(agent: Agent, one: Results | None) -> list[tuple[int, str]]:
    """Policies published and pauses of the agent within the chart, each at its day."""
    if one is None or not one.days:
        return []
    first = one.days[0].day
    policies = Policy.objects.filter(agent=agent, published_at__date__gte=first).order_by("-version")
    pauses = Pause.objects.filter(agent=agent, set_at__date__gte=first).order_by("-id")
    moments = policies.values_list("published_at", "version")[:SEVERAL].union(
        pauses.values_list("set_at", Value(0))[:SEVERAL], all=True
    )
    last = len(one.days) - 1
    return sorted(
        (max(0, min(last, (moment.date() - first).days)), f"policy {version}" if version else "paused")
        for moment, version in moments
    )


def _split(one: Results | None) -> list[dict[str, Any]]:
    """How often the runs ended in the metric's outcome: those it acted on, and the rest."""
    if one is None:
        return []
    return [
        {"title": title, "group": group, "says": rate_words(group.hits, group.runs), "interval": group.interval}
        for title, group in (("Acted on", one.acted), ("The rest", one.rest))
    ]


def _attention(agent: Agent) -> list[Action]:
    """Actions that need a person: every unknown one, and what failed lately; the newest few."""
    since = floor_id(timezone.now() - timedelta(days=ATTENTION_DAYS))
    found = Action.objects.only("run_id", "state", "why", "target", "created_at", "step").order_by("-id")
    unknown = found.filter(agent=agent, state=State.UNKNOWN)[:FEW]
    failed = found.filter(agent=agent, state=State.FAILED, id__gte=since, undo_of=None)[:FEW]
    both = unknown.union(failed, all=True)
    return sorted(both, key=lambda one: (one.state != State.UNKNOWN, -one.created_at.timestamp()))[:FEW]


def _recent(agent: Agent) -> list[Any]:
    found = agent.runs.select_related("play", "region", "segment", "agent").prefetch_related("actions")
    return lines(list(found.defer("reasons").order_by("-id")[:FEW]))


def _criteria(agent: Agent) -> list[dict[str, Any]]:
    parts = agent.scorecard.get("criteria", []) if isinstance(agent.scorecard, dict) else []
    total = sum(part.get("weight", 0) for part in parts) or 1
    return [
        {**part, "when": _words(part.get("condition")), "share": part.get("weight", 0) / total}
        for part in sorted(parts, key=lambda part: -part.get("weight", 0))
    ]


def _choices(agent: Agent, plays: dict[str, Play]) -> list[dict[str, Any]]:
    return [
        {
            "slug": part.get("play", ""),
            "play": plays.get(part.get("play", "")),
            "when": _words(part.get("when")),
            "min_score": part.get("min_score", 0),
        }
        for part in agent.choices or ()
    ]


def _words(condition: Any) -> str:
    """A condition in words; "" for none, and as it stands when it does not compile."""
    if not condition:
        return ""
    try:
        return compile_condition(condition).words
    except SpecError as error:
        return f"faulty: {error.faults[0].what}"
