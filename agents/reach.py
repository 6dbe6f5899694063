"""How far pauses reach: the open work of every section in one reading, and which sections hold or meet which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from agents.models import Pause
from agents.pauses import Section

OPEN = ("sending", "unknown", "ready", "held", "waiting")
"""States of actions that are not over. Each is read by the index of its own."""

_WORK = " UNION ALL ".join(  # the states are ours
    f"SELECT agent_id, play_id, connection_id, r.code, s.code, '{state}', count(*) FROM agents_action a "  # noqa: S608
    "JOIN agents_region r ON r.id = a.region_id JOIN agents_segment s ON s.id = a.segment_id "
    f"WHERE state = '{state}' GROUP BY 1, 2, 3, 4, 5"
    for state in OPEN
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


@dataclass(frozen=True, slots=True)
class Reach:
    """What lies in one section now. `unknown` are sends of which nobody knows yet whether they took effect."""

    in_flight: int
    unknown: int
    queued: int
    held: int
    waiting: int

    @property
    def open(self) -> int:
        return self.in_flight + self.queued + self.held + self.waiting


def open_work() -> list[Work]:
    """Every open action, counted by where it belongs: one statement, whose cost grows with open work only."""
    with connection.cursor() as cursor:
        cursor.execute(_WORK)
        return [Work(*row) for row in cursor.fetchall()]


def reach(section: Section, work: Iterable[Work]) -> Reach:
    """How much of `work` lies in `section`."""
    counts = dict.fromkeys(OPEN, 0)
    for one in work:
        if _contains(section, one):
            counts[one.state] += one.actions
    return Reach(counts["sending"], counts["unknown"], counts["ready"], counts["held"], counts["waiting"])


def _contains(section: Section, one: Work) -> bool:
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


def meets(one: Section, other: Section) -> bool:
    """Whether anything can lie in both."""
    return all(
        a is None or b is None or a == b
        for a, b in ((one.agent, other.agent), (one.play, other.play), (one.connection, other.connection))
    ) and all(
        a is None or b is None or beneath(a.code, b.code) or beneath(b.code, a.code)
        for a, b in ((one.region, other.region), (one.segment, other.segment))
    )


def others(section: Section, standing: Sequence[Pause], *, but: int = 0) -> list[Pause]:
    """The standing pauses, without the one of id `but`, that hold some of `section` too."""
    return [pause for pause in standing if pause.pk != but and meets(Section.of(pause), section)]


def _same(outer: object | None, inner: object | None) -> bool:
    return outer is None or outer == inner


def _over(outer: object | None, inner: object | None) -> bool:
    return outer is None or (inner is not None and beneath(inner.code, outer.code))  # type: ignore[attr-defined]
