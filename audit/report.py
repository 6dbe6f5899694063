"""What a verifying found: the problems, and what ought to be known beside them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

KEPT = 2_000
"""How many problems a report names; all are counted."""


class Problem(NamedTuple):
    """Something that is not as it was sealed: the entry's number and id, where one is to blame, and what is wrong."""

    seq: int | None
    entry: UUID | None
    what: str

    def __str__(self) -> str:
        number = "" if self.seq is None else f"number {self.seq:,}"
        entry = "" if self.entry is None else f"entry {self.entry}"
        where = ", ".join(filter(None, (number, entry)))
        return f"{where}: {self.what}" if where else self.what


@dataclass
class Report:
    """What was checked and what was found. `problems` come in the order of the record, at most KEPT of them."""

    sealed: int = 0
    unsealed: int = 0
    since: datetime | None = None
    until: datetime | None = None
    checkpoints: int = 0
    outside: int = 0
    keys: list[str] = field(default_factory=list)
    dropped: int = 0
    """Entries that a rule took, as the record says; their seals are kept."""
    aged: list[str] = field(default_factory=list)
    """A line for each stretch that went by rule."""
    notes: list[str] = field(default_factory=list)
    """What is no break and ought to be known: restores from backups, keys that nothing in the record brought in."""
    found: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the record holds."""
        return not self.found

    def add(self, seq: int | None, entry: bytes | UUID | None, what: str) -> None:
        """Count a problem, and keep it while there is room."""
        self.found += 1
        if len(self.problems) < KEPT:
            self.problems.append(Problem(seq, UUID(bytes=entry) if isinstance(entry, bytes) else entry, what))
