"""Demo signals: companies and people that nobody is, and what they do.

A company is made from its number alone, so that it is the same however often it comes back, on this run or the next.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

WORDS: dict[str, list[str]] = {
    name: words.split() for name, words in json.loads(Path(__file__).with_name("words.json").read_text()).items()
}
_STARTS, _ENDS = WORDS["company_starts"], WORDS["company_ends"]
_KINDS = ("Logistics", "Labs", "Systems", "Retail", "Group", "Insurance", "Software", "Foods", "Robotics", "Health")
_INDUSTRY = {
    "Logistics": "logistics",
    "Retail": "retail",
    "Insurance": "insurance",
    "Foods": "food",
    "Health": "health",
}
_TITLES = (
    "VP Sales", "Head of Operations", "Director of Revenue", "Chief Executive", "Sales Manager", "Operations Lead",
    "Analyst", "Assistant", "Head of Growth",
)  # fmt: skip
_COUNTRIES = {
    "US": 34, "DE": 12, "UK": 11, "FR": 7, "NL": 5, "SE": 4, "SA": 2, "CA": 7, "BR": 4,
    "JP": 4, "SG": 3, "AU": 4, "IN": 3,
}  # fmt: skip
"""Country as the sources write it → how often it occurs."""
_SIZES = ((15, 90, 35), (90, 400, 35), (400, 1000, 15), (1000, 9000, 15))
COMPANIES = len(_STARTS) * len(_ENDS) * len(_KINDS)
ON_THE_LIST = (3, 11, 29, 42)
"""Companies whose first person is on the do-not-contact list."""


@dataclass(frozen=True)
class Somebody:
    given: str
    name: str
    email: str
    title: str


@dataclass(frozen=True)
class Company:
    number: int
    key: str
    name: str
    country: str
    employees: int
    industry: str
    arr: int
    people: tuple[Somebody, Somebody]

    @property
    def is_far(self) -> bool:
        """Whether it is in APAC, where agents ask more."""
        return self.country in ("JP", "SG", "AU", "IN")


def company(number: int) -> Company:
    """The company of this number, 0 to COMPANIES - 1."""
    rng = random.Random(f"tideline {number}")  # noqa: S311
    kind = rng.choice(_KINDS)
    name = f"{rng.choice(_STARTS)}{rng.choice(_ENDS)} {kind}"
    key = f"{name.lower().replace(' ', '-')}-{number}"
    low, high, _ = rng.choices(_SIZES, [size[2] for size in _SIZES])[0]
    employees = rng.randint(low, high)
    country = rng.choices(list(_COUNTRIES), list(_COUNTRIES.values()))[0]
    pair = tuple(_somebody(rng, key) for _ in range(2))
    industry = _INDUSTRY.get(kind, "software")
    arr = round(employees * rng.uniform(40, 120), -3)
    return Company(number, key, name, country, employees, industry, int(arr), (pair[0], pair[1]))


def _somebody(rng: random.Random, domain: str) -> Somebody:
    given, family = rng.choice(WORDS["given_names"]), rng.choice(WORDS["family_names"])
    host = "freemail.example" if rng.random() < 0.08 else f"{domain}.example"
    return Somebody(given, f"{given} {family}", f"{given}.{family}@{host}".lower(), rng.choice(_TITLES))


def hint(email: str) -> str:
    """Enough of an address to recognise it by: d…@alderford-labs-3.example."""
    local, _, host = email.partition("@")
    return f"{local[:1]}…@{host}"


UNSUBSCRIBED = tuple(company(number).people[0].email for number in ON_THE_LIST)


class Sent(NamedTuple):
    """A request to the intake. `signal` is the id under which an outcome, its kind and value, may be reported."""

    source: str
    format: str
    body: Any
    signal: str
    outcome: tuple[str, int] | None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _website(
    rng: random.Random, at: Company, event: str, path: str, outcome: tuple[str, int] | None, **more: Any
) -> Sent:
    who = rng.choice(at.people) if at.number not in ON_THE_LIST else at.people[0]
    id_ = f"web-{uuid4()}"
    traits = {"name": who.name, "firstName": who.given, "email": who.email, "title": who.title, "country": at.country}
    firm = {"id": at.key, "name": at.name, "employees": at.employees, "industry": at.industry, "arr": at.arr}
    call = {
        "type": "track",
        "event": event,
        "messageId": id_,
        "userId": who.email,
        "timestamp": _now(),
        "properties": {"path": path, "seconds": rng.randint(8, 400), **more},
        "context": {"traits": {**traits, "company": firm}},
    }
    return Sent("website", "segment", {"batch": [call]}, id_, outcome)


def _product(rng: random.Random, at: Company, type_: str, outcome: tuple[str, int] | None) -> Sent:
    who = at.people[1]
    id_ = f"app-{uuid4()}"
    data = {
        "account_name": at.name,
        "person": who.name,
        "first_name": who.given,
        "email": who.email,
        "country": at.country,
        "employees": at.employees,
        "arr": at.arr,
        "team_size": rng.choice((1, 1, 2, 3, 4, 6, 9)),
        "first_result": rng.random() < 0.55,
        "days_idle": rng.randint(0, 9),
        "days_left": rng.randint(1, 14) if type_ != "trial.expiring" else rng.randint(1, 3),
    }
    event = {"specversion": "1.0", "id": id_, "source": "/tideline/trials", "type": type_, "subject": at.key}
    return Sent("product", "cloudevents", {**event, "time": _now(), "data": data}, f"/tideline/trials {id_}", outcome)


def _desk(
    rng: random.Random, at: Company, kind: str, outcome: tuple[str, int] | None, *, id_name: str = "event_id"
) -> Sent:
    who = at.people[0]
    id_ = f"desk-{uuid4()}"
    facts: dict[str, Any] = {"days_to_renewal": rng.randint(5, 300), "open_tickets": rng.randint(0, 6)}
    if kind == "usage.dropped":
        facts["usage_change"] = -rng.randint(10, 80)
    event = {
        id_name: id_,
        "kind": kind,
        "at": _now(),
        "customer": {"id": at.key, "name": at.name, "country": at.country, "employees": at.employees, "arr": at.arr},
        "contact": {"name": who.name, "email": who.email},
        "facts": facts,
    }
    return Sent("customer-desk", "json", event, id_, outcome)


def _chance(rng: random.Random, percent: float, kind: str, value: int = 1) -> tuple[str, int] | None:
    return (kind, value) if rng.random() * 100 < percent else None


def _visit(rng: random.Random, at: Company) -> Sent:
    path, event = rng.choice((("/pricing", "Pricing Viewed"), ("/compare/spreadsheets", "Comparison Viewed")))
    return _website(rng, at, event, path, _chance(rng, 11, "meeting"))


def _guide(rng: random.Random, at: Company) -> Sent:
    return _website(rng, at, "Guide Downloaded", "/guides/which-account-today", _chance(rng, 4, "meeting"))


def _asks_to_talk(rng: random.Random, at: Company) -> Sent:
    event, path = rng.choice((("Demo Requested", "/demo"), ("Contact Sales", "/contact")))
    message = rng.choice(
        (
            "We lose track of which customers need us. Can you show how you would handle ours?",
            "Our team doubled and the spreadsheet does not scale. What would a pilot look like?",
            "Does this work with the CRM we have, or instead of it?",
        )
    )
    return _website(rng, at, event, path, _chance(rng, 34, "meeting"), message=message)


def _stranger(rng: random.Random, at: Company) -> Sent:
    sent = _website(rng, at, "Pricing Viewed", "/pricing", None)
    sent.body["batch"][0]["context"]["traits"].pop("country")
    return sent


def _trial(rng: random.Random, at: Company) -> Sent:
    type_ = rng.choice(("trial.stalled", "trial.stalled", "trial.limit_reached", "trial.invited"))
    return _product(rng, at, type_, _chance(rng, 17, "paid", rng.randint(12, 90) * 100))


def _last_days(rng: random.Random, at: Company) -> Sent:
    return _product(rng, at, "trial.expiring", _chance(rng, 22, "paid", rng.randint(12, 90) * 100))


def _customer(rng: random.Random, at: Company) -> Sent:
    kind = rng.choice(("usage.dropped", "usage.dropped", "ticket.escalated", "invoice.overdue", "champion.left"))
    return _desk(rng, at, kind, _chance(rng, 30, "renewed", at.arr))


def _unheard(rng: random.Random, at: Company) -> Sent:
    return rng.choice(
        (
            lambda: _website(rng, at, "Careers Viewed", "/careers", None),
            lambda: _product(rng, at, "login.succeeded", None),
            lambda: _desk(rng, at, "nps.received", None),
        )
    )()


def _misread(rng: random.Random, at: Company) -> Sent:
    """The desk's next release spells event_id another way: no id is found until its mapping is mended."""
    return _desk(rng, at, "ticket.escalated", None, id_name="eventId")


