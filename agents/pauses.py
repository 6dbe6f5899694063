"""
Pauses: closing a section so that nothing in it passes the gate once the pause has committed (I2).

The mechanism was measured (docs/decisions/pauses.md). The gate takes *shared* advisory locks on everything an action
belongs to and reads the standing pauses in the next statement; whoever pauses takes *one exclusive* lock, on the first
given of connection, play, agent, segment, region, else on everything. Never cached, primary only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from agents.models import Agent, Connection, Pause, Play, Region, Segment
from approvals.models import Person
from audit.entries import Line, record


class Lock(IntEnum):
    """First key of the advisory locks; the second is the row's id, or 0."""

    EVERYTHING = 7401
    REGION = 7402
    SEGMENT = 7403
    AGENT = 7404
    PLAY = 7405
    CONNECTION = 7406
    SLOTS = 7410


class Standing(NamedTuple):
    """A pause in force: ids, None where it says nothing."""

    id: int
    agent: int | None
    region: int | None
    segment: int | None
    play: int | None
    connection: int | None

    def covers(
        self, *, agent: int, regions: Iterable[int], segments: Iterable[int], play: int, connection: int
    ) -> bool:
        """Whether an action is in its scope. `regions` and `segments`: the action's own and all above it."""
        return (
            (self.agent is None or self.agent == agent)
            and (self.region is None or self.region in regions)
            and (self.segment is None or self.segment in segments)
            and (self.play is None or self.play == play)
            and (self.connection is None or self.connection == connection)
        )


STANDING = """
SELECT id, agent_id, region_id, segment_id, play_id, connection_id FROM agents_pause
WHERE lifted_at IS NULL AND (until IS NULL OR until > clock_timestamp())
"""


def standing(cursor: Any) -> list[Standing]:
    """Every pause in force. At the gate: in the statement after the shared locks, READ COMMITTED."""
    return [Standing(*row) for row in cursor.execute(STANDING).fetchall()]


