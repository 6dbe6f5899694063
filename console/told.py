"""Entries of the record in sentences, with the names that the console knows and the record does not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Model, TextField, Value
from django.db.models.functions import Cast, Concat
from django.urls import NoReverseMatch, reverse

from agents.models import Account, Agent, Connection, Play, Region, Segment, Source
from approvals.models import Person
from audit import words
from audit.persons import opened
from audit.timeline import Row
from console.templatetags.look import GLYPHS

PLACES = {"agent": "agent", "play": "play", "connection": "connection", "source": "source", "person": "person",
          "run": "run", "signal": "signal", "incident": "incident", "proposal": "proposal",
          "pause": "pause"}  # fmt: skip
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
    """Each entry in words, people and things by name, personal data opened: a query for either, for all of them."""
    rows = opened(rows)
    names = _names(rows)
    return [Told(row, words.say(row, name=names.get)) for row in rows]


NOUNS: dict[str, tuple[type[Model], str]] = {
    "person": (Person, "pk"),
    "agent": (Agent, "slug"),
    "play": (Play, "slug"),
    "connection": (Connection, "slug"),
    "source": (Source, "slug"),
    "region": (Region, "code"),
    "segment": (Segment, "code"),
    "account": (Account, "key"),
}


def _names(rows: list[Row]) -> dict[str, str]:
    return names_of(reference for row in rows for reference in _references(row))


def names_of(references: Iterable[str]) -> dict[str, str]:
    """The name of each "source:web", "person:7" and the like that has one, in one query, or none for none."""
    keys: dict[str, set[str]] = {noun: set() for noun in NOUNS}
    for reference in references:
        noun, _, key = reference.partition(":")
        if key and noun in keys:
            keys[noun].add(key.partition("@")[0])
    keys["person"] = {key for key in keys["person"] if key.isdecimal()}
    asked = [
        model._default_manager.filter(**{f"{column}__in": keys[noun]})
        .order_by()
        .values_list(Concat(Value(f"{noun}:", TextField()), Cast(column, TextField())), Cast("name", TextField()))
        for noun, (model, column) in NOUNS.items()
        if keys[noun]
    ]
    return {reference: name for reference, name in asked[0].union(*asked[1:]) if name} if asked else {}


def _references(row: Row) -> Iterator[str]:
    """Whom and what an entry speaks of, as "noun:key"."""
    yield from (row.actor, row.subject)
    yield from (f"{noun}:{getattr(row, noun)}" for noun in words.COLUMNS)
    for key, value in row.detail.items():
        if isinstance(value, str):
            yield value if value.startswith("person:") else f"{key}:{value}"


def _address(name: str, key: str) -> str:
    try:
        return reverse(name, args=[key])
    except NoReverseMatch:
        return ""
