"""Whether an agent works: broken, paused, or doing what its stage says, since when and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from agents import reach
from agents.figures import Lately
from agents.models import Agent, Incident, Pause, Play
from agents.reach import connections
from agents.readiness import AT_WORK
from agents.rules.boundaries import compile_policy
from agents.rules.errors import SpecError
from agents.rules.metrics import is_failing
from agents.rules.plays import compile_choices
from agents.rules.scoring import compile_scorecard
from agents.sections import Section

MIN_SAMPLE = 10


@dataclass(slots=True)
class Health:
    """`word`: broken, paused or the stage. `cause`: one line, empty when it is not broken."""

    word: str
    since: datetime | None = None
    cause: str = ""
    incident: Incident | None = None
    pauses: list[Pause] = field(default_factory=list)
    paused: str = ""
    """While `word` is paused: "Paused" only once nothing of it is in flight."""

    @property
    def broken(self) -> bool:
        return self.word == "broken"


def health(agents: Iterable[Agent], recent: Lately, *, plays: Iterable[Play] | None = None) -> dict[int, Health]:
    """
    By agent id; three statements for any number, two where all `plays` are at hand, one more while any is paused.
    Wants `metric`, `owner` and `policy` fetched with the agents.

    Broken: no active owner past draft, an open incident of its own or of a connection its plays use, a scorecard or
    policy that does not compile, or an hour in which more failed than its metric accepts. Paused: as a whole.
    """
    incidents = list(
        Incident.objects.exclude(state=Incident.State.RESOLVED).select_related("connection").order_by("opened_at")[:200]
    )
    pauses = list(Pause.objects.standing()[:100])
    flights = reach.open_work("sending") if any(_is_whole(pause) for pause in pauses) else []
    known = {play.slug: play for play in plays or Play.objects.only("slug", "steps", "is_active")}
    return {agent.pk: _judge(agent, recent, incidents, pauses, flights, known) for agent in agents}


def _judge(
    agent: Agent, recent: Lately, incidents: list[Incident], pauses: list[Pause], flights: list[reach.Work],
    plays: dict[str, Play],
) -> Health:  # fmt: skip
    mine = [pause for pause in pauses if pause.agent_id in (None, agent.pk)]
    one = Health(agent.stage, agent.live_since if agent.stage in AT_WORK else None, pauses=mine)
    if agent.stage not in AT_WORK:
        return one
    whole = min(filter(_is_whole, mine), key=lambda pause: pause.share, default=None)
    if whole is not None:
        one.word, one.since = "paused", whole.set_at
        one.paused = reach.words(whole, reach.reach(Section(agent=agent), flights))
    used = connections(agent, plays)
    trouble = next((i for i in incidents if i.agent_id == agent.pk), None) or next(
        (i for i in incidents if i.connection is not None and i.connection.slug in used), None
    )
    if trouble is not None:
        one.word, one.since, one.cause, one.incident = "broken", trouble.opened_at, trouble.cause, trouble
        return one
    cause = _fault(agent, plays) or _failing(agent, recent)
    if cause:
        one.word, one.since, one.cause = "broken", None, cause
    return one


def _is_whole(pause: Pause) -> bool:
    """Whether it closes all of an agent."""
    return not (pause.region_id or pause.segment_id or pause.play_id or pause.connection_id)


def _fault(agent: Agent, plays: dict[str, Play]) -> str:
    if agent.owner is None or not agent.owner.is_active:
        return "Nobody owns it: name an active person."
    try:
        compile_scorecard(agent.scorecard)
        compile_choices(agent.choices, plays=plays)
        compile_policy(agent.policy.spec if agent.policy else None)
    except SpecError as error:
        return f"It can't run: {error.faults[0]}"
    return ""


def _failing(agent: Agent, recent: Lately) -> str:
    metric = getattr(agent, "metric", None)
    if metric is None:
        return ""
    accepted = metric.acceptable_failure_rate
    hour, _ = recent.failures(agent.pk)
    if is_failing(hour.failed, hour.total, float(accepted) / 100, MIN_SAMPLE):
        return f"{hour.failed} of {hour.total} actions failed in the last hour; {accepted.normalize():f} % are accepted"
    return ""
