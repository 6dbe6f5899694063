"""A customer's person, by keyed hash: what was done to them, who holds them, whether they may be contacted."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from agents import access, erasure
from agents.changes import contact as changes
from agents.models import Action, ContactLock, DoNotContact, Signal
from console.views import page
from console.views.page import signed_in


def contact(request: HttpRequest, hash: str) -> HttpResponse:
    access.require(request.user, access.SEE)
    return _page(request, contact_of(hash))


def _page(request: HttpRequest, contact: bytes, **more: Any) -> HttpResponse:
    actions = _actions(request, contact).select_related("agent", "play", "connection", "run")
    rows = page.keyset(request, actions.defer("payload"), size=25)
    first = next(iter(rows), None)
    last = Signal.objects.filter(pk=first.run.signal_id).defer("payload").first() if first else None
    closed = DoNotContact.objects.filter(pk=contact).select_related("added_by").first()
    context = {
        "hash": contact.hex(),
        "rows": rows,
        "last": last,
        "lock": access.visible(request.user, ContactLock.objects.filter(pk=contact, until__gt=timezone.now()))
        .select_related("agent")
        .first(),
        "closed": closed,
        "erased": erasure.erased_at(contact),
        "may_erase": access.may(request.user, access.ADMINISTER),
        "may_close": access.may(request.user, access.PAUSE) if closed else _may_suppress(request, contact),
        **more,
    }
    return page.render(
        request, "contacts/detail.html", context, fragment=("rows", "news"), status=more.get("status", 200)
    )


@require_POST
def suppress(request: HttpRequest, hash: str) -> HttpResponse:
    """Onto the do-not-contact list: whoever may approve what goes out may stop it."""
    person, contact = signed_in(request), contact_of(hash)
    last = _actions(request, contact).select_related("run").order_by("-id").first()
    if not _may_suppress(request, contact):
        access.require(person, access.APPROVE)
    email = Signal.objects.filter(pk=last.run.signal_id).values_list("email", flat=True).first() if last else None
    new = changes.suppress(
        contact,
        hint=changes.hint_of(email) if email else f"#{contact.hex()[:8]}",
        origin=DoNotContact.Origin.PERSON,
        actor=person.actor,
        reason=request.POST.get("reason", ""),
        person=person,
    )
    messages.success(request, "Nobody is contacted there from now on." if new else "They were on the list already.")
    return page.back(request, "contact", hash)


@require_POST
def release(request: HttpRequest, hash: str) -> HttpResponse:
    contact = contact_of(hash)
    _actions(request, contact)
    access.require(request.user, access.PAUSE)
    try:
        gone = changes.release(contact, actor=signed_in(request).actor, reason=request.POST.get("reason", ""))
    except ValidationError as error:
        return _page(request, contact, wrong=error.messages[0], status=422)
    messages.success(request, "They may be contacted again." if gone else "They were not on the list any more.")
    return page.back(request, "contact", hash)


def _actions(request: HttpRequest, contact: bytes) -> QuerySet[Action]:
    """What was done to them that the person sees; Http404 where that is nothing and they do not see all."""
    found = access.visible(request.user, Action.objects.filter(contact=contact))
    if not access.sees_kind(request.user, DoNotContact) and not found.exists():
        raise Http404
    return found


def _may_suppress(request: HttpRequest, contact: bytes) -> bool:
    """Whoever may approve something that reaches them."""
    reached = access.reach(request.user, access.APPROVE)
    mine = Action.objects.filter(reached.q("agent", "region", "segment"), contact=contact)
    return reached.everywhere or (bool(reached) and mine.exists())


def contact_of(hash: str) -> bytes:
    """The hash in the address; Http404 when it is none."""
    try:
        found = bytes.fromhex(hash)
    except ValueError:
        raise Http404 from None
    if len(found) != 16:
        raise Http404
    return found
