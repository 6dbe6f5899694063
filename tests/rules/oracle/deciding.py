"""A second evaluator of boundaries, written from docs/boundaries.md alone: slow, obvious, sharing nothing.

A condition is True (holds), False (does not hold) or None (can't be told).
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from tests.rules.oracle import expressions

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RISKS = ("low", "medium", "high")
STAGES = ("draft", "shadow", "supervised", "autonomous", "retired")
ZONES = available_timezones()
VALUES = ("min_value", "above_value", "max_value")


@dataclass(frozen=True)
class Answer:
    verdict: str
    clause: str
    shadow: bool = False
    approvers: int = 1
    editable: tuple[str, ...] = ()


def decide(spec: dict, facts: dict) -> Answer:
    """*The decision*: what the policy `spec` says of `facts`, both with the names the doc gives them."""
    stage = facts["stage"] if facts["stage"] in STAGES else "draft"
    if stage in ("retired", "draft"):
        return Answer("never", f"stage:{stage}")
    shadow = stage == "shadow"
    oldest = spec.get("max_signal_age_minutes")
    if oldest is not None and facts["age_minutes"] > oldest:
        return Answer("never", "stale", shadow)
    fitting = [clause for clause in spec["clauses"] if fits(clause, facts)]
    for clause in fitting:
        if clause["say"] == "never":
            return Answer("never", clause["id"], shadow)
    asking = [clause for clause in fitting if clause["say"] == "ask"]
    if asking:
        most = max(approvers(clause) for clause in asking)
        clause = next(clause for clause in asking if approvers(clause) == most)
        return Answer("ask", clause["id"], shadow, most, tuple(clause.get("editable") or ()))
    if not fitting:
        return Answer("never", "default", shadow)
    if unassigned(facts["region"]) or unassigned(facts["segment"]):
        return Answer("ask", "unassigned", shadow)
    if stage == "supervised":
        return Answer("ask", "stage:supervised")
    return Answer("alone", fitting[0]["id"], shadow)


def approvers(clause: dict) -> int:
    given = clause.get("approvers")
    return 1 if given is None else given


def fits(clause: dict, facts: dict) -> bool:
    """*Whether a clause fits*."""
    told = list(conditions(clause, facts).values())
    if False in told:
        return False
    if None in told:
        return clause["say"] != "alone"
    return True


def conditions(clause: dict, facts: dict) -> dict[str, bool | None]:
    """What each part that the clause names comes to."""
    named = {part: given for part, given in clause.items() if given is not None}
    found = {part: CONDITIONS[part](given, facts) for part, given in named.items() if part in CONDITIONS}
    for part in VALUES:
        if part in named:
            found[part] = of_value(part, named[part], named["currency"], facts)
    if "hours" in named or "days" in named:
        begin, end = named.get("hours", ("00:00", "24:00"))
        found["hours"] = of_hours(begin, end, named.get("days", DAYS), facts)
    return found


def of_plays(plays: list[str], facts: dict) -> bool:
    return facts["play"] in plays


def of_regions(codes: list[str], facts: dict) -> bool:
    return any(above(code, facts["region"]) for code in codes)


def of_segments(codes: list[str], facts: dict) -> bool:
    return any(above(code, facts["segment"]) for code in codes)


def of_accounts(accounts: list[str], facts: dict) -> bool:
    return facts["account"] in accounts


def of_people(people: list[str], facts: dict) -> bool:
    return facts["person"] in people


def of_min_confidence(least: int, facts: dict) -> bool:
    return facts["confidence_pct"] >= least


def of_below_confidence(bound: int, facts: dict) -> bool:
    return facts["confidence_pct"] < bound


def of_min_risk(least: str, facts: dict) -> bool:
    return RISKS.index(risk(facts)) >= RISKS.index(least)


def of_max_risk(most: str, facts: dict) -> bool:
    return RISKS.index(risk(facts)) <= RISKS.index(most)


def of_reversible(wanted: bool, facts: dict) -> bool:
    return facts["reversible"] == wanted


def of_when(expression: str, facts: dict) -> bool | None:
    try:
        result = expressions.evaluate(expression, seen(facts))
    except expressions.Failed:
        return None
    return result if isinstance(result, bool) else None


CONDITIONS = {
    "plays": of_plays,
    "regions": of_regions,
    "segments": of_segments,
    "accounts": of_accounts,
    "people": of_people,
    "min_confidence": of_min_confidence,
    "below_confidence": of_below_confidence,
    "min_risk": of_min_risk,
    "max_risk": of_max_risk,
    "reversible": of_reversible,
    "when": of_when,
}


def of_value(part: str, bound: float, currency: str, facts: dict) -> bool | None:
    value = known_value(facts)
    if value is None or facts["currency"] != currency:
        return None
    if part == "min_value":
        return value >= bound
    if part == "above_value":
        return value > bound
    return value <= bound


def of_hours(begin: str, end: str, days: list[str], facts: dict) -> bool | None:
    """*Hours*. Times of day are compared as their text: HH:MM sorts as it reads."""
    local = local_time(facts)
    if local is None:
        return None
    today = DAYS[local.weekday()] in days
    yesterday = DAYS[local.weekday() - 1] in days
    now = f"{local.hour:02}:{local.minute:02}"
    if begin < end:
        return today and begin <= now < end
    return (today and now >= begin) or (yesterday and now < end)


def above(code: str, place: str | None) -> bool:
    """*Above*: the same levels, as far as `code` has any."""
    levels = ["unassigned"] if unassigned(place) else place.split("/")
    named = code.split("/")
    return levels[: len(named)] == named


def unassigned(place: str | None) -> bool:
    return place in (None, "", "unassigned")


def risk(facts: dict) -> str:
    return facts["risk"] if facts["risk"] in RISKS else "high"


def known_value(facts: dict) -> float | None:
    value = facts["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def local_time(facts: dict) -> datetime | None:
    """`at` where `zone` is, by adding what the zone is ahead of UTC."""
    at, zone = facts["at"], facts["zone"]
    if at is None or at.utcoffset() is None or zone not in ZONES:
        return None
    utc = at.replace(tzinfo=None) - at.utcoffset()
    ahead = at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return utc + ahead


def seen(facts: dict) -> dict:
    """What an expression sees."""
    value, local = known_value(facts), local_time(facts)
    names = {name: facts[name] for name in ("play", "account", "person", "risk", "currency", "reversible")}
    names |= {name: "unassigned" if unassigned(facts[name]) else facts[name] for name in ("region", "segment")}
    names["confidence"] = facts["confidence_pct"]
    names["value"] = None if value is None else float(value)
    names["age_minutes"] = float(facts["age_minutes"])
    names["fields"] = {name: as_field(given) for name, given in facts["fields"].items()}
    if local is not None:
        names |= {"hour": local.hour, "minute": local.minute, "weekday": DAYS[local.weekday()]}
    return names


def as_field(given: object) -> object:
    if isinstance(given, list):
        return [as_field(one) for one in given]
    if isinstance(given, int) and not -(2**63) <= given < 2**63:
        return float(given)
    return given
