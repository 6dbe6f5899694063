"""
The registry as the loop sees it: every agent, play, connection, route and scope, compiled, at one revision.

The database bumps `agents_revision` in the transaction of any change (migration 0004), so one small read tells a
process whether what it holds is current. Nothing here is older than the transaction that asks.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from agents.connectors import AddressRules, ConfigError, Connector, Problem
from agents.connectors import registry as connectors
from agents.rules.boundaries import Policy, compile_policy
from agents.rules.conditions import Condition, compile_condition
from agents.rules.errors import SpecError
from agents.rules.plays import PlayChoices, compile_choices
from agents.rules.sandbox import Sandbox
from agents.rules.scoring import Scorecard, compile_scorecard
from agents.rules.templates import ADDRESS, HTML, Payload, compile_payload
from agents.rules.working_hours import Calendar, compile_calendar
from agents.sealed import KeyMissing, open_sealed

ESCAPED: dict[str, dict[str, Sandbox]] = {"email": {"html": HTML}, "http": {"path": ADDRESS}}
"""Members of a payload in which every field is escaped, and as what, by kind of connection."""
LISTENING = ("shadow", "supervised", "autonomous")
ROUND_THE_CLOCK = compile_calendar("UTC", {})


@dataclass(frozen=True, slots=True)
class ScopeNow:
    """A region or segment with `path`: its own id and those of all above it."""

    id: int
    code: str
    name: str
    path: tuple[int, ...]
    time_zone: str = "UTC"
    currency: str = "EUR"
    calendar: Calendar = ROUND_THE_CLOCK
    """These three of a region; of no meaning to a segment."""


@dataclass(frozen=True, slots=True)
class ConnectionNow:
    """A way out. `connector` is None when it can't be made or is switched off; `fault` says why."""

    id: int
    slug: str
    kind: str
    connector: Connector | None
    fault: str
    fingerprint: str
    """Hash of how it is configured; an approval binds it."""

    @property
    def slots(self) -> int:
        """Most attempts in flight at once; a faulty connection has some too, so that the gate refuses what waits."""
        return self.connector.slots if self.connector else 32

    @property
    def timeout(self) -> float:
        """Seconds for a whole attempt."""
        return self.connector.timeout if self.connector else 0.0


@dataclass(frozen=True, slots=True)
class StepNow:
    key: str
    connection: ConnectionNow
    payload: Payload
    delay_minutes: int
    undo: Payload | None
    """What taking it back sends besides what its connector says; None when the play names no way."""
    cost: float
    """What one costs, in whatever unit the workspace's budgets are in."""

    @property
    def reversible(self) -> bool:
        """Whether it can be taken back: its play says how, and its connection can."""
        connector = self.connection.connector
        return self.undo is not None and connector is not None and connector.can_undo

    @property
    def is_email(self) -> bool:
        return self.connection.kind == "email"


@dataclass(frozen=True, slots=True)
class PlayNow:
    id: int
    slug: str
    name: str
    version: int
    risk: str
    steps: tuple[StepNow, ...]

    @property
    def reversible(self) -> bool:
        """Whether each of its steps can be taken back."""
        return all(step.reversible for step in self.steps)

    def cost(self, key: str) -> float:
        """What the step of this key costs; nothing where there is none."""
        return next((step.cost for step in self.steps if step.key == key), 0.0)


@dataclass(frozen=True, slots=True)
class AgentNow:
    id: int
    slug: str
    name: str
    stage: str
    owner_id: int
    owner_name: str
    owner_email: str
    scorecard: Scorecard
    choices: PlayChoices
    policy_id: int
    policy_version: int
    policy: Policy


@dataclass(frozen=True, slots=True)
class RouteNow:
    agent_id: int
    source_id: int | None
    types: frozenset[str]
    prefixes: tuple[str, ...]
    condition: Condition | None

    def hears(self, source_id: int, type_: str, document: dict[str, Any]) -> bool:
        """Whether a signal of this source and type, with this document, goes to the agent."""
        if self.source_id is not None and self.source_id != source_id:
            return False
        if (self.types or self.prefixes) and type_ not in self.types and not type_.startswith(self.prefixes):
            return False
        return self.condition is None or self.condition.matches(document)


@dataclass(slots=True)
class Snapshot:
    """All of it at one revision. `faults`: what could not be compiled, as "agent:slug" → why."""

    revision: int
    agents: dict[int, AgentNow] = field(default_factory=dict)
    plays: dict[str, PlayNow] = field(default_factory=dict)
    plays_by_id: dict[int, PlayNow] = field(default_factory=dict)
    connections: dict[int, ConnectionNow] = field(default_factory=dict)
    routes: list[RouteNow] = field(default_factory=list)
    regions: dict[int, ScopeNow] = field(default_factory=dict)
    segments: dict[int, ScopeNow] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def listeners(self, source_id: int, type_: str, document: dict[str, Any]) -> list[AgentNow]:
        """The agents whose routes hear this signal, each once, in order of their ids."""
        ids = {route.agent_id for route in self.routes if route.hears(source_id, type_, document)}
        return [self.agents[id_] for id_ in sorted(ids) if id_ in self.agents]


_held: dict[str, Snapshot] = {}


def snapshot(cursor: Any) -> Snapshot:
    """
    The registry as this transaction sees it: one row read when nothing changed, else everything anew.

    `cursor` is a raw psycopg cursor; READ COMMITTED. Kept per process and database.
    """
    revision = cursor.execute("SELECT n FROM agents_revision").fetchone()[0]
    database = cursor.connection.info.dbname
    held = _held.get(database)
    if held is None or held.revision != revision:
        held = _held[database] = load(cursor, revision)
    return held


