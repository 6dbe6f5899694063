"""Inbox: what waits for this person's yes or no, soonest to expire first; apart from what was decided."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from agents import access, questions
from agents.models import Action
from agents.tasks import wake
from approvals.models import Approval
from approvals.questions import Stale
from console.asked import REASONS, Asked, asked
from console.views import page
from console.views.page import signed_in
from console.views.search import address

SIZE = 25
KEPT_DAYS = 30
MOST = 1000
"""How far counts go; beyond they read "1,000+"."""


@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """What waits: `?after=<id>` goes on after that question. As "news": only what changed since it was drawn."""
    return page.render(request, "inbox/inbox.html", _waiting(request), fragment=("waiting", "news"))


def _waiting(request: HttpRequest) -> dict[str, Any]:
    questions_ = access.waiting_for(signed_in(request))
    rows = list(asked(_after(questions_, request.GET.get("after", ""))[: SIZE + 1]))
    newest = questions_.order_by("-id").values_list("pk", flat=True).first()
    count = questions_[:MOST].count()
    return {
        "rows": rows[:SIZE],
        "next": rows[SIZE - 1].approval.pk if len(rows) > SIZE else None,
        "count": count,
        "seen": request.GET.get("seen", newest or ""),
        "of": request.GET.get("of", count),
        "news": _news(request, questions_),
        "reject_reasons": REASONS,
    }


def _after(waiting: QuerySet[Approval], cursor: str) -> QuerySet[Approval]:
    """The questions that expire after the one named; from the start when it is none."""
    id_ = _uuid(cursor)
    last = Approval.objects.filter(pk=id_).first() if id_ else None
    if last is None:
        return waiting
    return waiting.filter(Q(expires_at__gt=last.expires_at) | Q(expires_at=last.expires_at, pk__gt=last.pk))


def _news(request: HttpRequest, waiting: QuerySet[Approval]) -> dict[str, int]:
    """How many came and went since the list was drawn with `of` questions, of which `seen` was the newest."""
    if "of" not in request.GET:
        return {"came": 0, "went": 0}
    seen = _uuid(request.GET.get("seen", ""))
    came = (waiting.filter(pk__gt=seen) if seen else waiting)[:MOST].count()
    of = int(request.GET["of"]) if request.GET["of"].isdecimal() else 0
    return {"came": came, "went": max(0, of + came - waiting[: MOST + came].count())}


@require_GET
def decided(request: HttpRequest) -> HttpResponse:
    """What was decided, withdrawn or left to expire in the last KEPT_DAYS days, newest first; `?by=me` one's own."""
    found = Approval.objects.exclude(state="waiting").filter(decided_at__gte=timezone.now() - timedelta(days=KEPT_DAYS))
    mine = request.GET.get("by") == "me"
    if mine:
        found = found.filter(decided_by=signed_in(request))
    before, _, id_ = request.GET.get("before", "").partition("_")
    at, last_id = _moment(before), _uuid(id_)
    if at and last_id:
        found = found.filter(Q(decided_at__lt=at) | Q(decided_at=at, pk__lt=last_id))
    rows = list(asked(found.select_related("decided_by").order_by("-decided_at", "-id")[: SIZE + 1]))
    last = rows[SIZE - 1].approval if len(rows) > SIZE else None
    context = {
        "rows": rows[:SIZE],
        "older": f"{last.decided_at:%Y-%m-%dT%H:%M:%S.%f}_{last.pk}" if last else "",
        "mine": mine,
        "days": KEPT_DAYS,
        "count": access.waiting_for(signed_in(request))[:MOST].count(),
    }
    return page.render(request, "inbox/decided.html", context)


