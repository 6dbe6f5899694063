"""One question by itself, with the talk about it, who was told, and what became of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from agents import access, questions
from agents.models import Action
from approvals.models import Approval, Person, Snooze, Told
from console.asked import asked
from console.views import page
from console.views.inbox import answering
from console.views.inbox_filters import Filters
from console.views.page import signed_in
from console.views.search import address

TOLD = 50


@require_GET
def question(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The question whole, open or over; answered here by whoever may, read by whoever sees it."""
    return page.render(request, "inbox/question.html", shown(request, pk))


def shown(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """What the page of the question shows to this person; 404 where they may not see it."""
    person = signed_in(request)
    access.require(person, access.SEE)
    found = access.visible(person, Approval.objects.select_related("decided_by", "assigned_to", "supersedes"))
    approval = get_object_or_404(found, pk=pk)
    one = next(asked([approval], person))
    may_answer = approval.state == "waiting" and access.may_answer(person, approval)
    return {
        "one": one,
        "filters": Filters.of(request),
        "here": "on" in request.GET,
        "action": Action.objects.filter(pk=one.action).select_related("connection").first(),
        "may_answer": may_answer,
        "may_take_back": _can_still(approval, person),
        "put_off": Snooze.objects.filter(approval=approval, person=person).first(),
        "talk": list(approval.messages.select_related("person", "to")),
        "edits": list(approval.edits.select_related("person")),
        "verdicts": list(approval.answers.select_related("person").order_by("at")),
        "told": Told.objects.filter(approval=approval).select_related("person", "notice").order_by("notice_id")[:TOLD],
        "followed_by": approval.superseded_by.first(),
        "run_href": address("run", one.question["run"]) if one.question.get("run") else "",
        **answering(),
    }


def _can_still(approval: Approval, person: Person) -> bool:
    """Whether what this person let go may not have left yet."""
    if approval.state != "approved" or approval.decided_by_id != person.pk or approval.decided_at is None:
        return False
    return timezone.now() - approval.decided_at < timedelta(seconds=questions.UNDO_SECONDS)
