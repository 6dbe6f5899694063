"""
How far pauses reach: the open work of every section in one reading, and which sections hold or meet which.

The one way of counting: the board, the question before a pause, what it says after, drills and the API all ask here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from agents.models import Agent, Pause, Play
from agents.readiness import AT_WORK
from agents.sections import Section
from approvals.models import Person
from approvals.models.person import Mails

OPEN = ("sending", "unknown", "ready", "held", "waiting")
"""States of actions that are not over. Each is read by the index of its own."""
MOST = 50_000
"""So many actions of a state are read at most; beyond that a count is a floor, and says so ("50,000+")."""

_WORK = (  # the states are ours
    "SELECT agent_id, play_id, connection_id, r.code, s.code, '{state}', n FROM ("  # noqa: S608
    "  SELECT agent_id, play_id, connection_id, region_id, segment_id, count(*) AS n FROM ("
    "    SELECT agent_id, play_id, connection_id, region_id, segment_id FROM agents_action"
    f"    WHERE state = '{{state}}' LIMIT {MOST}) a GROUP BY 1, 2, 3, 4, 5) a "
    "JOIN agents_region r ON r.id = a.region_id JOIN agents_segment s ON s.id = a.segment_id"
)


class Work(NamedTuple):
    """So many open actions of one agent, play, connection, region, segment and state."""

    agent: int
    play: int
    connection: int
    region: str
    segment: str
    state: str
    actions: int


@dataclass(frozen=True)
class Reach:
    """What lies in one section now. `unknown` are sends of which nobody knows yet whether they took effect."""

    in_flight: int = 0
    unknown: int = 0
    queued: int = 0
    held: int = 0
    waiting: int = 0
    floor: frozenset[str] = frozenset()
    """Of these parts there may be more than was counted."""

    @property
    def open(self) -> int:
        return self.in_flight + self.queued + self.held + self.waiting

    @property
    def counts(self) -> dict[str, int]:
        return {part: getattr(self, part) for part in PARTS.values()}

    @cached_property
    def said(self) -> dict[str, str]:
        """Each part in digits, with a + where there may be more."""
        return {part: f"{count:,}{'+' if part in self.floor else ''}" for part, count in self.counts.items()}


PARTS = {"sending": "in_flight", "unknown": "unknown", "ready": "queued", "held": "held", "waiting": "waiting"}


def open_work(*states: str) -> list[Work]:
    """Open actions, counted by where they belong: one statement, bounded by MOST a state."""
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(_WORK.format(state=state) for state in states or OPEN))
        return [Work(*row) for row in cursor.fetchall()]


def reach(section: Section, work: Iterable[Work]) -> Reach:
    """How much of `work` lies in `section`."""
    counts, all_ = dict.fromkeys(OPEN, 0), dict.fromkeys(OPEN, 0)
    for one in work:
        all_[one.state] += one.actions
        if contains(section, one):
            counts[one.state] += one.actions
    floor = frozenset(PARTS[state] for state, count in all_.items() if count >= MOST)
    return Reach(**{PARTS[state]: count for state, count in counts.items()}, floor=floor)


def now(section: Section, *states: str) -> Reach:
    """What lies in `section` now, of these states or all that are open."""
    return reach(section, open_work(*states))


@dataclass(frozen=True)
class Blast:
    """What a pause of a section would close, as the server sees it now."""

    agents: Sequence[str]
    told: Sequence[str]
    """Those of their owners and deputies who would be mailed."""
    reach: Reach

    @property
    def counts(self) -> dict[str, int]:
        """For the record."""
        return {"agents": len(self.agents), **self.reach.counts}

    @property
    def document(self) -> dict[str, Any]:
        """To be kept."""
        return {"agents": list(self.agents), "told": list(self.told), **self.reach.counts}


def blast(section: Section, *, among: QuerySet[Agent] | None = None) -> Blast:
    """Agents (of all, or `among` these) that act in the section or have open work there, and how much of each kind."""
    work = open_work()
    agents = concerned(section, work, among=among)
    return Blast([agent.name for agent in agents], [person.name for person in told(agents)], reach(section, work))


def told(agents: Iterable[Agent]) -> dict[Person, list[Agent]]:
    """Whom a pause of these agents is told to, each with their own of them: active owners and deputies who want mails.
    Wants `owner` and `deputy` fetched."""
    found: dict[Person, list[Agent]] = {}
    for agent in agents:
        for person in (agent.owner, agent.deputy):
            if person is not None and person.is_active and person.mails != Mails.NEVER:
                found.setdefault(person, []).append(agent)
    return found


def unknowns(section: Section, *, most: int) -> list[UUID]:
    """The newest actions of the section of which nobody knows yet whether they took effect."""
    where, values = section.where()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM agents_action WHERE state = 'unknown' AND {where} ORDER BY id DESC LIMIT %s",  # noqa: S608
            [*values, most],
        )
        return [row[0] for row in cursor.fetchall()]


def concerned(section: Section, work: Iterable[Work], *, among: QuerySet[Agent] | None = None) -> list[Agent]:
    """Agents whose open work lies in the section, and those at work whose plays could act there; by name."""
    busy = {one.agent for one in work if contains(section, one)}
    plays = {play.slug: play for play in Play.objects.only("slug", "steps")}
    agents = (Agent.objects.all() if among is None else among).select_related("owner", "deputy").order_by("name")
    return [agent for agent in agents if agent.pk in busy or (agent.stage in AT_WORK and _acts(agent, section, plays))]


def _acts(agent: Agent, section: Section, plays: dict[str, Play]) -> bool:
    return (
        (section.agent is None or section.agent.pk == agent.pk)
        and (section.play is None or section.play.slug in {choice.get("play") for choice in agent.choices or ()})
        and (section.connection is None or section.connection.slug in connections(agent, plays))
    )


def connections(agent: Agent, plays: dict[str, Play]) -> set[str]:
    """Slugs of the connections through which the agent's plays act."""
    chosen = [plays[choice["play"]] for choice in agent.choices or () if choice.get("play") in plays]
    return {step.get("connection", "") for play in chosen for step in play.steps}


