"""A policy in words: its clauses in three columns, its limits, and what differs between two of them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from agents.models import Play, Region, Segment
from agents.rules.hours import DAYS
from agents.rules.policy_specs import SAYS, clause_words
from agents.rules.widening import Change, Loosened

COLUMNS = {"alone": ("live", "●", "Alone"), "ask": ("waiting", "◔", "Asks"), "never": ("failed", "▲", "Never")}


class Limit(NamedTuple):
    """One limit: where it stands in a spec, what the form's field and `Limits` call it, and in words."""

    path: tuple[str, ...]
    key: str
    label: str
    unit: str


LIMITS = (
    Limit(("limits", "hourly"), "hourly", "Actions an hour", ""),
    Limit(("limits", "daily"), "daily", "Actions a day", ""),
    Limit(("limits", "account_daily"), "account_daily", "Actions a day for one account", ""),
    Limit(("limits", "person_daily"), "person_daily", "Actions a day for one person", ""),
    Limit(("budget", "daily"), "budget_daily", "Cost a day", ""),
    Limit(("budget", "monthly"), "budget_monthly", "Cost a month", ""),
    Limit(("contact_lock_hours",), "contact_lock_hours", "A person is left to one agent for", "h"),
    Limit(("max_signal_age_minutes",), "max_signal_age_minutes", "Acts on signals up to", "min old"),
    Limit(("failure_rate_window",), "failure_rate_window", "Failure rate is looked at over", "h"),
)
QUIET = "Quiet where the recipient is"


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


def limit_of(spec: Mapping[str, Any], limit: Limit) -> Any:
    """What a spec sets for a limit; None where it sets none."""
    found: Any = spec
    for name in limit.path:
        found = (found or {}).get(name)
    return found


def limits_of(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The limits that are set, as (name, value in words)."""
    told = [
        (limit.label, f"{value} {limit.unit}".strip())
        for limit in LIMITS
        if (value := limit_of(spec, limit)) not in (None, "")
    ]
    quiet = "; ".join(_stretch(part) for part in spec.get("quiet_hours") or ())
    return [*told, (QUIET, quiet)] if quiet else told


def differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], labels: Mapping[str, str]
) -> list[Difference]:
    """What differs, clause by clause and limit by limit; empty when nothing does in words."""
    old, new = _told(before or {}, labels), _told(after, labels)
    found = dict.fromkeys([*old, *new])
    return [
        Difference(what, old.get(what, ""), new.get(what, ""))
        for what in found
        if old.get(what, "") != new.get(what, "")
    ]


def loosened(
    change: Change, before: Mapping[str, Any] | None, after: Mapping[str, Any], labels: Mapping[str, str]
) -> list[str]:
    """Each way in which `after` lets the agent do more alone, in a sentence."""
    old, new = _by_id(before or {}), _by_id(after)
    limits = {limit.key: limit.label for limit in LIMITS} | {"quiet": QUIET}

    def said(one: Loosened) -> str:
        what = words(new[one.now], labels) if one.now in new else one.now
        was = f"“{words(old[one.before], labels)}”" if one.before in old else "an earlier version"
        if one.kind == "alone" and one.verdict == "ask":
            return f"“{what}” would go alone where {was} asks now."
        if one.kind == "alone" and one.before == "default":
            return f"“{what}” would go alone where nothing is done now."
        if one.kind == "alone":
            return f"“{what}” would go alone where {was} says never now."
        if one.kind == "approvers":
            return f"“{what}” would ask fewer people than {was} asks now."
        if one.kind == "limit":
            return f"{limits.get(one.now, one.now)}: the limit is looser."
        return "There are too many clauses to be sure that nothing more goes alone."

    return list(dict.fromkeys(said(one) for one in change.wider))


def _by_id(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {part["id"]: part for part in spec.get("clauses") or ()}


def _told(spec: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    told = {}
    parts: Iterable[dict[str, Any]] = spec.get("clauses") or ()
    for part in parts:
        _, _, title = COLUMNS[part["say"]]
        note = f" ({part['note']})" if part.get("note") else ""
        told[f"Boundary {part['id']}"] = f"{title}: {words(part, labels)}{note}"
    return told | dict(limits_of(spec))


def _stretch(part: Mapping[str, Any]) -> str:
    hours, days = part.get("hours"), part.get("days")
    said = [f"from {hours[0]} to {hours[1]}"] if hours else ["all day"]
    if days and len(days) < len(DAYS):
        said.append("on " + ", ".join(day.capitalize() for day in days))
    return " ".join(said)
