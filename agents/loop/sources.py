"""The sources as the intake sees them: keys, opened secrets and compiled mappings."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from agents.models.scope import UNASSIGNED
from agents.rules.errors import SpecError
from agents.rules.mapping import CompiledMapping, Mapped, compile_mapping
from agents.sealed import KeyMissing, open_sealed

SOURCES = """
SELECT id, slug, key, secrets_sealed, signed_only, mapping::text, rate_limit, is_active, is_demo
FROM agents_source
"""
REGIONS = "SELECT code, id FROM agents_region"
SEGMENTS = "SELECT code, id FROM agents_segment"


@dataclass(frozen=True, slots=True)
class Scopes:
    """Code → id of every region and segment."""

    regions: dict[str, int]
    segments: dict[str, int]

    def region(self, code: str | None) -> tuple[str, int]:
        """The code with its id; "unassigned" for None."""
        code = code or UNASSIGNED
        return code, self.regions[code]

    def segment(self, code: str | None) -> tuple[str, int]:
        """The code with its id; "unassigned" for None."""
        code = code or UNASSIGNED
        return code, self.segments[code]


class Unmappable:
    """Stands for a mapping that cannot be compiled: every event becomes a dead letter that says why."""

    def __init__(self, error: SpecError) -> None:
        self.problem = f"The source's mapping is faulty: {error}"

    def apply(self, envelope: Any, *, id: str = "") -> Mapped:
        return Mapped(external_id=id, problems=[self.problem])


class SourceRow(NamedTuple):
    """A source as it is stored, in the order of SOURCES' columns."""

    id: int
    slug: str
    key: str
    secrets_sealed: str
    signed_only: bool
    mapping: str
    rate_limit: int
    is_active: bool
    is_demo: bool


class KnownSource:
    """One source, ready for use by many threads."""

    def __init__(self, row: SourceRow, scopes: Scopes) -> None:
        self.row = row
        self.scopes = scopes
        self.id, self.slug, self.is_demo = row.id, row.slug, row.is_demo
        self._mappings: dict[str, CompiledMapping | Unmappable] = {}

    @cached_property
    def signing(self) -> tuple[str, ...] | None:
        """The Standard Webhooks secrets in force; None when no configured key opens them."""
        try:
            secrets = open_sealed(self.row.secrets_sealed).get("signing") or ()
        except KeyMissing:
            return None
        return (secrets,) if isinstance(secrets, str) else tuple(secrets)

    def mapping(self, format: str) -> CompiledMapping | Unmappable:
        """The mapping for events of `format`, compiled on first use."""
        compiled = self._mappings.get(format)
        if compiled is None:
            compiled = self._mappings[format] = compile_for(orjson.loads(self.row.mapping), format, self.scopes)
        return compiled


def compile_for(spec: dict[str, Any], format: str, scopes: Scopes) -> CompiledMapping | Unmappable:
    """`spec` for `format`; never raises."""
    try:
        return compile_mapping(spec, format=format, regions=scopes.regions, segments=scopes.segments)
    except SpecError as error:
        return Unmappable(error)


def load_scopes(cur: Any) -> Scopes:
    """Regions and segments as the transaction sees them; `cur` is a raw psycopg cursor or connection."""
    return Scopes(dict(cur.execute(REGIONS).fetchall()), dict(cur.execute(SEGMENTS).fetchall()))


def load_sources(cur: Any, known: dict[str, KnownSource]) -> dict[str, KnownSource]:
    """Every source by slug. Those of `known` that did not change are kept, with what they had compiled."""
    scopes = load_scopes(cur)
    sources = {}
    for row in map(SourceRow._make, cur.execute(SOURCES).fetchall()):
        before = known.get(row.slug)
        kept = before is not None and before.row == row and before.scopes == scopes
        sources[row.slug] = before if before is not None and kept else KnownSource(row, scopes)
    return sources
