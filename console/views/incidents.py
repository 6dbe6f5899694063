"""Incidents: what broke, whose it is, what happened since, and who is told next."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from agents import access, paging
from agents.aftermath import aftermath
from agents.models import Incident
from audit.timeline import Filters, timeline
from console.told import told
from console.views import page
from console.views.me import signed_in
from console.views.search import address

MOST_OPEN = 100


def _all(request: HttpRequest) -> QuerySet[Incident]:
    seen: QuerySet[Incident] = access.visible(request.user, Incident.objects.all())
    return seen.select_related("agent__owner", "agent__deputy", "connection", "taken_by", "resolved_by")


@require_GET
def incidents(request: HttpRequest) -> HttpResponse:
    """What is open, newest first; then what was resolved."""
    access.require(request.user, access.SEE)
    context = {
        "open": _all(request).exclude(state="resolved").order_by("-state", "-opened_at")[:MOST_OPEN],
        "rows": page.keyset(request, _all(request).filter(state="resolved"), size=25),
    }
    return page.render(request, "incidents/incidents.html", context, fragment="lists")


@require_GET
def incident(request: HttpRequest, pk: int) -> HttpResponse:
    """One incident; its state, who is told and the timeline are live."""
    access.require(request.user, access.SEE)
    one = get_object_or_404(_all(request), pk=pk)
    return page.render(request, "incidents/incident.html", _context(request, one), fragment="now")


def _context(request: HttpRequest, one: Incident) -> dict[str, Any]:
    section = {"agent": one.agent.slug} if one.agent else {"connection": one.connection.slug} if one.connection else {}
    is_open = one.state != "resolved"
    return {
        "one": one,
        "is_open": is_open,
        "may_take": is_open and _may_take(request, one),
        "may_pause": bool(section) and is_open and access.may(request.user, access.PAUSE, one.agent),
        "pause_href": f"{reverse('pause-new')}?{urlencode({**section, 'reason': 'Something broke'})}",
        "good_run_href": address("run", one.last_good_run) if one.last_good_run else "",
        "since": aftermath(
            one.opened_at, agent=one.agent, connection_=one.connection, reach=access.reach(request.user, access.SEE)
        ),
        "pages": list(one.pages.select_related("person")),
        "next": paging.next_of(one) if one.state == "triggered" else None,
        "timeline": told(timeline(Filters(subject=f"incident:{one.pk}"), limit=100)),
    }


@require_POST
def take(request: HttpRequest, pk: int) -> HttpResponse:
    """Take it on: nobody else is paged."""
    one = _to_change(request, pk)
    if not paging.take(one, person=signed_in(request)):
        return _first(request, one)
    messages.success(request, "It is yours. Nobody else is paged.")
    return page.redirect(request, "incident", pk)


@require_POST
def escalate(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the next one told now."""
    one = _to_change(request, pk)
    if one.state != "triggered":
        return _first(request, one)
    person = paging.next_of(one)
    if person is None:
        return page.trouble(
            request, status=409, title="Nobody is left to tell.", text="Name an owner or an admin first."
        )
    paging.escalate(one, person=signed_in(request))
    messages.success(request, f"{person.name} is told within seconds.")
    return page.redirect(request, "incident", pk)


@require_POST
def resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """Close it."""
    one = _to_change(request, pk)
    person = signed_in(request)
    if not paging.resolve(one, person=person, actor=person.actor):
        return _first(request, one)
    messages.success(request, "Resolved. The same breakage would open a new incident.")
    return page.redirect(request, "incident", pk)


def _to_change(request: HttpRequest, pk: int) -> Incident:
    one = get_object_or_404(_all(request), pk=pk)
    if not _may_take(request, one):
        access.require(request.user, access.TAKE)
    return one


def _may_take(request: HttpRequest, one: Incident) -> bool:
    """Whoever may take any, and who answers for an agent it concerns."""
    theirs = any(access.may(request.user, access.TAKE, agent) for agent in paging.agents_of(one))
    return theirs or access.may(request.user, access.TAKE)


def _first(request: HttpRequest, one: Incident) -> HttpResponse:
    """409: someone was first, by name and time."""
    by, at = (one.resolved_by, one.resolved_at) if one.state == "resolved" else (one.taken_by, one.taken_at)
    local = timezone.localtime(at or timezone.now())
    name = by.name if by else "Signalbox"
    return page.trouble(request, status=409, title=f"Already {one.state}.", text=f"{name}, at {local:%H:%M:%S}.")