def load(cursor: Any, revision: int = 0) -> Snapshot:
    """Read and compile everything. What is faulty is left out and named in `faults`."""
    now = Snapshot(revision)
    now.regions = _scopes(cursor, "agents_region", ", time_zone, currency, working_hours")
    now.segments = _scopes(cursor, "agents_segment")
    for row in cursor.execute(
        "SELECT id, slug, kind, is_active, config, secrets_sealed, allowed_hosts FROM agents_connection"
    ).fetchall():
        now.connections[row[0]] = _connection(*row)
    by_slug = {connection.slug: connection for connection in now.connections.values()}
    for id_, slug, name, version, risk, steps in cursor.execute(
        "SELECT id, slug, name, version, risk, steps FROM agents_play WHERE is_active"
    ).fetchall():
        with _fault(now, f"play:{slug}"):
            now.plays[slug] = now.plays_by_id[id_] = PlayNow(id_, slug, name, version, risk, _steps(steps, by_slug))
    scopes = (*now.regions.values(), *now.segments.values())
    names = {play.slug: play.name for play in now.plays.values()} | {scope.code: scope.name for scope in scopes}
    for id_, slug, name, stage, owner_id, owner, email, scorecard, choices, policy_id, version, spec in cursor.execute(
        "SELECT a.id, a.slug, a.name, a.stage, p.id, p.name, p.email, a.scorecard, a.choices, y.id, y.version, y.spec "
        "FROM agents_agent a JOIN approvals_person p ON p.id = a.owner_id JOIN agents_policy y ON y.id = a.policy_id "
        "WHERE a.stage = ANY(%s)",
        [list(LISTENING)],
    ).fetchall():
        with _fault(now, f"agent:{slug}"):
            now.agents[id_] = AgentNow(
                id_,
                slug,
                name,
                stage,
                owner_id,
                owner,
                email,
                compile_scorecard(scorecard),
                compile_choices(choices),
                policy_id,
                version,
                compile_policy(spec, names=names),
            )
    for agent_id, source_id, types, condition in cursor.execute(
        "SELECT agent_id, source_id, types, condition FROM agents_route WHERE is_active ORDER BY id"
    ).fetchall():
        with _fault(now, f"route:{agent_id}"):
            now.routes.append(compile_route(agent_id, source_id, types, condition))
    return now


def compile_route(agent_id: int, source_id: int | None, types: list[str], condition: dict[str, Any]) -> RouteNow:
    """A route ready to hear; SpecError when its condition is wrong."""
    return RouteNow(
        agent_id,
        source_id,
        frozenset(name for name in types if not name.endswith("*")),
        tuple(name[:-1] for name in types if name.endswith("*")),
        compile_condition(condition) if condition else None,
    )


def make_connector(
    kind: str, config: dict[str, Any], secrets: dict[str, Any], allowed_hosts: Iterable[str]
) -> Connector:
    """The connector of a connection, without I/O. ConfigError with every problem; also for an unknown kind."""
    if kind not in connectors:
        raise ConfigError([Problem("kind", f"there is no connector “{kind}”", f"Use one of {', '.join(connectors)}.")])
    return connectors[kind](config, secrets, allow=AddressRules.parse(allowed_hosts))


_made: dict[tuple[int, str], Connector] = {}


def _connection(
    id_: int, slug: str, kind: str, is_active: bool, config: dict[str, Any], sealed: str, hosts: list[str]
) -> ConnectionNow:
    secrets = _open(sealed)
    settings = repr((kind, config, secrets, hosts))
    fingerprint = sha256(settings.encode()).hexdigest()
    if not is_active:
        return ConnectionNow(id_, slug, kind, None, "The connection is switched off.", fingerprint)
    key = (id_, fingerprint)
    if key not in _made:
        try:
            if secrets is None:
                raise KeyMissing
            _made[key] = make_connector(kind, config, secrets, hosts)
        except (ConfigError, KeyMissing) as error:
            return ConnectionNow(id_, slug, kind, None, f"The connection can't be used: {error}", fingerprint)
    return ConnectionNow(id_, slug, kind, _made[key], "", fingerprint)


def _open(sealed: str) -> dict[str, Any] | None:
    try:
        return open_sealed(sealed)
    except KeyMissing:
        return None


def _steps(steps: list[dict[str, Any]], connections: dict[str, ConnectionNow]) -> tuple[StepNow, ...]:
    out = []
    for step in steps:
        if step["connection"] not in connections:
            raise SpecError("steps", f"there is no connection “{step['connection']}”", "Choose one that exists")
        key, undo = step["key"], step.get("undo")
        kind = connections[step["connection"]].kind
        out.append(
            StepNow(
                key,
                connections[step["connection"]],
                compile_payload(step["payload"], where=key, escaped=ESCAPED.get(kind)),
                int(step.get("delay_minutes") or 0),
                None if undo is None else compile_payload(undo, where=f"{key}.undo", escaped=ESCAPED.get(kind)),
                float(step.get("cost") or 0),
            )
        )
    return tuple(out)


def _scopes(cursor: Any, table: str, more: str = "") -> dict[int, ScopeNow]:
    rows = cursor.execute(f"SELECT id, code, name{more} FROM {table}").fetchall()  # noqa: S608
    ids = {row[1]: row[0] for row in rows}
    out = {}
    for id_, code, name, *local in rows:
        parts = code.split("/")
        path = tuple(ids[above] for n in range(len(parts)) if (above := "/".join(parts[: n + 1])) in ids)
        if local:
            local[2] = compile_calendar(local[0], local[2])
        out[id_] = ScopeNow(id_, code, name, path, *local)
    return out


@contextmanager
def _fault(now: Snapshot, subject: str) -> Iterator[None]:
    try:
        yield
    except (SpecError, KeyError, TypeError, ValueError) as error:
        now.faults[subject] = str(error)
