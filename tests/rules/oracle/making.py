"""Policies and facts, made at random so that each line of docs/boundaries.md comes to decide something.

Facts are made for a policy: one clause is picked, and most of its conditions are met, or missed by as little as can be.
"""

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from zoneinfo import ZoneInfo

from tests.rules.oracle.deciding import DAYS, RISKS, ZONES
from tests.rules.oracle.phrases import phrase

PLAYS = ("intro", "Intro", "invite", "renew", "")
REGIONS = ("emea", "emea/de", "emea/de/by", "em", "emea/d", "apac", "amer/us")
SEGMENTS = ("enterprise", "enterprise/banks", "smb", "enter")
NOWHERE = (None, "", "unassigned")
ACCOUNTS = ("acme.example", "Acme.example", "globex.example", "")
PEOPLE = tuple(f"{number:032x}" for number in (1, 0xF3C, 16**32 - 1))
CURRENCIES = ("EUR", "USD", "JPY")
NO_NUMBERS = (None, None, None, float("nan"), float("inf"), "5000", True, "", [1])
ZONE_NAMES = (
    *("Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "Asia/Kathmandu", "Asia/Tokyo", "UTC"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Chatham", "Africa/Casablanca"),
    "Etc/GMT+12",
)
NO_ZONES = ("", "", "Mars/Base", "Europe", "zone.tab", "../UTC", "/etc/localtime", "UTC\0", "x" * 300, " UTC")
DATES = (
    *((2026, 3, 28), (2026, 3, 29), (2026, 3, 30), (2026, 10, 24), (2026, 10, 25), (2026, 10, 26)),
    *((2026, 3, 8), (2026, 11, 1), (2026, 4, 5), (2026, 10, 4), (2011, 12, 29), (2011, 12, 31)),
    *((2026, 1, 1), (2024, 2, 29), (1999, 12, 31), (1890, 6, 1), (2077, 7, 7)),
)
CHANGES = (
    *(("Europe/Berlin", "2026-03-29T01:00Z"), ("Europe/Berlin", "2026-10-25T01:00Z")),
    *(("Europe/Dublin", "2026-03-29T01:00Z"), ("America/New_York", "2026-03-08T07:00Z")),
    *(("America/New_York", "2026-11-01T06:00Z"), ("America/St_Johns", "2026-03-08T05:30Z")),
    *(("Australia/Lord_Howe", "2026-04-04T15:00Z"), ("Australia/Lord_Howe", "2026-10-03T15:30Z")),
    *(("Pacific/Apia", "2011-12-30T10:00Z"), ("Africa/Casablanca", "2026-02-15T02:00Z")),
)
"""When clocks change; at Apia's a whole day is left out."""
NIGHT = ("00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "03:30")
TIMES = ("00:00", "00:01", "01:00", "02:00", "02:30", "03:00", "08:00", "12:00", "17:59", "18:00", "22:00", "23:59")
ODD_STAGES = ("Autonomous", "", "paused", "draft ")
ODD_RISKS = ("Low", "critical", "none", "")
LEFT_OUT = ("note", "plays", "regions", "accounts", "people", "reversible", "hours", "days", "when")
NOWHERE_SEEN = '== "unassigned"'
BIG = (0, 1, 0.5, 4999.99, 5000, 5000.01, 20_000, 1_000_000_000_000, -5)


def policy(rng: Random) -> dict:
    """A policy without a fault."""
    clauses = [clause(rng, f"clause {number}") for number in range(rng.choice((0, 1, 1, 2, 2, 3, 4, 5, 6)))]
    made: dict = {"clauses": clauses}
    if rng.random() < 0.3:
        made["max_signal_age_minutes"] = rng.choice((None, 1, 60, 1440, 10_000))
    if rng.random() < 0.2:
        made |= {"limits": {"hourly": 1, "daily": None}, "budget": {"daily": 50}, "contact_lock_hours": 24}
    if rng.random() < 0.2:
        made["quiet_hours"] = [{"hours": ["20:00", "08:00"], "days": rng.choice((None, ["sat", "sun"]))}]
    return made


def clause(rng: Random, name: str) -> dict:
    made: dict = {"id": name, "say": rng.choice(("alone", "alone", "ask", "ask", "never"))}
    for part in rng.sample(sorted(PARTS), rng.choice((0, 1, 1, 2, 2, 3, 4, 8))):
        made |= PARTS[part](rng)
    if rng.random() < 0.15:
        made["when"] = phrase(rng)
    if made["say"] == "ask":
        made |= {"approvers": rng.choice((None, 1, 2, 2, 3, 5))} if rng.random() < 0.6 else {}
        made |= {"editable": rng.choice((None, ["subject"], ["subject", "text"]))} if rng.random() < 0.4 else {}
    if rng.random() < 0.1:
        made |= dict.fromkeys(some(rng, LEFT_OUT))
    if rng.random() < 0.1:
        made["note"] = "until the spring"
    return made


def some(rng: Random, of: tuple, most: int = 3) -> list:
    return rng.sample(of, rng.randint(1, min(most, len(of))))


def make_confidence(rng: Random) -> dict:
    low, high = sorted(rng.sample(range(101), 2))
    return rng.choice(
        ({"min_confidence": low}, {"below_confidence": high}, {"min_confidence": low, "below_confidence": high})
    )


def make_risk(rng: Random) -> dict:
    low, high = sorted(rng.choices(range(3), k=2))
    least, most = {"min_risk": RISKS[low]}, {"max_risk": RISKS[high]}
    return rng.choice((least, most, least | most))


def make_value(rng: Random) -> dict:
    low, high = sorted(rng.sample(BIG, 2))
    lower = rng.choice(({}, {"min_value": low}, {"above_value": low}))
    upper = rng.choice(({}, {"max_value": high})) if lower else {"max_value": high}
    if "min_value" in lower and upper and rng.random() < 0.2:
        upper = {"max_value": low}  # the one value that is both
    left_out = dict.fromkeys(rng.choice(((), (), ("min_value", "above_value", "max_value"))))
    return left_out | lower | upper | {"currency": rng.choice(CURRENCIES)}


def make_hours(rng: Random) -> dict:
    begin, end = rng.sample(rng.choice((TIMES, NIGHT)), 2)
    hours = {"hours": rng.choice(([begin, end], [begin, end], [begin, "24:00"], ["00:00", "24:00"]))}
    days = {"days": some(rng, DAYS, 5)}
    return rng.choice((hours, days, hours | days, hours | days))


PARTS = {
    "plays": lambda rng: {"plays": some(rng, PLAYS[:-1])},
    "regions": lambda rng: {"regions": some(rng, (*REGIONS, "unassigned"))},
    "segments": lambda rng: {"segments": some(rng, (*SEGMENTS, "unassigned"))},
    "accounts": lambda rng: {"accounts": some(rng, ACCOUNTS[:-1])},
    "people": lambda rng: {"people": some(rng, PEOPLE)},
    "confidence": make_confidence,
    "risk": make_risk,
    "reversible": lambda rng: {"reversible": rng.random() < 0.5},
    "value": make_value,
    "hours": make_hours,
    "when": lambda rng: {"when": phrase(rng)},
}


def facts(rng: Random, spec: dict) -> dict:
    """Facts for `spec`, named as the doc names them; `at` is a datetime or None."""
    made = anything(rng)
    if spec["clauses"] and rng.random() < 0.85:
        aim(rng, rng.choice(spec["clauses"]), made)
    oldest = spec.get("max_signal_age_minutes")
    if oldest is not None and rng.random() < 0.7:
        made["age_minutes"] = rng.choice(
            (0.0, oldest - 0.001, float(oldest), float(oldest), oldest + 0.001, oldest * 2.0)
        )
    return made


def anything(rng: Random) -> dict:
    stages = ("autonomous",) * 12 + ("supervised",) * 4 + ("shadow",) * 4 + ("draft", "retired", rng.choice(ODD_STAGES))
    return {
        "play": rng.choice(PLAYS),
        "region": rng.choice(REGIONS) if rng.random() < 0.85 else rng.choice(NOWHERE),
        "segment": rng.choice(SEGMENTS) if rng.random() < 0.85 else rng.choice(NOWHERE),
        "confidence_pct": rng.choice((0, 99, rng.randrange(100))),
        "risk": rng.choice(RISKS) if rng.random() < 0.9 else rng.choice(ODD_RISKS),
        "stage": rng.choice(stages),
        "age_minutes": rng.choice((0.0, 0.5, 59.999, 60.0, 60.001, 1440.0, 1e6)),
        "account": rng.choice(ACCOUNTS),
        "person": rng.choice((*PEOPLE, "")),
        "value": rng.choice(BIG) if rng.random() < 0.85 else rng.choice(NO_NUMBERS),
        "currency": rng.choice((*CURRENCIES, "EUR", "")),
        "reversible": rng.random() < 0.5,
        "fields": fields(rng),
        **moment(rng, rng.choice(TIMES)),
    }


def fields(rng: Random) -> dict:
    given = {
        "seats": (0, 1, 100, 101, 100.5, -7, 2**63 - 1, 2**63, -(2**64), "100", True),
        "plan": ("trial", "pro", "", "pro plus", 7),
        "vip": (True, True, False, False, "true", 1),
        "tags": ([], ["new"], ["new", "big"], ["big", "big"], [1, 2.5, 3], [True, "new", 4], "new"),
    }
    return {name: rng.choice(one) for name, one in given.items() if rng.random() < 0.75}


def moment(rng: Random, time: str) -> dict:
    """`at` and `zone`: about when clocks there show `time`, or are changed; written as some other clock may have it."""
    if rng.random() < 0.3:
        named, change = rng.choice(CHANGES)
        at = datetime.fromisoformat(change) + timedelta(minutes=rng.randrange(-150, 150))
    else:
        named = rng.choice(ZONE_NAMES)
        local = datetime(*rng.choice(DATES), *map(int, time.split(":")), fold=rng.randrange(2), tzinfo=ZoneInfo(named))
        at = local.astimezone(UTC) + timedelta(days=rng.randrange(7))
    at += timedelta(seconds=rng.choice((-60, -1, 0, 0, 1, 59, 60)))
    at = at.astimezone(rng.choice((UTC, ZoneInfo(named), timezone(timedelta(hours=-3, minutes=-30)))))
    return rng.choices(
        (
            {"at": at, "zone": named},
            {"at": None, "zone": named},
            {"at": at.replace(tzinfo=None), "zone": named},
            {"at": at, "zone": rng.choice(NO_ZONES)},
        ),
        (88, 3, 3, 6),
    )[0]


def aim(rng: Random, clause: dict, made: dict) -> None:
    """Set the facts that the clause names, mostly to what it asks for."""
    named = {part: given for part, given in clause.items() if given is not None}
    for part, given in named.items():
        if rng.random() < 0.9:
            made |= AIMS[part](rng, given, made) if part in AIMS else {}
    if "currency" in named and rng.random() < 0.9:
        made["currency"] = named["currency"]
    if ("hours" in named or "days" in named) and rng.random() < 0.9:
        made |= moment(rng, rng.choice((*named.get("hours", TIMES), "12:00")).replace("24:00", "00:00"))


def place(rng: Random, codes: list[str]) -> str | None:
    code = rng.choice(codes)
    if code == "unassigned":
        return rng.choice(NOWHERE)
    return rng.choice((code, code, f"{code}/x", f"{code}x", code.split("/")[0]))


def near(rng: Random, bound: float) -> float:
    return rng.choice((bound, bound, bound - 0.01, bound + 0.01, bound - 1, bound + 1))


def within(bound: int) -> int:
    return min(99, max(0, bound))


AIMS = {
    "plays": lambda rng, given, made: {"play": rng.choice(given)},
    "regions": lambda rng, given, made: {"region": place(rng, given)},
    "segments": lambda rng, given, made: {"segment": place(rng, given)},
    "accounts": lambda rng, given, made: {"account": rng.choice(given)},
    "people": lambda rng, given, made: {"person": rng.choice(given)},
    "min_confidence": lambda rng, given, made: {"confidence_pct": within(given + rng.choice((0, 0, 1, -1)))},
    "below_confidence": lambda rng, given, made: {"confidence_pct": within(given - rng.choice((0, 1, 1, 2)))},
    "min_risk": lambda rng, given, made: {"risk": given},
    "max_risk": lambda rng, given, made: {"risk": given},
    "reversible": lambda rng, given, made: {"reversible": given},
    "min_value": lambda rng, given, made: {"value": near(rng, given)},
    "above_value": lambda rng, given, made: {"value": near(rng, given + 0.01)},
    "max_value": lambda rng, given, made: {"value": near(rng, given)},
    "when": lambda rng, given, made: (
        dict.fromkeys(("region", "segment"), rng.choice(NOWHERE)) if NOWHERE_SEEN in given else {}
    ),
}

assert set(ZONE_NAMES) <= ZONES
