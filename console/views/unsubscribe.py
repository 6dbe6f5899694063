"""Where the unsubscribe link of every mail leads. Opening it changes nothing, so scanners can't; the button does."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from agents.changes import contact as changes
from agents.models import Action, DoNotContact
from agents.unsubscribe import contact_of

ACTOR = "recipient"


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """
    A page with one button; POST, also a mail program's one-click (RFC 8058), suppresses whom the token was made for.

    Needs no session: the signed token is the permission, and all it permits is to be left alone. Never redirects.
    """
    contact = contact_of(token)
    if contact is None:
        return render(request, "unsubscribe/unsubscribe.html", {"unknown": True}, status=404)
    if request.method == "POST":
        changes.suppress(
            contact,
            hint=_hint(contact),
            origin=DoNotContact.Origin.UNSUBSCRIBE,
            actor=ACTOR,
            reason="Unsubscribed from a mail.",
        )
    done = DoNotContact.objects.filter(pk=contact).exists()
    return render(request, "unsubscribe/unsubscribe.html", {"done": done})


def _hint(contact: bytes) -> str:
    """Enough of the address to recognise it, from the newest mail to it."""
    target = Action.objects.filter(contact=contact).order_by("-id").values_list("target", flat=True).first() or ""
    return changes.hint_of(target) if "@" in target else f"#{contact.hex()[:8]}"