def take_shared(cursor: Any, keys: Iterable[tuple[int, int]]) -> None:
    """The gate's side: shared locks, in one order for everyone, until the transaction ends."""
    ordered = sorted(set(keys))
    cursor.execute(
        "SELECT pg_advisory_xact_lock_shared(c, k) FROM unnest(%s::int[], %s::int[]) AS t(c, k)",
        [[c for c, _ in ordered], [k for _, k in ordered]],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a pause closes: any of these; all given must match; none given is everything."""

    agent: Agent | None = None
    region: Region | None = None
    segment: Segment | None = None
    play: Play | None = None
    connection: Connection | None = None

    @property
    def lock(self) -> tuple[int, int]:
        """The one lock that whoever pauses this section takes exclusively."""
        for kind, part in (
            (Lock.CONNECTION, self.connection),
            (Lock.PLAY, self.play),
            (Lock.AGENT, self.agent),
            (Lock.SEGMENT, self.segment),
            (Lock.REGION, self.region),
        ):
            if part is not None:
                return kind, part.pk
        return Lock.EVERYTHING, 0

    @property
    def words(self) -> str:
        given = (self.region, self.segment, self.agent, self.play, self.connection)
        return " · ".join(part.name for part in given if part is not None) or "Everything"

    @property
    def detail(self) -> dict[str, Any]:
        """For the record: codes and slugs of what is given."""
        parts = {
            "agent": self.agent and self.agent.slug,
            "region": self.region and self.region.code,
            "segment": self.segment and self.segment.code,
            "play": self.play and self.play.slug,
            "connection": self.connection and self.connection.slug,
        }
        return {name: value for name, value in parts.items() if value}

    @classmethod
    def of(cls, pause: Pause) -> "Section":
        return cls(
            agent=pause.agent,
            region=pause.region,
            segment=pause.segment,
            play=pause.play,
            connection=pause.connection,
        )

    def where(self) -> tuple[str, list[Any]]:
        """SQL over agents_action for what lies in this section, and its parameters."""
        tests, values = [], list[Any]()
        for column, part in (
            ("agent_id", self.agent),
            ("play_id", self.play),
            ("connection_id", self.connection),
        ):
            if part is not None:
                tests.append(f"{column} = %s")
                values.append(part.pk)
        for column, table, scope in (
            ("region_id", "agents_region", self.region),
            ("segment_id", "agents_segment", self.segment),
        ):
            if scope is not None:
                tests.append(f"{column} IN (SELECT id FROM {table} WHERE code = %s OR code LIKE %s)")  # noqa: S608
                values += [scope.code, scope.code.replace("_", r"\_") + "/%"]
        return " AND ".join(tests) or "true", values


def set_pause(
    section: Section, *, reason: str, actor: str, person: Person | None = None, until: datetime | None = None
) -> Pause:
    """
    Close a section. Once this returns, nothing in it passes the gate anywhere; what is in flight goes on (`in_flight`).

    Locks: one exclusive advisory lock, waiting at most 3 s (then django.db.OperationalError; nothing is changed).
    """
    with transaction.atomic():
        _close(section)
        pause = Pause.objects.create(
            agent=section.agent,
            region=section.region,
            segment=section.segment,
            play=section.play,
            connection=section.connection,
            reason=reason,
            set_by=person,
            set_at=timezone.now(),
            until=until,
        )
        record(_line("pause.set", pause, section, actor, reason=reason, until=until.isoformat() if until else None))
    return pause


def lift(pause: Pause, *, actor: str, person: Person | None = None, why: str = "") -> bool:
    """
    Open a section again and let go what this pause held; other pauses hold on at the gate. False: already lifted.

    Takes the pauser's lock, so that no gate still marking actions as held is overlooked.
    """
    section = Section.of(pause)
    with transaction.atomic():
        _close(section)
        lifted = Pause.objects.filter(pk=pause.pk, lifted_at=None).update(lifted_at=timezone.now(), lifted_by=person)
        if not lifted:
            return False
        where, values = section.where()
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE agents_action SET state = 'ready', why = '' WHERE state = 'held' AND {where}",  # noqa: S608
                values,
            )
            released = cursor.rowcount
        record(_line("pause.lifted", pause, section, actor, released=released, why=why))
    return True


def _close(section: Section) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '3s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", list(section.lock))


def in_flight(section: Section) -> int:
    """Actions of the section that passed the gate before and are not settled. "Paused" may be said when it is 0."""
    return count(section, "sending")


def count(section: Section, *states: str) -> int:
    """Actions of the section in these open states (sending, ready, waiting, held, unknown): an index scan each."""
    where, values = section.where()
    with connection.cursor() as cursor:
        total = 0
        for state in states:
            cursor.execute(f"SELECT count(*) FROM agents_action WHERE state = %s AND {where}", [state, *values])  # noqa: S608
            total += cursor.fetchone()[0]
    return total


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What a pause would close, as the server sees it now."""

    agents: Sequence[str]
    in_flight: int
    queued: int
    waiting: int


def blast_radius(section: Section) -> BlastRadius:
    """Agents with open work in the section (or named by it), and how much of each kind. Changes nothing."""
    listening = Agent.objects.filter(stage__in=("shadow", "supervised", "autonomous"))
    if section.agent:
        listening = listening.filter(pk=section.agent.pk)
    agents = list(listening.values_list("name", flat=True))
    return BlastRadius(
        agents=agents,
        in_flight=count(section, "sending"),
        queued=count(section, "ready", "held"),
        waiting=count(section, "waiting"),
    )


def lift_due(*, actor: str) -> int:
    """Lift every pause whose time is up; how many."""
    due = Pause.objects.filter(lifted_at=None, until__lte=timezone.now()).select_related(
        "agent", "region", "segment", "play", "connection"
    )
    return sum(lift(pause, actor=actor, why="its time was up") for pause in due)


def _line(verb: str, pause: Pause, section: Section, actor: str, **more: Any) -> Line:
    detail = {**section.detail, **{key: value for key, value in more.items() if value not in (None, "")}}
    return Line(
        verb=verb,
        subject=f"pause:{pause.pk}",
        actor=actor,
        agent=detail.get("agent", ""),
        region=detail.get("region", ""),
        segment=detail.get("segment", ""),
        detail=detail,
    )
