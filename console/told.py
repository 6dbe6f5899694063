"""Entries of the record in sentences, with the names that the console knows and the record does not."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.urls import NoReverseMatch, reverse

from agents.models import Agent
from approvals.models import Person
from audit import words
from audit.timeline import Row
from console.templatetags.look import GLYPHS

PLACES = {"agent": "agent", "play": "play", "connection": "connection", "source": "source", "person": "person",
          "run": "run", "signal": "signal", "incident": "incident"}  # fmt: skip
LOOKS = {
    "delivered": "live", "approved": "live", "resolved": "live", "taken": "waiting", "asked": "waiting",
    "failed": "failed", "refused": "failed", "dead": "failed", "unknown": "failed", "conflict": "failed",
    "faulty": "failed", "opened": "failed", "paged": "failed", "set": "paused", "held": "paused",
    "shadowed": "shadow", "rejected": "quiet", "expired": "quiet",
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One entry for templates: its row, the sentence, where it leads, and how its dot looks."""

    row: Row
    text: str

    @property
    def href(self) -> str:
        """The page of what it speaks of, or of the run it belongs to; empty when there is none."""
        kind, _, key = self.row.subject.partition(":")
        run = _address("run", str(self.row.run)) if kind == "action" and self.row.run else ""
        if run:
            return f"{run}#action-{key}"
        return _address(PLACES[kind], key) if kind in PLACES else ""

    @cached_property
    def look(self) -> str:
        return LOOKS.get(self.row.verb.rpartition(".")[2], "quiet")

    @property
    def glyph(self) -> str:
        return GLYPHS[self.look]


def told(rows: Iterable[Row]) -> list[Told]:
    """Each entry in words, people and agents by name: two queries for all of them."""
    rows = list(rows)
    names = _names(rows)
    return [Told(row, words.say(row, name=names.get)) for row in rows]


def _names(rows: list[Row]) -> dict[str, str]:
    said = {text for row in rows for text in (row.actor, row.subject, *_references(row.detail.values()))}
    keys: dict[str, set[str]] = {"person": set(), "agent": set()}
    for text in said:
        kind, _, key = text.partition(":")
        if kind in keys:
            keys[kind].add(key)
    people = Person.objects.filter(pk__in=[key for key in keys["person"] if key.isdecimal()]) if keys["person"] else []
    agents = Agent.objects.filter(slug__in=keys["agent"]) if keys["agent"] else []
    return {f"person:{one.pk}": one.name for one in people} | {f"agent:{one.slug}": one.name for one in agents}


def _references(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value.startswith("person:")]


def _address(name: str, key: str) -> str:
    try:
        return reverse(name, args=[key])
    except NoReverseMatch:
        return ""