STORIES: tuple[tuple[Callable[[random.Random, Company], Sent], int], ...] = (
    (_visit, 34),
    (_guide, 12),
    (_asks_to_talk, 10),
    (_trial, 16),
    (_last_days, 4),
    (_customer, 10),
    (_unheard, 10),
    (_stranger, 2),
    (_misread, 2),
)
LEAST_ASKED: dict[Callable[[random.Random, Company], Sent], int] = {
    _asks_to_talk: 1000,
    _trial: 200,
    _last_days: 0,
    _stranger: 0,
}
"""From how many employees on a person is asked, by story; of a company in APAC always, of other stories never."""


class Teller:
    """Goes on telling what happens at Tideline. About half is of companies that were there lately."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._next = rng.randrange(COMPANIES)
        self._lately: list[int] = []

    def tell(self, *, may_ask: bool = True, may_be_misread: bool = True) -> Sent:
        """The next request; with `may_ask` false one that hardly leads to a question."""
        rng = self._rng
        while True:
            story = rng.choices([one for one, _ in STORIES], [weight for _, weight in STORIES])[0]
            if story is _misread and not may_be_misread:
                continue
            who = self._who()
            if may_ask or not (who.is_far or who.employees >= LEAST_ASKED.get(story, who.employees + 1)):
                self._lately = [who.number, *self._lately][:60]
                return story(rng, who)

    def _who(self) -> Company:
        if self._lately and self._rng.random() < 0.35:
            return company(self._rng.choice(self._lately))
        if self._rng.random() < 0.03:
            return company(self._rng.choice(ON_THE_LIST))
        self._next = (self._next + 1) % COMPANIES
        return company(self._next)
