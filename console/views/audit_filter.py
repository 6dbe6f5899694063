"""What Audit is asked: the filter in the address, what it means to the record, and what narrows it further."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django import forms
from django.db import connection
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from agents import access
from agents.models import Agent, Region, Segment
from agents.reach import beneath
from approvals.models import Person
from audit import words
from audit.search import Sought, sought
from audit.terms import words_in
from audit.timeline import Filters, where
from console.told import NOUNS

SCOPED = ("agent", "region", "segment")
SAMPLE = 5_000
"""The newest entries that the counts beside the choices are of."""
MOST_PEOPLE = 200
MOST_NAMES = 3_000
"""Names that the words of a search are held against."""
HANDS = {"worker:loop": "the loop", "worker:gate": "the gate", "worker:watchdog": "the watchdog",
         "cli": "the command line"}  # fmt: skip
SPANS = (("hour", timedelta(hours=1)), ("day", timedelta(days=1)), ("7 days", timedelta(days=7)),
         ("30 days", timedelta(days=30)), ("90 days", timedelta(days=90)))  # fmt: skip
FACETS = ("agent", "actor", "verb", "region", "segment")
NAMES = ("q", *FACETS, "account", "about", "subject", "run", "request", "since", "until")
CURSORS = ("before", "after", "seen")
TOLD = {"q": "text", "actor": "who", "verb": "what"}
"""What a condition is called where that is not its name."""


class FilterForm(forms.Form):
    """The facets, all optional, all in the address."""

    q = forms.CharField(required=False, max_length=20_000)
    agent = forms.CharField(required=False, max_length=80)
    actor = forms.CharField(required=False, max_length=200)
    verb = forms.CharField(required=False, max_length=60)
    region = forms.CharField(required=False, max_length=80)
    segment = forms.CharField(required=False, max_length=80)
    account = forms.CharField(required=False, max_length=200, strip=True)
    about = forms.CharField(required=False, max_length=200, strip=True)
    subject = forms.CharField(required=False, max_length=200, strip=True)
    request = forms.CharField(required=False, max_length=64, strip=True)
    run = forms.UUIDField(required=False)
    since = forms.DateTimeField(required=False)
    until = forms.DateTimeField(required=False)

    def filters(self, person: Any) -> Filters:
        """What the record is asked, narrowed to what `person` sees; a region or segment takes in all beneath it."""
        given = self.cleaned_data
        plain = {name: given[name] for name in (*FACETS[:3], "account", "about", "subject", "request", "run")}
        found = Filters(
            **plain,
            regions=_beneath(Region, given["region"]),
            segments=_beneath(Segment, given["segment"]),
            since=given["since"],
            until=given["until"],
            text=given["q"],
            names=named(person, self.sought.words),
        )
        return narrowed(person, found)

    @property
    def sought(self) -> Sought:
        """The words that are looked for."""
        return sought(self.cleaned_data["q"])

    @property
    def without_words(self) -> bool:
        """Whether something was typed in which there is nothing to look for."""
        return bool(self.cleaned_data["q"].strip() and not self.sought.words)

    def document(self, person: Any) -> dict[str, Any]:
        """The filter as an export names it: JSON, only what was given, times in UTC. What lies beneath a region or
        segment is listed for those who see all; for others it is as they gave it, with "/*"."""
        given = {name: self.cleaned_data[name] for name in NAMES if self.cleaned_data.get(name)}
        found = {name: _utc(value) if isinstance(value, datetime) else str(value) for name, value in given.items()}
        if found.get("verb", "").endswith("."):
            found["verbs"] = f"{found.pop('verb')}*"
        listed = access.reach(person, access.SEE).everywhere
        for one, model in (("region", Region), ("segment", Segment)):
            if code := found.pop(one, ""):
                found[f"{one}s"] = _beneath(model, code) if listed else f"{code}/*"  # type: ignore[assignment]
        return found


def narrowed(person: Any, filters: Filters) -> Filters:
    """To what the person sees."""
    reached = access.reach(person, access.SEE)
    return filters if reached.everywhere else replace(filters, within={noun: reached.codes(noun) for noun in SCOPED})


def named(person: Any, asked: Iterable[str]) -> dict[str, list[str]]:
    """By word whose name it is part of, as kind:key, among what the person sees; one statement, none without words."""
    wanted = set(asked)
    if not wanted:
        return {}
    queries = [
        access.visible(person, model._default_manager.all())
        .order_by()
        .values_list(Concat(Value(f"{noun}:", TextField()), Cast(column, TextField())), Cast("name", TextField()))
        for noun, (model, column) in NOUNS.items()
        if noun != "account" and access.sees_kind(person, model)
    ]
    found: dict[str, list[str]] = {}
    if queries:
        for reference, name in queries[0].union(*queries[1:])[:MOST_NAMES]:
            for word in wanted.intersection(words_in(name)):
                found.setdefault(word, []).append(reference)
    return found


class Choice(NamedTuple):
    """What a facet offers, and how often it is in the sample; None where that was not counted."""

    value: str
    name: str
    often: int | None = None


@dataclass(frozen=True)
class Chip:
    """One condition that holds, in words, and the address without it."""

    name: str
    value: str
    href: str


def facets(request: HttpRequest, form: FilterForm, filters: Filters | None) -> dict[str, Any]:
    """What the selects offer, how often each was in the sample, and the ranges; for a whole page."""
    person = request.user
    counted = _counts(form, filters) if filters is not None and filters.within is None else {}
    people = access.visible(person, Person.objects.only("pk", "name")).order_by("name")[:MOST_PEOPLE]
    agents = access.visible(person, Agent.objects.only("slug", "name"))
    regions = access.visible(person, Region.objects.only("code", "name"))
    segments = access.visible(person, Segment.objects.only("code", "name"))

    def choices(facet: str, known: Iterable[tuple[str, str]]) -> list[Choice]:
        counts = counted.get(facet)
        return [Choice(value, name, None if counts is None else counts[value]) for value, name in known]

    hidden = ("subject", "run", "request", "about")
    return {
        "agents": choices("agent", ((one.slug, one.name) for one in agents)),
        "actors": choices("actor", [*HANDS.items(), *((one.actor, one.name) for one in people)]),
        "regions": choices("region", ((one.code, one.name) for one in regions)),
        "segments": choices("segment", ((one.code, one.name) for one in segments)),
        "kinds": [
            (
                Choice(f"{kind}.", f"{kind}, all of it", _of_kind(counted, kind)),
                choices("verb", ((verb, verb) for verb in verbs)),
            )
            for kind, verbs in words.kinds().items()
        ],
        "sample": SAMPLE if counted else 0,
        "spans": [(name, _with(request.GET, since=_back(span), until="")) for name, span in SPANS],
        "hidden": [(name, request.GET[name]) for name in hidden if request.GET.get(name)],
    }


def chips(form: FilterForm, params: QueryDict) -> list[Chip]:
    """Every condition of the address, each with the way out of it."""
    return [
        Chip(TOLD.get(name, name), _worded(name, value), _with(params, **{name: ""}))
        for name in NAMES
        if (value := params.get(name))
    ]


def _worded(name: str, value: str) -> str:
    if name == "q":
        return f"“{value:.60}”"
    return value.replace("T", " ") if name in ("since", "until") else value


def story(params: QueryDict) -> str:
    """Whose story the filter tells, where it names just one thing: "run", "account", "person", "pause" …; else ""."""
    given = [(name, str(value)) for name in NAMES if (value := params.get(name))]
    if len(given) != 1:
        return ""
    name, value = given[0]
    if name in ("about", "subject"):
        return value.partition(":")[0]
    if name == "actor":
        return "person" if value.startswith("person:") else ""
    return name if name in ("run", "account", "agent", "request") else ""


def _back(span: timedelta) -> str:
    return f"{timezone.localtime(timezone.now() - span):%Y-%m-%dT%H:%M}"


def _with(params: QueryDict, **changes: str) -> str:
    kept = {name: value for name, value in params.items() if name not in CURSORS and value}
    return f"?{urlencode({name: value for name, value in (kept | changes).items() if value})}"


def _counts(form: FilterForm, filters: Filters) -> dict[str, Counter[str]]:
    """Per facet how often each value stands in the newest SAMPLE entries of the range, the other facets applied."""
    clauses, params = where(Filters(since=filters.since, until=filters.until))
    with connection.cursor() as cursor:
        cursor.execute(
            "select agent, actor, verb, region, segment, count(*) from (select agent, actor, verb, region, segment"  # noqa: S608
            f" from audit_entry where {' and '.join(clauses) or 'true'} order by id desc limit {SAMPLE}) e"
            " group by 1, 2, 3, 4, 5",
            params,
        )
        rows = cursor.fetchall()
    asked = [form.cleaned_data[facet] for facet in FACETS]
    found: dict[str, Counter[str]] = {facet: Counter() for facet in FACETS}
    for *values, count in rows:
        missed = [
            n for n, (want, has) in enumerate(zip(asked, values, strict=True)) if want and not _fits(n, want, has)
        ]
        for n, facet in enumerate(FACETS):
            if not missed or missed == [n]:
                found[facet][values[n]] += count
    for facet in ("region", "segment"):
        found[facet] = _rolled_up(found[facet])
    return found


def _fits(facet: int, wanted: str, has: str) -> bool:
    if FACETS[facet] in ("region", "segment"):
        return has == wanted or beneath(has, wanted)
    return has.startswith(wanted) if FACETS[facet] == "verb" else has == wanted


def _rolled_up(counts: Counter[str]) -> Counter[str]:
    """What lies beneath counts above too."""
    found: Counter[str] = Counter()
    for code, count in counts.items():
        parts = code.split("/")
        for depth in range(1, len(parts) + 1):
            found["/".join(parts[:depth])] += count
    return found


def _of_kind(counted: dict[str, Counter[str]], kind: str) -> int | None:
    if "verb" not in counted:
        return None
    return sum(count for verb, count in counted["verb"].items() if verb.startswith(f"{kind}."))


def _beneath(model: type[Region] | type[Segment], chosen: str) -> list[str] | None:
    if not chosen:
        return None
    codes = model.objects.values_list("code", flat=True)
    return [chosen, *(code for code in codes if code != chosen and beneath(code, chosen))]


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
