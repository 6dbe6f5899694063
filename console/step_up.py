"""
Showing again who one is, before what matters most: high-risk answers, grants, secrets shown, tokens made.

    if not step_up.fresh(request):
        return step_up.ask(request, then=reverse("question", args=[pk]))

Nothing is done before the person confirms, and nothing by itself after: they come back to `then`, which says so.
"""

import time
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from console.views import page
from console.views.page import View

PENDING = "step_up"
SIGNED_IN = "signed_in_at"


def note_sign_in(sender: Any, *, request: HttpRequest, **kwargs: Any) -> None:
    """Signing in counts, by whatever way."""
    request.session[SIGNED_IN] = time.time()


def fresh(request: HttpRequest) -> bool:
    """Whether the person showed who they are within the last `STEP_UP_SECONDS`: by signing in, or by confirming."""
    if not request.user.is_authenticated:
        return False
    seen = [float(one["at"]) for one in get_authentication_records(request, request.user)[-1:]]
    last = max([*seen, float(request.session.get(SIGNED_IN, 0))])
    return 0 <= time.time() - last < settings.STEP_UP_SECONDS


def ask(request: HttpRequest, then: str, *, what: str = "") -> HttpResponse:
    """Have the person confirm, and bring them to `then` (an address of ours); `what` says what for, as "to approve"."""
    request.session[PENDING] = {"what": what, "form": request.method == "POST"}
    return page.redirect(request, f"{reverse('confirm')}?{urlencode({'next': then})}")


def mark(request: HttpRequest, method: str = "password", **detail: Any) -> None:
    """Note that they just showed who they are; the list of ways stays short however often they do."""
    record_authentication(request, request.user, method=method, reauthenticated=True, **detail)
    request.session["account_authentication_methods"] = request.session["account_authentication_methods"][-5:]


def first(request: HttpRequest, what: str, *, then: str = "") -> HttpResponse | None:
    """
    The answer that asks, where no step-up is fresh; None to go on. For the middle of a view, after `access.require`.

    Without `then` a GET comes back to itself, a POST to the page that its form was on.
    """
    if fresh(request):
        return None
    here = request.get_full_path() if request.method in ("GET", "HEAD") else page.form_page(request)
    return ask(request, then or here, what=what)


def required(what: str, *, back: str = "") -> Any:
    """Wrap a whole view in `first`; a POST comes back to the page named `back`, where one is named."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            then = reverse(back) if back and request.method == "POST" else ""
            return first(request, what, then=then) or view(request, *args, **kwargs)

        return guarded

    return wrap
