"""Policies and facts made at random, most of them near where something changes."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.rules.facts import Facts

PLAYS = ("call", "mail", "gift")
REGIONS = ("emea", "emea/de", "emea/de/by", "amer", "unassigned")
SEGMENTS = ("enterprise", "enterprise/strategic", "smb", "unassigned")
ACCOUNTS = ("acme", "Acme", "globex")
PEOPLE = tuple(digit * 32 for digit in "abc")
RISKS = ("low", "medium", "high")
STAGES = ("draft", "shadow", "supervised", "retired", "no such stage", *["autonomous"] * 9)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "", "Mars/Olympus")
CLOCKS = ("00:00", "00:01", "02:00", "02:30", "08:00", "12:00", "18:00", "23:59")
BIG = (2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 3**63)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXPRESSIONS = (
    "fields.seats > 5",
    "value > 100",
    "value == null || value < 50.0",
    "confidence >= 70 && risk != 'high'",
    "hour >= 18 || weekday in ['sat', 'sun']",
    "region.startsWith('emea') && segment != 'unassigned'",
    "has(fields.seats) && fields.seats / 0 == 1",
    "age_minutes > 60",
    "reversible && account == 'acme' && currency == 'EUR'",
    "person == '' || minute < 30",
    "play in ['call', 'mail'] && fields.hot",
    "region == 'unassigned' || segment == 'unassigned'",
    "fields.big == 9223372036854775807",
    "fields.big == -9223372036854775808 || fields.seats == 5",
    "type(fields.big) == double",
    "has(fields.big) && type(fields.big) == int",
    "fields.size() == 2",
)
CHANGES = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 21, 0, tzinfo=UTC),
)


def policy(rng: random.Random) -> dict[str, Any]:
    """A policy of up to six clauses; one in fifty does not compile."""
    spec: dict[str, Any] = {"clauses": [clause(rng, n) for n in range(rng.randint(0, 6))]}
    if rng.random() < 0.3:
        spec["max_signal_age_minutes"] = rng.choice((0, 59, 60, 61))
    if rng.random() < 0.4:
        spec["quiet_hours"] = [hours(rng) for _ in range(rng.randint(1, 2))]
    return spec


def clause(rng: random.Random, n: int) -> dict[str, Any]:
    """One clause, with none to several parts."""
    say = rng.choice(("alone", "alone", "ask", "ask", "never"))
    part: dict[str, Any] = {"id": f"c{n}", "say": say}

    def some(name: str, chance: float, of: Any) -> None:
        if rng.random() < chance:
            part[name] = of()

    some("plays", 0.3, lambda: listed(rng, PLAYS))
    some("regions", 0.3, lambda: listed(rng, REGIONS))
    some("segments", 0.2, lambda: listed(rng, SEGMENTS))
    some("accounts", 0.15, lambda: listed(rng, ACCOUNTS))
    some("people", 0.15, lambda: listed(rng, PEOPLE))
    some("min_confidence", 0.2, lambda: rng.choice((0, 1, 50, 70)))
    some("below_confidence", 0.2, lambda: rng.choice((71, 90, 99, 100)))
    some("min_risk", 0.15, lambda: rng.choice(RISKS[:2]))
    some("max_risk", 0.15, lambda: rng.choice(RISKS[1:]))
    some("reversible", 0.1, lambda: rng.random() < 0.5)
    if rng.random() < 0.3:
        worth(rng, part)
    if rng.random() < 0.25:
        part |= hours(rng)
    some("note", 0.1, lambda: "for now")
    some("when", 0.25, lambda: rng.choice(EXPRESSIONS))
    if say == "ask":
        some("approvers", 0.4, lambda: rng.randint(1, 3))
        some("editable", 0.3, lambda: ["subject", "json.note"][: rng.randint(1, 2)])
    for name in ("plays", "hours", "when", "min_value", "max_risk", "note"):
        if name not in part and rng.random() < 0.1 and not (name == "hours" and "days" in part):
            part[name] = None
    return part


def worth(rng: random.Random, part: dict[str, Any]) -> None:
    """Bounds of a value."""
    part["currency"] = rng.choice(("EUR", "USD"))
    low, high = rng.choice((-1, 0, 50, 99.5)), rng.choice((100, 100.0, 5000))
    kind = rng.randrange(5)
    if kind in (0, 3):
        part["min_value"] = low
    if kind in (1, 4):
        part["above_value"] = low
    if kind >= 2:
        part["max_value"] = high


def hours(rng: random.Random, *, days: Any = DAYS) -> dict[str, Any]:
    """Hours, days or both."""
    part: dict[str, Any] = {}
    if rng.random() < 0.8:
        start = rng.choice(CLOCKS)
        part["hours"] = [start, rng.choice([clock for clock in (*CLOCKS, "24:00") if clock != start])]
        if rng.random() < 0.02:
            part["hours"][rng.randrange(2)] = rng.choice(("24:00", "8:00", "25:00", start))
    if not part or rng.random() < 0.5:
        part["days"] = rng.sample(days, rng.randint(1, len(days) - 1))
    return part


def listed(rng: random.Random, names: tuple[str, ...]) -> list[str]:
    return rng.sample(names, rng.randint(1, len(names) - 1))


def facts(rng: random.Random) -> Facts:
    """Facts near the bounds above; now and then something unknown or odd."""
    return Facts(
        play=rng.choice(PLAYS),
        region=rng.choice((None, "", *REGIONS, "emea/fr", "em", "emea2", *REGIONS)),
        segment=rng.choice((None, "", *SEGMENTS, "mid", *SEGMENTS)),
        confidence_pct=rng.choice((0, 1, 49, 50, 69, 70, 71, 89, 90, 98, 99)),
        risk=rng.choice((*RISKS, *RISKS, "odd")),
        stage=rng.choice(STAGES),
        age_minutes=rng.choice((0.0, 59.0, 60.0, 60.01, 61.0, 61.5)),
        account=rng.choice((*ACCOUNTS, "")),
        person=rng.choice((*PEOPLE, "")),
        value=rng.choice((None, -1, 0, 0.0, 49.5, 50, 99.5, 99.6, 100, 100.01, 5000, 5000.5, float("nan"))),
        currency=rng.choice(("EUR", "EUR", "USD", "")),
        reversible=rng.random() < 0.5,
        at=None if rng.random() < 0.05 else moment(rng),
        zone=rng.choice(ZONES),
        fields=rng.choice(
            (
                {},
                {"seats": 5},
                {"seats": 6},
                {"seats": "6"},
                {"hot": True},
                {"hot": "yes", "seats": 5.5},
                {"big": rng.choice(BIG)},
            )
        ),
    )


def moment(rng: random.Random) -> datetime:
    """To the minute or just beside it, often around a change of the clocks."""
    start = rng.choice(CHANGES) if rng.random() < 0.6 else datetime(2026, 1, 1, tzinfo=UTC)
    spread = rng.choice((90, 4 * 24 * 60)) if start in CHANGES else 365 * 24 * 60
    at = start + timedelta(minutes=rng.randint(-spread, spread))
    if rng.random() < 0.5:
        clock = rng.choice(CLOCKS)
        at = at.replace(hour=int(clock[:2]), minute=int(clock[3:]))
    return at + timedelta(seconds=rng.choice((0, 0, 1, 59)))
