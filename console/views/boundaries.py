"""A policy in words: its clauses in three columns, its limits, and what differs between two of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.models import Play, Region, Segment
from agents.rules.policy_specs import SAYS, clause_words

COLUMNS = {"alone": ("live", "●", "Alone"), "ask": ("waiting", "◔", "Asks"), "never": ("failed", "▲", "Never")}
LIMITS = (
    ("hourly", "Actions an hour", ""),
    ("daily", "Actions a day", ""),
    ("contact_lock_hours", "A person is left to one agent for", "h"),
    ("max_signal_age_minutes", "Acts on signals up to", "min old"),
    ("failure_rate_window", "Failure rate is looked at over", "h"),
)


class Column(NamedTuple):
    """One of alone, asks, never, with its clauses: (id, words, note)."""

    say: str
    look: str
    glyph: str
    title: str
    clauses: list[tuple[str, str, str]]


class Difference(NamedTuple):
    """One clause or limit that differs; "" where it was not there, or is no longer."""

    what: str
    before: str
    after: str


def names() -> dict[str, str]:
    """What plays, regions and segments are called, by slug and code; one statement."""
    plays = Play.objects.order_by().values_list("slug", "name")
    scopes = [model.objects.order_by().values_list("code", "name") for model in (Region, Segment)]
    return dict(plays.union(*scopes, all=True))


def columns(spec: Mapping[str, Any], labels: Mapping[str, str]) -> list[Column]:
    """Alone, asks, never."""
    found: dict[str, list[tuple[str, str, str]]] = {say: [] for say in SAYS}
    for part in spec.get("clauses") or ():
        found.get(part.get("say"), []).append((part.get("id", ""), words(part, labels), part.get("note") or ""))
    return [Column(say, *COLUMNS[say], found[say]) for say in SAYS]


def words(part: dict[str, Any], labels: Mapping[str, str]) -> str:
    """A clause in words, beginning with a capital."""
    text = clause_words(part, labels)
    return text[:1].upper() + text[1:]


def limits_of(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The limits that are set, as (name, value in words)."""
    flat = {**(spec.get("limits") or {}), **spec}
    return [(label, f"{flat[key]} {unit}".strip()) for key, label, unit in LIMITS if flat.get(key) not in (None, "")]


def differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], labels: Mapping[str, str]
) -> list[Difference]:
    """What differs, clause by clause and limit by limit; empty when nothing does."""
    old, new = _told(before or {}, labels), _told(after, labels)
    found = dict.fromkeys([*old, *new])
    return [
        Difference(what, old.get(what, ""), new.get(what, ""))
        for what in found
        if old.get(what, "") != new.get(what, "")
    ]


def _told(spec: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    told = {}
    for part in spec.get("clauses") or ():
        _, _, title = COLUMNS[part["say"]]
        note = f" ({part['note']})" if part.get("note") else ""
        told[f"Clause {part['id']}"] = f"{title}: {words(part, labels)}{note}"
    return told | dict(limits_of(spec))
