"""What follows an answer: the next question, the undo, and the page of one that came too late."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from agents import questions
from approvals.models import Approval
from approvals.questions import Stale
from console.asked import Asked
from console.views import page
from console.views.inbox import listed
from console.views.inbox_filters import Filters
from console.views.inbox_order import following
from console.views.page import signed_in


def go_on(request: HttpRequest, approval: Approval) -> HttpResponse:
    """
    After an answer: the next question, with the focus on it.

    By htmx that is the list, else the next question by itself where the answer came from a question's own page.
    """
    filters = Filters.of(request)
    next_ = following(signed_in(request), approval, filters)
    if getattr(request, "htmx", False):
        context = listed(request, focus=next_.pk if next_ else None)
        return page.render(request, "inbox/inbox.html", context, fragment=("waiting", "news"))
    if origin(request) != "question" or next_ is None:
        return page.redirect(request, filters.href(**({"at": next_.pk} if next_ else {})))
    return page.redirect(request, f"{reverse('question', args=[next_.pk])}{filters.query_from}on=1")


def origin(request: HttpRequest) -> str:
    """Where the person answers: in the "list", or on a "question"'s own page."""
    return "question" if (request.POST or request.GET).get("from", "") == "question" else "list"


def too_late(request: HttpRequest, stale: Stale) -> HttpResponse:
    """409, or 412 where it waits but changed: who was first and what they decided; the list is brought up to date."""
    approval = stale.approval
    waits = approval.state == "waiting" and approval.expires_at > timezone.now()
    status, text = (412 if waits else 409), f"{_who(approval)}Nothing was changed by you."
    if getattr(request, "htmx", False):
        messages.error(request, f"{stale.why} {text}")
        next_ = approval if waits else following(signed_in(request), approval, Filters.of(request))
        context = listed(request, focus=next_.pk if next_ else None)
        return page.render(request, "inbox/inbox.html", context, fragment=("waiting", "news"), status=status)
    return page.trouble(request, status=status, title=stale.why, text=text)


def gone(request: HttpRequest) -> HttpResponse:
    """409 for a question that is not there, or not for this person to know of."""
    return page.trouble(request, status=409, title="That question is no longer here.")


def undo(request: HttpRequest, said: str, ids: Iterable[UUID]) -> str:
    """The words of a yes, with the button that takes it back: a plain form, so that it works without JavaScript."""
    return format_html(
        '<form method="post" action="{}" hx-post="{}" hx-target="#waiting" hx-swap="morph" data-undo>{} '
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">{}'
        '<input type="hidden" name="list" value="{}"><span class="nowrap">Leaves in {} s. '
        '<button class="button small" data-key="z">Undo <kbd>z</kbd></button></span></form>',
        url := reverse("inbox-take-back"),
        url,
        said,
        get_token(request),
        format_html_join("", '<input type="hidden" name="id" value="{}">', ((id_,) for id_ in ids)),
        Filters.of(request).query,
        questions.UNDO_SECONDS,
    )


def _who(approval: Approval) -> str:
    if not (approval.decided_by and approval.decided_at):
        return ""
    because = Asked(approval, None).because
    why = f" ({because[:1].lower()}{because[1:]})" if because else ""
    local = timezone.localtime(approval.decided_at)
    return f"{approval.decided_by.name} {approval.state} it{why} at {local:%H:%M:%S}. "


def binding_of(data: Any) -> bytes:
    """The binding that a form posts back; empty for what is none."""
    return hex_bytes(data.get("binding", ""))


def hex_bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
