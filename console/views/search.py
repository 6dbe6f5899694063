"""⌘K: find what a person may see, or go to a page."""

from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from agents import access
from agents.loop.intake import external_hash
from agents.models import Account, Action, Agent, Connection, Play, Region, Run, Seen, Segment, Signal, Source
from approvals.models import Approval, Person
from audit.models import Entry
from console.nav import Shell
from console.views import page

NAMED: tuple[tuple[str, str, Any], ...] = (
    ("agent", "bot", Agent),
    ("play", "list-checks", Play),
    ("connection", "plug", Connection),
    ("source", "webhook", Source),
)
MOST = 6
RECENT = 2_000
"""Accounts are found by the beginning of their key, all of them; by a part of their name, this many of the newest."""


class Found(NamedTuple):
    """One line of the answer."""

    href: str
    icon: str
    label: str
    kind: str


def address(name: str, *args: Any) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def find(request: HttpRequest, text: str) -> list[Found]:
    """An id leads to what bears it; else pages first, then things by name, at most MOST of each kind."""
    shell = Shell(request)
    if not access.may(request.user, access.SEE):
        return []
    try:
        return _by_id(request.user, UUID(text))
    except ValueError:
        pass
    found = [
        Found(place.href, place.icon, place.label, "page")
        for place in shell.reachable
        if place.href and text.lower() in place.label.lower()
    ]
    if text:
        found += [*_by_name(request.user, text), *_by_external_id(request.user, text)]
    return [one for one in found if one.href]


def _by_name(person: Any, text: str) -> list[Found]:
    """Among what the person sees; the people who work here are found by those who look after them."""
    named = Q(name__icontains=text)
    people = Person.objects.filter(named | Q(email__istartswith=text), is_active=True)[:MOST]
    found = people if access.may(person, access.ADMINISTER) else ()
    return [
        *(
            Found(address(noun, one.slug), icon, one.name, noun)
            for noun, icon, model in NAMED
            for one in access.visible(person, model._default_manager.filter(named))[:MOST]
        ),
        *(Found(address(noun, code), "globe", name, noun) for code, name, noun in _scopes(person, text)),
        *(
            Found(address("account", one.key), "building-2", one.name or one.key, "account")
            for one in _accounts(person, text)
        ),
        *(Found(address("person", one.pk), "user", one.name, "person") for one in found),
    ]


def _scopes(person: Any, text: str) -> QuerySet[Any, Any]:
    """Regions and segments as (code, name, noun)."""
    regions, segments = (
        access.visible(person, tree._default_manager.filter(name__icontains=text))
        .order_by()
        .values_list("code", "name", Value(noun))[:MOST]
        for noun, tree in (("region", Region), ("segment", Segment))
    )
    return regions.union(segments)


def _accounts(person: Any, text: str) -> list[Account]:
    seen: QuerySet[Account] = access.visible(person, Account.objects.all())
    recent = seen.order_by("-last_seen", "-id").values("pk")[:RECENT]
    by_key = seen.filter(begins(text)).order_by().values("pk")[:MOST]
    by_name = Account.objects.filter(pk__in=recent, name__icontains=text).order_by().values("pk")[:MOST]
    return list(Account.objects.filter(Q(pk__in=by_key) | Q(pk__in=by_name))[:MOST])


def begins(text: str) -> Q:
    """Accounts whose key begins with it, in any case: by the index on the key in upper case."""
    return Q(key__istartswith=text)


def _by_external_id(person: Any, text: str) -> list[Found]:
    """A signal by the id that its sender gave it, exactly, whichever source it came from."""
    sources = Source.objects.values_list("pk", flat=True)[:200]
    hashes = [UUID(bytes=external_hash(pk, text)) for pk in sources]
    seen = Seen.objects.filter(source_id__in=list(sources), hash__in=hashes).values_list("signal_id", flat=True)[:MOST]
    found = access.visible(person, Signal.objects.filter(pk__in=list(seen))).values_list("pk", flat=True)
    return [Found(address("signal", id_), "radio", f"Signal {text}", "signal") for id_ in found]


def _by_id(person: Any, id_: UUID) -> list[Found]:
    """Whatever bears the id: a run, a signal, an action (its run), a question or an entry."""
    found = []

    def seen(model: Any) -> QuerySet[Any]:
        return access.visible(person, model._default_manager.filter(pk=id_))

    if seen(Run).exists():
        found.append(Found(address("run", id_), "activity", f"Run {id_}", "run"))
    if seen(Signal).exists():
        found.append(Found(address("signal", id_), "radio", f"Signal {id_}", "signal"))
    if action := seen(Action).only("run_id", "step").first():
        href = address("run", action.run_id)
        found.append(Found(href and f"{href}#action-{id_}", "send", f"Action {action.step}", "action"))
    if seen(Approval).exists():
        found.append(Found(address("question", id_), "inbox", f"Question {id_}", "question"))
    if seen(Entry).exists():
        found.append(Found(address("entry", id_), "scroll-text", f"Entry {id_}", "entry"))
    return [one for one in found if one.href]


def search(request: HttpRequest) -> HttpResponse:
    """`/search?q=`: a page of its own, and the list inside the palette."""
    text = request.GET.get("q", "").strip()[:200]
    return page.render(request, "search/search.html", {"q": text, "found": find(request, text)}, fragment="found")