def words(pause: Pause, now: Reach) -> str:
    """What a standing pause is called while that is in it; "Paused" only once nothing is under way."""
    if pause.share:
        return f"Resuming, {pause.share} % go"
    return f"Pausing ({now.in_flight} in flight)" if now.in_flight else "Paused"


def contains(section: Section, one: Work) -> bool:
    """Whether that work lies in the section."""
    return (
        (section.agent is None or section.agent.pk == one.agent)
        and (section.play is None or section.play.pk == one.play)
        and (section.connection is None or section.connection.pk == one.connection)
        and (section.region is None or beneath(one.region, section.region.code))
        and (section.segment is None or beneath(one.segment, section.segment.code))
    )


def beneath(code: str, above: str) -> bool:
    """Whether a scope is `above` or lies beneath it."""
    return code == above or code.startswith(f"{above}/")


def covers(outer: Section, inner: Section) -> bool:
    """Whether everything in `inner` lies in `outer`."""
    return (
        _same(outer.agent, inner.agent)
        and _same(outer.play, inner.play)
        and _same(outer.connection, inner.connection)
        and _over(outer.region, inner.region)
        and _over(outer.segment, inner.segment)
    )


def overlap(one: Section, other: Section) -> Section | None:
    """What lies in both; None when nothing can."""
    parts: dict[str, Any] = {}
    for name in ("agent", "play", "connection"):
        a, b = getattr(one, name), getattr(other, name)
        if a is not None and b is not None and a != b:
            return None
        parts[name] = a or b
    for name in ("region", "segment"):
        a, b = getattr(one, name), getattr(other, name)
        if a is not None and b is not None and not (beneath(a.code, b.code) or beneath(b.code, a.code)):
            return None
        parts[name] = a if b is None or (a is not None and beneath(a.code, b.code)) else b
    return Section(**parts)


def meets(one: Section, other: Section) -> bool:
    """Whether anything can lie in both."""
    return overlap(one, other) is not None


def others(section: Section, standing: Iterable[Pause], *, but: int = 0) -> list[Pause]:
    """The standing pauses, without the one of id `but`, that hold some of `section` too."""
    return [pause for pause in standing if pause.pk != but and meets(Section.of(pause), section)]


def _same(outer: object | None, inner: object | None) -> bool:
    return outer is None or outer == inner


def _over(outer: object | None, inner: object | None) -> bool:
    return outer is None or (inner is not None and beneath(inner.code, outer.code))  # type: ignore[attr-defined]
