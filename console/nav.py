"""What surrounds every page: the rail with its counts, what is paused, whether anything is live, the demo notice.

Lazy: a fragment that shows none of it costs no query.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Exists, IntegerField, Subquery
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from agents import access
from agents.models import Agent, Incident, Pause
from approvals.models import Person, Role
from console.standing import Held, held_now


@dataclass(frozen=True)
class Place:
    """One line of the rail. `key` is its letter after `g`; `roles` empty means everyone; `whole`: who sees all."""

    name: str
    label: str
    icon: str
    key: str = ""
    roles: tuple[str, ...] = ()
    whole: bool = False

    @property
    def href(self) -> str:
        """Its address, or nothing while no page is wired to that name."""
        try:
            return reverse(self.name)
        except NoReverseMatch:
            return ""


MAKERS = (Role.ADMIN, Role.OPS, Role.OWNER, Role.ENGINEER)
PLACES = (
    Place("home", "Home", "house", "h"),
    Place("inbox", "Inbox", "inbox", "i"),
    Place("runs", "Runs", "activity", "r"),
    Place("failed", "Failed", "triangle-alert", "f"),
    Place("signals", "Signals", "radio", "s"),
    Place("pauses", "Pause", "circle-pause", "p"),
    Place("incidents", "Incidents", "siren", "n"),
    Place("audit", "Audit", "scroll-text", "a"),
)
ADMIN_PLACES = (
    Place("agents", "Agents", "bot", "g"),
    Place("proposals", "Proposals", "file-check", "b", MAKERS),
    Place("plays", "Plays", "list-checks", "l"),
    Place("connections", "Connections", "plug", "c"),
    Place("sources", "Sources", "webhook", "o", MAKERS, whole=True),
    Place("scopes", "Scopes", "globe", "e", MAKERS),
    Place("people", "People", "users", "w", (Role.ADMIN,)),
    Place("do-not-contact", "Do not contact", "user-x", "d", whole=True),
)
MOST = 99
"""How far the rail counts; beyond it says "99+"."""
THUMBS = ("inbox", "incidents", "pauses", "home")


@dataclass(frozen=True)
class Link:
    """A place as one person sees it now."""

    place: Place
    href: str
    current: bool
    count: str = ""


class CountOf(Subquery):
    """How many rows a (bounded) query has, as part of another one."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


class Shell:
    """Everything base.html asks for; each part is worked out when first asked for."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.person: Any = getattr(request, "user", None)

    def _link(self, place: Place) -> Link | None:
        href = place.href
        if not href or not self._has(place):
            return None
        path = self.request.path
        current = path == href or (href != "/" and path.startswith(href.rstrip("/") + "/"))
        counts = {"inbox": "inbox_count", "incidents": "incident_count"}
        return Link(place, href, current, getattr(self, counts[place.name]) if place.name in counts else "")

    @cached_property
    def places(self) -> list[Link]:
        return [link for place in PLACES if (link := self._link(place))]

    @cached_property
    def admin_places(self) -> list[Link]:
        return [link for place in ADMIN_PLACES if (link := self._link(place))]

    @property
    def reachable(self) -> list[Place]:
        """Every place that this person's rail has, without its counts."""
        return [place for place in (*PLACES, *ADMIN_PLACES) if self._has(place)]

    def _has(self, place: Place) -> bool:
        role = not place.roles or getattr(self.person, "role", "") in place.roles
        return role and (not place.whole or access.reach(self.person, access.SEE).everywhere)

    @property
    def pause_href(self) -> str:
        """Where the Pause button leads."""
        return Place("pauses", "", "").href

    @cached_property
    def thumbs(self) -> list[Link]:
        by_name = {link.place.name: link for link in self.places}
        return [by_name[name] for name in THUMBS if name in by_name]

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """The counts and signs of the frame, in one statement."""
        waiting = access.waiting_for(self.person).order_by().values("pk")[: MOST + 1]
        open_ = access.visible(self.person, Incident.objects.exclude(state=Incident.State.RESOLVED))
        incidents = open_.order_by().values("pk")[: MOST + 1]
        found = Person.objects.filter(pk=self.person.pk).values_list(
            CountOf(waiting),
            CountOf(incidents),
            Exists(Agent.objects.filter(stage__in=("supervised", "autonomous"))),
            Exists(Person.objects.filter(is_demo=True)),
        )
        return dict(zip(("inbox", "incidents", "live", "demo"), found[0], strict=True))

    @property
    def inbox_count(self) -> str:
        """How many questions wait for this person; empty for none."""
        return _words(self._facts["inbox"])

    @property
    def incident_count(self) -> str:
        """How many incidents nobody has resolved; empty for none."""
        return _words(self._facts["incidents"])

    @cached_property
    def pauses(self) -> list[Held]:
        """Up to four pauses standing now, newest first, that stop something of what this person sees; each with what
        is in flight there."""
        return held_now(list(access.visible(self.person, Pause.objects.standing())[:4]), "sending")

    @property
    def now(self) -> datetime:
        """The moment of the page, for its printed foot."""
        return timezone.now()

    @property
    def mode(self) -> str:
        """`live` while any agent acts on the outside world, else `shadow`."""
        return "live" if self._facts["live"] else "shadow"

    @property
    def demo(self) -> bool:
        """Whether the demo workspace is still here."""
        return bool(self._facts["demo"])


def _words(count: int | None) -> str:
    return f"{MOST}+" if count and count > MOST else str(count or "")


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `shell` in every template."""
    return {"shell": Shell(request)}
