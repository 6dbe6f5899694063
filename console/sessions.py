"""Where people are signed in: listed, ended one by one or all at once."""

from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from approvals.models import Person
from console import security


@dataclass(frozen=True)
class Session:
    """One browser that a person is signed in with."""

    pk: int
    browser: str
    address: str
    since: datetime
    here: bool


def of(person: Person, request: HttpRequest | None = None) -> list[Session]:
    """Where a person is signed in, this browser first, then the newest; what has ended is forgotten on the way."""
    now = request.session.session_key if request else None
    found = [
        Session(kept.pk, browser(kept.user_agent), kept.ip, kept.created_at, kept.session_key == now)
        for kept in UserSession.objects.purge_and_list(person)
    ]
    return sorted(found, key=lambda one: (not one.here, -one.since.timestamp()))


def end(chosen: QuerySet[UserSession]) -> int:
    """End these sessions; how many."""
    ended = list(chosen)
    for kept in ended:
        kept.end()
    return len(ended)


def end_all(person: Person, *, actor: str, why: str = "") -> None:
    """Sign a person out everywhere, at once, from sessions listed or not: what they are signed in with is void."""
    with transaction.atomic():
        void(person)
        security.note("person.signed_out_everywhere", person, actor=actor, **({"why": why} if why else {}))


def void(person: Person) -> None:
    """Make void what the person is signed in with, in the transaction of the change that asks for it."""
    Person.objects.filter(pk=person.pk).update(signed_out_at=timezone.now())
    UserSession.objects.filter(user=person).delete()


def browser(user_agent: str) -> str:
    """A user agent in words: "Chrome on Windows". What is not known is called "A browser"."""
    names = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {
        "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "Mac OS X": "Mac",
        "Linux": "Linux",
    }  # fmt: skip
    name = next((name for mark, name in names.items() if mark in user_agent), "A browser")
    system = next((name for mark, name in systems.items() if mark in user_agent), "")
    return f"{name} on {system}" if system else name
