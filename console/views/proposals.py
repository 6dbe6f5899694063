"""Boundaries that wait for a second person or for their time: the list, and one of them."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from agents import access
from agents.changes import proposal as service
from agents.changes.policy import PublishedSince, change_of
from agents.models import Agent, Policy, PolicyProposal
from agents.rules.boundaries import compile_policy
from agents.rules.errors import SpecError
from console.views import page
from console.views.boundaries import columns, differences, limits_of, loosened, names
from console.views.page import signed_in
from console.views.policy_review import published_since, replayed, seconds

KEPT = 25
"""How many that are over are listed."""
SAID = {"live": "went live", "declined": "was declined", "cancelled": "was taken back", "stale": "did not go live",
        "scheduled": "is set for its time", "proposed": "waits for a second person"}  # fmt: skip


def proposals(request: HttpRequest) -> HttpResponse:
    """What waits or is set for a time, soonest first, and the newest that are over."""
    seen = _seen(request)
    context = {
        "open": list(seen.filter(state__in=PolicyProposal.OPEN).order_by("go_live_at", "id")[:200]),
        "over": list(seen.exclude(state__in=PolicyProposal.OPEN)[:KEPT]),
    }
    return page.render(request, "proposals/list.html", context)


def proposal(request: HttpRequest, pk: int) -> HttpResponse:
    """One: what would change, what it would have changed, and yes or no while it waits."""
    found = get_object_or_404(_seen(request), pk=pk)
    return _page(request, found)


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm, decline or take back; 409 says what became of it first."""
    found, person, do = get_object_or_404(_seen(request), pk=pk), signed_in(request), request.POST.get("do", "")
    why = request.POST.get("why", "")
    try:
        if do == "confirm":
            made = service.confirm(pk, person=person)
            text = (
                f"Version {made.policy.version} is in force." if made.policy else "Confirmed. It goes live at its time."
            )
        elif do == "decline":
            service.decline(pk, person=person, why=why)
            text = f"Declined. {found.proposed_by} sees why."
        elif do == "cancel":
            service.cancel(pk, person=person, why=why)
            text = "Taken back: it does not go live."
        else:
            return page.redirect(request, "proposal", pk)
    except service.Decided as error:
        return _first(request, error.proposal)
    except PublishedSince as error:
        return published_since(request, error)
    except SpecError as error:
        fault = error.faults[0]
        return page.trouble(request, status=422, title="It no longer holds.", text=f"{fault.what}. {fault.mend}.")
    except ValidationError as error:
        return _page(request, found, trouble=" ".join(error.messages))
    messages.success(request, text)
    return page.redirect(request, "proposal", pk)


def _first(request: HttpRequest, one: PolicyProposal) -> HttpResponse:
    who = one.decided_by.name if one.decided_by and one.state != "stale" else ""
    title = f"It {SAID[one.state]} already{f', by {who}' if who else ''}."
    return page.trouble(request, status=409, title=title, text=one.said or "Look at it as it is now.")


def _seen(request: HttpRequest) -> QuerySet[PolicyProposal]:
    agents = access.visible(request.user, Agent.objects.order_by())
    return PolicyProposal.objects.filter(agent__in=agents.values("pk")).select_related(
        "agent__policy", "agent__owner", "agent__deputy", "proposed_by", "decided_by", "policy"
    )


def _page(request: HttpRequest, found: PolicyProposal, *, trouble: str = "") -> HttpResponse:
    agent, person, labels = found.agent, signed_in(request), names()
    base = agent.policy if agent.policy and agent.policy.version == found.base else None
    if base is None and found.base:
        base = Policy.objects.filter(agent=agent, version=found.base).first()
    may = access.may(person, access.PUBLISH, agent)
    context: dict[str, Any] = {
        "one": found,
        "agent": agent,
        "trouble": trouble,
        "may_decide": may and found.state == "proposed" and found.proposed_by != person,
        "may_cancel": may and found.is_open,
        "mine": found.proposed_by == person,
        "others": [one.name for one in seconds(agent, found.proposed_by)] if found.state == "proposed" else [],
        "differences": differences(base.spec if base else None, found.spec, labels),
        "columns": columns(found.spec, labels),
        "limits": limits_of(found.spec),
        "says_state": SAID[found.state],
    }
    if found.is_open:
        try:
            boundaries = compile_policy(found.spec)
            context |= replayed(request, agent, boundaries, found.spec, labels)
            change = change_of(agent, boundaries)
            context["loosened"] = loosened(change, agent.policy.spec if agent.policy else None, found.spec, labels)
        except SpecError as error:
            context["trouble"] = trouble or f"It no longer holds: {error.faults[0]}"
    return page.render(request, "proposals/proposal.html", context, status=422 if trouble else 200)
