"""
Sections: what a pause closes, and the gate's side of it (I2).

The gate takes *shared* advisory locks on everything an action belongs to and reads the standing pauses in the next
statement; whoever changes a pause takes *one exclusive* lock, on the first given of connection, play, agent, segment,
region, else on everything (docs/decisions/pauses.md). Never cached, primary only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple
from uuid import UUID

from agents.models import Agent, Connection, Pause, Play, Region, Segment


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
    """A pause in force: ids, None where it says nothing; `share`: the per cent of runs that it lets through."""

    id: int
    agent: int | None
    region: int | None
    segment: int | None
    play: int | None
    connection: int | None
    share: int

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

    def lets_go(self, run: UUID) -> bool:
        """Whether a run of its section is among the share that goes on already."""
        return self.share > 0 and turn(run) < self.share


def turn(run: UUID) -> int:
    """When a run's turn comes in a staged resume, 0 to 99: it goes once the share is above. The same at any time, in
    any process and for any pause, so that all of a run's actions go together and a wider share only adds runs."""
    return (run.int & 0xFFFFFFFFFFFF) % 100


STANDING = """
SELECT id, agent_id, region_id, segment_id, play_id, connection_id, share FROM agents_pause
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
        """For the record and for addresses: codes and slugs of what is given."""
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