@require_GET
def question(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One question by itself, with what became of it."""
    access.require(request.user, access.SEE)
    approval = get_object_or_404(Approval.objects.select_related("decided_by"), pk=pk)
    one = next(asked([approval]))
    open_ = approval.state == "waiting"
    context = {
        "one": one,
        "action": Action.objects.filter(pk=approval.subject.partition(":")[2]).first(),
        "may_answer": open_ and access.may_answer(signed_in(request), approval),
        "may_take_back": approval.decided_by_id == request.user.pk and _can_still(approval),
        "reject_reasons": REASONS,
        "run_href": address("run", one.question["run"]) if one.question.get("run") else "",
    }
    return page.render(request, "inbox/question.html", context)


def _can_still(approval: Approval) -> bool:
    if approval.state != "approved" or approval.decided_at is None:
        return False
    return timezone.now() - approval.decided_at < timedelta(seconds=questions.UNDO_SECONDS)


@require_POST
def approve(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A yes to exactly what was shown: the form posts its binding back."""
    try:
        approval = questions.approve(pk, person=signed_in(request), binding=_binding(request))
    except Stale as stale:
        return _stale(request, stale)
    except Approval.DoesNotExist:
        return _gone(request)
    wake()
    one = next(asked([approval]))
    messages.success(request, _undo(request, one))
    return _next(request, approval)


@require_POST
def approve_all(request: HttpRequest) -> HttpResponse:
    """A yes to each of those picked, which must be of one play and of low risk; each stands or falls by itself."""
    picks = [one.partition(":")[::2] for one in request.POST.getlist("pick")[:SIZE]]
    picked = {pk: binding for text, binding in picks if (pk := _uuid(text))}
    found = list(Approval.objects.filter(pk__in=picked))
    if not found or len({one.question["play"] for one in found}) > 1 or any(one.risk != "low" for one in found):
        text = "Pick questions of one play and of low risk; decide the others one by one."
        return page.trouble(request, status=422, title="These can't be approved together.", text=text)
    access.require(request.user, access.APPROVE)
    said, late = 0, []
    for one in found:
        try:
            questions.approve(one.pk, person=signed_in(request), binding=_bytes(picked[one.pk]))
            said += 1
        except Stale as stale:
            late.append(f"{Asked(stale.approval, None).sentence}: {stale.why}")
        except PermissionDenied as refused:
            late.append(f"{Asked(one, None).sentence}: {refused}")
    wake()
    if said:
        messages.success(request, f"Approved {said}. They leave in {questions.UNDO_SECONDS} s.")
    for why in late:
        messages.error(request, why)
    return _next(request, found[-1])


@require_POST
def reject(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A no, with a reason."""
    reason = request.POST.get("reason", "")
    if reason not in REASONS:
        return page.trouble(request, status=422, title="Say why.", text="A no needs one of the reasons beside it.")
    note = request.POST.get("note", "").strip()[:500]
    try:
        approval = questions.reject(pk, person=signed_in(request), binding=_binding(request), reason=reason, note=note)
    except Stale as stale:
        return _stale(request, stale)
    except Approval.DoesNotExist:
        return _gone(request)
    messages.info(request, f"Rejected, {REASONS[reason].lower()}: nothing is sent.")
    return _next(request, approval)


@require_POST
def take_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Undo one's own yes while the action has not left."""
    get_object_or_404(Approval, pk=pk)
    if not questions.take_back(pk, person=signed_in(request)):
        text = f"It left {questions.UNDO_SECONDS} s after the yes. Its run says what became of it."
        return page.trouble(request, status=409, title="Too late to take back.", text=text)
    messages.info(request, "Taken back: nothing is sent.")
    if getattr(request, "htmx", False):
        return page.render(request, "inbox/inbox.html", {}, fragment="nothing")
    return page.redirect(request, "inbox")


def _next(request: HttpRequest, approval: Approval) -> HttpResponse:
    """After a decision: the list without it, or without htmx the next question by itself, if one is left."""
    if getattr(request, "htmx", False):
        return page.render(request, "inbox/inbox.html", _waiting(request), fragment=("waiting", "news"))
    if request.POST.get("from") != "question":
        return page.redirect(request, "inbox")
    waiting = access.waiting_for(signed_in(request))
    following = _after(waiting, str(approval.pk)).first() or waiting.first()
    return page.redirect(request, "question", following.pk) if following else page.redirect(request, "inbox")


def _stale(request: HttpRequest, stale: Stale) -> HttpResponse:
    """409 or 412 that says who was first; the list in front of the person is brought up to date with it."""
    approval = stale.approval
    changed = approval.state == "waiting" and approval.expires_at > timezone.now()
    status = 412 if changed else 409
    text = "Nothing was changed by you."
    if approval.decided_by and approval.decided_at:
        local = timezone.localtime(approval.decided_at)
        text = f"{approval.decided_by.name} {approval.state} it at {local:%H:%M:%S}. {text}"
    if getattr(request, "htmx", False):
        messages.error(request, f"{stale.why} {text}")
        return page.render(request, "inbox/inbox.html", _waiting(request), fragment=("waiting",), status=status)
    return page.trouble(request, status=status, title=stale.why, text=text)


def _gone(request: HttpRequest) -> HttpResponse:
    return page.trouble(request, status=409, title="That question is no longer here.")


def _undo(request: HttpRequest, one: Asked) -> str:
    """The words of a yes, with the button that takes it back; a plain form, so that it works without JavaScript."""
    return format_html(
        '<form method="post" action="{}" hx-post="{}" hx-target="closest .toast" hx-swap="outerHTML">Yes: {}. '
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}"><span class="nowrap">Leaves in {} s. '
        '<button class="button small" data-key="z">Undo <kbd>z</kbd></button></span></form>',
        url := reverse("question-take-back", args=[one.approval.pk]),
        url,
        one.sentence,
        get_token(request),
        questions.UNDO_SECONDS,
    )


def _binding(request: HttpRequest) -> bytes:
    return _bytes(request.POST.get("binding", ""))


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        return None
