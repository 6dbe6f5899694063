"""What an agent still lacks before it may go to work."""

from collections.abc import Iterable
from typing import NamedTuple

from agents.models import Agent, Connection, Play, Route, Stage
from agents.rules.boundaries import compile_policy
from agents.rules.errors import SpecError
from agents.rules.plays import compile_choices
from agents.rules.scoring import compile_scorecard

AT_WORK = (Stage.SHADOW, Stage.SUPERVISED, Stage.AUTONOMOUS)


class Item(NamedTuple):
    """One thing it takes. `key` is where it is mended: owner, metric, scorecard, plays, policy, routes, connections."""

    key: str
    title: str
    ok: bool
    text: str


def readiness(
    agent: Agent, *, plays: Iterable[Play] | None = None, routes: Iterable[Route] | None = None
) -> list[Item]:
    """Everything it takes, each with whether it is there. All plays, and the agent's routes, where they are at hand."""
    owner = agent.owner is not None and agent.owner.is_active
    metric = getattr(agent, "metric", None)
    scorecard = _fault(lambda: compile_scorecard(agent.scorecard))
    chosen = {choice.get("play", "") for choice in agent.choices or ()}
    plays = Play.objects.filter(slug__in=chosen) if plays is None else plays
    plays = [play for play in plays if play.slug in chosen]
    active = {play.slug for play in plays if play.is_active}
    choices = _fault(lambda: compile_choices(agent.choices, plays=active)) or (
        "" if agent.choices else "It has no play to choose."
    )
    spec = agent.policy.spec if agent.policy else {"clauses": []}
    policy = _fault(lambda: compile_policy(spec)) or ("" if spec.get("clauses") else "No clause lets it do anything.")
    hears = any(route.is_active for route in (agent.routes.all() if routes is None else routes))
    off = _off({step.get("connection", "") for play in plays for step in play.steps})
    return [
        Item("owner", "An owner", owner, agent.owner.name if agent.owner and owner else "Name one active person."),
        Item("metric", "A metric", metric is not None, metric.name if metric else "Say what counts as success."),
        Item("scorecard", "A scorecard", not scorecard, scorecard or _criteria(agent)),
        Item("plays", "A play", not choices, choices or ", ".join(play.name for play in plays)),
        Item("policy", "Boundaries", not policy, policy or f"version {agent.policy.version if agent.policy else ''}"),
        Item("routes", "A route", hears, "It listens to signals." if hears else "Say which signals it listens to."),
        Item("connections", "Ways out", not off, off or "Every connection its plays use is on."),
    ]


def _criteria(agent: Agent) -> str:
    count = len(agent.scorecard["criteria"])
    return "1 criterion" if count == 1 else f"{count} criteria"


def missing(agent: Agent) -> list[Item]:
    """What is not there yet."""
    return [item for item in readiness(agent) if not item.ok]


def _fault(compile: object) -> str:
    try:
        compile()  # type: ignore[operator]
    except SpecError as error:
        fault = error.faults[0]
        return f"{fault.what[:1].upper()}{fault.what[1:]}. {fault.mend}."
    return ""


def _off(slugs: set[str]) -> str:
    on = set(Connection.objects.filter(slug__in=slugs, is_active=True).values_list("slug", flat=True))
    off = sorted(slugs - on)
    return f"Not there or switched off: {', '.join(off)}." if off else ""
