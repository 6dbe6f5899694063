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


def fresh(request: HttpRequest) -> bool:
    """Whether the person showed who they are within the last `STEP_UP_SECONDS`: by signing in, or by confirming."""
    seen = get_authentication_records(request, request.user if request.user.is_authenticated else None)
    return bool(seen) and 0 <= time.time() - float(seen[-1]["at"]) < settings.STEP_UP_SECONDS


def ask(request: HttpRequest, then: str, *, what: str = "") -> HttpResponse:
    """Have the person confirm, and bring them to `then` (an address of ours); `what` says what for, as "to approve"."""
    request.session[PENDING] = {"what": what, "form": request.method == "POST"}
    return page.redirect(request, f"{reverse('confirm')}?{urlencode({'next': then})}")


def mark(request: HttpRequest, method: str = "password", **detail: Any) -> None:
    """Note that they just showed who they are; the list of ways stays short however often they do."""
    record_authentication(request, request.user, method=method, reauthenticated=True, **detail)
    request.session["account_authentication_methods"] = request.session["account_authentication_methods"][-5:]


def required(what: str, *, back: str = "") -> Any:
    """
    Wrap a view: without a fresh step-up, `ask` first.

    A GET comes back to itself; a POST to the page named `back`, else to the one its form was on.
    """

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if fresh(request):
                return view(request, *args, **kwargs)
            if request.method in ("GET", "HEAD"):
                return ask(request, request.get_full_path(), what=what)
            return ask(request, reverse(back) if back else page.form_page(request), what=what)

        return guarded

    return wrap
