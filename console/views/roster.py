"""The agents as a list: who is broken first, in an order that holds while the page is open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core.cache import cache
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from agents import access
from agents.figures import Lately, Rate, Waiting, lately, waiting
from agents.health import Health, health
from agents.models import Agent, Stage
from agents.results import FirstMonth, Results, first_month, results
from approvals.models import Person
from console.typed import counted

MOST = 200
KEPT_SECONDS = 30
"""How long a metric over weeks may be shown before it is worked out again, for lists that poll."""
RANK = {"broken": 0, "paused": 1, "autonomous": 2, "supervised": 3, "shadow": 4, "draft": 5, "retired": 6}
STATES = (("broken", "Broken"), ("paused", "Paused"), ("waiting", "Waiting for a person"), ("fine", "Neither"))


@dataclass(frozen=True, slots=True)
class Row:
    """One agent as a list shows it."""

    agent: Agent
    health: Health
    hour: Rate
    day: Rate
    results: Results | None
    month: FirstMonth | None
    waiting: Waiting | None

    @property
    def place(self) -> tuple[int, str]:
        """Broken first, then paused, then by stage and name."""
        return RANK[self.health.word], self.agent.name.casefold()


@dataclass(frozen=True, slots=True)
class Roster:
    """`order`: the agents' ids as shown, for the poll to keep. `moved`: by now they would stand otherwise."""

    rows: Sequence[Row]
    all: Sequence[Row]
    lately: Lately
    order: str
    moved: bool
    people: Sequence[Person]

    @property
    def broken(self) -> list[Row]:
        return [row for row in self.all if row.health.broken]


def roster(request: HttpRequest, agents: QuerySet[Agent]) -> Roster:
    """
    The agents that the address's filters (owner, stage, state) leave, at most MOST.

    Their order is that of `?order=` where it is given, new ones last; so a row never jumps under the pointer.
    """
    now = timezone.now()
    found = list(agents.select_related("owner", "deputy", "metric", "policy").order_by("name")[:MOST])
    recent, questions = lately(now=now, reach=access.reach(request.user, access.SEE)), waiting()
    states = health(found, recent)
    measured = kept_results(found)
    rows = [
        Row(
            agent,
            states[agent.pk],
            *recent.failures(agent.pk),
            measured.get(agent.pk),
            first_month(agent, measured.get(agent.pk), now=now),
            questions.get(agent.slug),
        )
        for agent in found
    ]
    rows.sort(key=lambda row: row.place)
    shown = [row for row in rows if _wanted(row, request)]
    natural = [row.agent.pk for row in shown]
    held = [pk for part in request.GET.get("order", "").split(",") if (pk := counted(part)) is not None]
    if held:
        places = {pk: n for n, pk in enumerate(held)}
        shown.sort(key=lambda row: places.get(row.agent.pk, len(places)))
    order = [row.agent.pk for row in shown]
    people = {agent.owner.pk: agent.owner for agent in found if agent.owner}
    return Roster(
        shown,
        rows,
        recent,
        ",".join(map(str, order)),
        order != natural,
        sorted(people.values(), key=lambda person: person.name),
    )


def kept_results(agents: Iterable[Agent]) -> dict[int, Results]:
    """`results`, each kept for KEPT_SECONDS."""
    keys = {agent.pk: _key(agent) for agent in agents if getattr(agent, "metric", None)}
    kept = cache.get_many(keys.values())
    missing = results([agent for agent in agents if agent.pk in keys and keys[agent.pk] not in kept])
    cache.set_many({keys[pk]: one for pk, one in missing.items()}, KEPT_SECONDS)
    return {pk: missing[pk] if pk in missing else kept[key] for pk, key in keys.items()}


def _key(agent: Agent) -> str:
    metric = agent.metric
    parts = (metric.pk, metric.outcome, metric.measure, metric.target, metric.direction, metric.window_days)
    return f"results:{connection.settings_dict['NAME']}:{hash(parts)}".replace(" ", "-")


def _wanted(row: Row, request: HttpRequest) -> bool:
    owner, stage, state = (request.GET.get(name, "") for name in ("owner", "stage", "state"))
    if owner:
        mine = str(request.user.pk) if owner == "me" else owner
        if str(row.agent.owner_id or "none") != mine:
            return False
    if stage in Stage.values and row.agent.stage != stage:
        return False
    return state not in dict(STATES) or state in _states(row)


def _states(row: Row) -> set[str]:
    found = {row.health.word} & {"broken", "paused"}
    if row.waiting:
        found.add("waiting")
    return found or {"fine"}
