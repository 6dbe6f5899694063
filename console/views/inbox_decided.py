"""What is over, apart from what waits: decided, withdrawn or left to expire; and what one has put off."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from agents import access, questions
from approvals.models import Approval, Verdict
from console.asked import asked
from console.views import page
from console.views.inbox_order import uuid
from console.views.page import signed_in

SIZE = 25
MOST = 1000
KEPT_DAYS = 30


@require_GET
def decided(request: HttpRequest) -> HttpResponse:
    """The last KEPT_DAYS days, newest first; `?by=me` one's own."""
    person, since = signed_in(request), timezone.now() - timedelta(days=KEPT_DAYS)
    access.require(person, access.SEE)
    found = access.visible(person, Approval.objects.exclude(state="waiting").filter(decided_at__gte=since))
    mine = request.GET.get("by") == "me"
    if mine:
        answered = Verdict.objects.filter(approval=OuterRef("pk"), person=person)
        found = found.filter(Q(decided_by=person) | Exists(answered))
    before, _, id_ = request.GET.get("before", "").partition("_")
    at, last_id = _moment(before), uuid(id_)
    if at and last_id:
        found = found.filter(Q(decided_at__lt=at) | Q(decided_at=at, pk__lt=last_id))
    rows = list(asked(found.select_related("decided_by").order_by("-decided_at", "-id")[: SIZE + 1], person))
    last = rows[SIZE - 1].approval if len(rows) > SIZE else None
    older = f"{last.decided_at:%Y-%m-%dT%H:%M:%S.%f}_{last.pk}" if last else ""
    context = {"rows": rows[:SIZE], "older": older, "mine": mine, "days": KEPT_DAYS, **counts(request)}
    return page.render(request, "inbox/decided.html", context)


@require_GET
def put_off(request: HttpRequest) -> HttpResponse:
    """What this person has put off, first to come back first."""
    person = signed_in(request)
    found = questions.snoozed_by(person)[:MOST]
    until = dict(person.snoozes.filter(approval__in=[one.pk for one in found]).values_list("approval", "until"))
    rows = sorted(asked(found, person), key=lambda one: until[one.approval.pk])
    context = {"rows": [(one, until[one.approval.pk]) for one in rows], **counts(request)}
    return page.render(request, "inbox/put_off.html", context)


def counts(request: HttpRequest) -> dict[str, Any]:
    """How many wait and are put off, for the tabs."""
    person = signed_in(request)
    return {
        "count": questions.for_inbox(person).order_by().values("pk")[:MOST].count(),
        "snoozed": questions.snoozed_by(person).order_by().values("pk")[:MOST].count(),
    }


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        return None
