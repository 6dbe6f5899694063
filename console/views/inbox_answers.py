"""One yes or no, and taking it back. GET never decides; everything here is a POST of who is signed in."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from agents import access, questions
from agents.tasks import wake
from approvals.models import Approval
from approvals.questions import Stale
from console import step_up
from console.asked import REASONS, Asked
from console.views import page
from console.views.inbox_after import binding_of, go_on, gone, too_late, undo
from console.views.inbox_order import uuid
from console.views.page import signed_in

LONGEST_LOOK = timedelta(hours=12)
MOST = 25


@require_POST
def approve(request: HttpRequest, pk: UUID) -> HttpResponse:
    """
    A yes to exactly what was shown: the form posts its binding back. At high risk only with a fresh step-up, which is
    asked of nobody who may not answer.
    """
    person = signed_in(request)
    asked = get_object_or_404(access.visible(person, Approval.objects.all()), pk=pk)
    try:
        if asked.state == "waiting" and asked.risk == "high" and not step_up.fresh(request):
            questions.require_eligible(asked, person)
            return step_up.ask(request, then=reverse("question", args=[pk]), what="to approve at high risk")
        approval = questions.approve(pk, person=person, binding=binding_of(request.POST), seen_at=seen_at(request))
    except Stale as stale:
        return too_late(request, stale)
    except Approval.DoesNotExist:
        return gone(request)
    say_yes(request, approval)
    return go_on(request, approval)


def say_yes(request: HttpRequest, approval: Approval) -> None:
    """Wake a worker and say what the yes came to: it leaves soon, or waits for somebody else's yes."""
    sentence = Asked(approval, None).sentence
    if approval.state == "approved":
        wake()
        messages.success(request, undo(request, f"Yes: {sentence}.", [approval.pk]))
    else:
        left = approval.needed - approval.given
        more = "one more person has" if left == 1 else f"{left} more people have"
        messages.success(request, undo(request, f"Your yes counts; {more} to say yes: {sentence}.", [approval.pk]))


@require_POST
def reject(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A no, with a reason."""
    get_object_or_404(access.visible(request.user, Approval.objects.all()), pk=pk)
    reason = request.POST.get("reason", "")
    if reason not in REASONS:
        return page.trouble(request, status=422, title="Say why.", text="A no needs one of the reasons beside it.")
    try:
        approval = questions.reject(
            pk,
            person=signed_in(request),
            binding=binding_of(request.POST),
            reason=reason,
            note=request.POST.get("note", "").strip()[:500],
            seen_at=seen_at(request),
        )
    except Stale as stale:
        return too_late(request, stale)
    except Approval.DoesNotExist:
        return gone(request)
    messages.info(request, f"Rejected, {REASONS[reason].lower()}: nothing is sent.")
    return go_on(request, approval)


@require_POST
def take_back(request: HttpRequest) -> HttpResponse:
    """Undo one's own yes, or several given together, while what they let go has not left."""
    access.require_somewhere(request.user, access.APPROVE)
    ids = [id_ for text in request.POST.getlist("id")[:MOST] if (id_ := uuid(text))]
    seen = access.visible(request.user, Approval.objects.filter(pk__in=ids))
    found = list(seen.order_by("expires_at", "id"))
    if not found:
        return gone(request)
    back = [one for one in found if questions.take_back(one.pk, person=signed_in(request))]
    if not back:
        text = f"It left {questions.UNDO_SECONDS} s after the yes. Its run says what became of it."
        return page.trouble(request, status=409, title="Too late to take back.", text=text)
    late = len(found) - len(back)
    what = "Taken back" if len(found) == 1 else f"{len(back)} taken back"
    messages.info(request, f"{what}: nothing is sent." + (f" {late} had left already." if late else ""))
    return go_on(request, back[0])


def seen_at(request: HttpRequest) -> datetime | None:
    """
    Since when the person could look at the question: the page says when it was drawn (`shown`, ms since 1970), and
    with JavaScript how long it was in front of them (`looked`, ms). None when it says nothing that can be.
    """
    now = timezone.now()
    looked, shown = request.POST.get("looked", ""), request.POST.get("shown", "")
    if looked.isdecimal() and (length := timedelta(milliseconds=int(looked[:12]))) <= LONGEST_LOOK:
        return now - length
    if shown.isdecimal():
        at = datetime.fromtimestamp(int(shown[:13]) / 1000, UTC)
        return at if now - LONGEST_LOOK <= at <= now else None
    return None
