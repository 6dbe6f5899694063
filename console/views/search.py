"""⌘K: find what a person may see, or go to a page."""

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from agents.models import Account, Agent, Connection, Play
from approvals.models import Person
from console.nav import Shell
from console.views import page

MOST = 6


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
    """Pages first, then things whose name holds `text`; at most a few of each kind."""
    shell = Shell(request)
    places = [*shell.places, *shell.admin_places]
    found = [
        Found(link.href, link.place.icon, link.place.label, "page")
        for link in places
        if text.lower() in link.place.label.lower()
    ]
    if not text:
        return found
    for agent in Agent.objects.filter(name__icontains=text)[:MOST]:
        found.append(Found(address("agent", agent.slug), "bot", agent.name, "agent"))
    for play in Play.objects.filter(name__icontains=text)[:MOST]:
        found.append(Found(address("play", play.slug), "list-checks", play.name, "play"))
    for connection in Connection.objects.filter(name__icontains=text)[:MOST]:
        found.append(Found(address("connection", connection.slug), "plug", connection.name, "connection"))
    for account in Account.objects.filter(key__startswith=text.lower())[:MOST]:
        found.append(Found(address("account", account.key), "building-2", account.key, "account"))
    for person in Person.objects.filter(name__icontains=text, is_active=True)[:MOST]:
        found.append(Found(address("person", person.pk), "user", person.name, "person"))
    return [one for one in found if one.href]


def search(request: HttpRequest) -> HttpResponse:
    """`/search?q=`: a page of its own, and the list inside the palette."""
    text = request.GET.get("q", "").strip()[:80]
    return page.render(request, "search/search.html", {"q": text, "found": find(request, text)}, fragment="found")
