"""From a row to the event that is sent: with an id that is the same each time, and without what is only known later."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.text import slugify

from agents.loop.envelope import Refused, wrap
from agents.loop.intake import external_hash
from agents.loop.sources import KnownSource
from agents.rules.comparisons import as_text
from agents.rules.mapping import MAX_ID
from console.replay.rows import Row

SPEC = re.compile(r"(?:(?P<kind>[A-Za-z0-9_-]+):)?(?P<column>[^=]+)=(?P<value>.+)")


@dataclass(frozen=True, slots=True)
class Ending:
    """An outcome that a column tells: of `kind` where it holds `value`, worth what `worth` holds (else 1)."""

    kind: str
    column: str
    value: str
    worth: str = ""

    def of(self, row: Row) -> dict[str, Any] | None:
        """The outcome's kind and value, or None where it did not come."""
        if as_text(row.members.get(self.column)) != as_text(self.value):
            return None
        return {"kind": self.kind, "value": row.members.get(self.worth, 1) if self.worth else 1}


def parse_ending(text: str, *, worth: str = "") -> Ending:
    """From "Revenue=TRUE", whose kind is the column's name, or "sale:Revenue=TRUE". ValueError, worded for people."""
    found = SPEC.fullmatch(text.strip())
    kind = slugify((found["kind"] or found["column"]) if found else "")[:60]
    if found is None or not kind:
        raise ValueError(f"“{text}” is no outcome: write Column=value, or kind:Column=value.")
    return Ending(kind, found["column"].strip(), found["value"].strip(), worth)


class Event(NamedTuple):
    """`id` as the source's mapping finds it ("" for none), and its hash; `trouble`: why it would be a dead letter."""

    line: int
    id: str
    hash: bytes
    body: dict[str, Any]
    trouble: str


@dataclass(frozen=True, slots=True)
class Maker:
    """
    Makes events for `source`. The id is what the mapping finds in the row, or the row's `id_column`; where it finds
    none, `id` becomes "<name of the file>#<line>". The columns that tell outcomes are left out.
    """

    source: KnownSource
    name: str
    id_column: str = ""
    endings: tuple[Ending, ...] = ()

    def event(self, row: Row) -> Event:
        """The event of one row."""
        later = {ending.column for ending in self.endings} | {ending.worth for ending in self.endings}
        body = {name: value for name, value in row.members.items() if name not in later}
        if self.id_column:
            body = {**body, "id": row.members.get(self.id_column, "")}
        id, trouble = self._understood(body)
        if not id and not self.id_column:
            body = {**body, "id": f"{self.name}#{row.line}"}
            id, trouble = self._understood(body)
        return Event(row.line, id, external_hash(self.source.id, id) if id else b"", body, trouble)

    def outcomes(self, row: Row, event: Event) -> list[dict[str, Any]]:
        """What came of it, in the shape of POST /in/<source>/outcomes."""
        found = (ending.of(row) for ending in self.endings)
        return [{"signal": event.id, **outcome} for outcome in found if outcome]

    def _understood(self, body: dict[str, Any]) -> tuple[str, str]:
        envelope = wrap("json", body)
        if isinstance(envelope, Refused):
            return "", f"{envelope.what} {envelope.how}"
        mapped = self.source.mapping("json").apply(envelope.body)
        return (mapped.external_id if len(mapped.external_id) <= MAX_ID else ""), " ".join(mapped.problems)
