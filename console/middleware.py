"""What happens to a request before any view: whom it is from, and the id under which it is logged."""

import ipaddress
import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from audit.carried import carrying
from console import logs, sign_in_rules
from console.api import errors
from console.views import page

USABLE_ID = re.compile(r"[A-Za-z0-9._:-]{8,64}")
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")


class RequestIdMiddleware:
    """Give each request an id (its caller's `X-Request-ID` if usable), log and record under it, and answer with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.headers.get("X-Request-ID", "")
        request_id = asked if USABLE_ID.fullmatch(asked) else secrets.token_hex(12)
        with logs.bound(request_id=request_id), carrying(request_id):
            response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response


class NoNulMiddleware:
    """
    Turn away (400) what holds a NUL in its address or form: no text of ours does, and PostgreSQL can't hold one.

    Of the API only the address: it reads no forms.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        api = request.path_info.startswith("/api/")
        given = [request.path_info]
        for form in (request.GET,) if api else (request.GET, request.POST):
            given += form
            given += [value for values in form.lists() for value in values[1]]
        if any("\0" in text for text in given):
            if api:
                return errors.refusal(request, 400, "The address holds a NUL character.")
            return page.trouble(request, status=400, title="That can't be read.", text="It holds a NUL character.")
        return self.get_response(request)


class SignInFirst(LoginRequiredMiddleware):
    """Send strangers to sign in, and from there to what they asked for; from a form, back to the page it was on."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        return redirect_to_login(page.form_page(request), self.get_login_url(view_func))


class SecondStepFirst:
    """Send those whose role needs a second step, and who have none, to set one up before anything else opens."""

    OPEN = (
        *("sign-out", "confirm", "security", "second-step-app", "recovery-codes", "passkey-new"),
        *("password", "session-end"),
    )

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Nothing for strangers, for addresses that need no sign-in, and for what setting one up takes."""
        if not request.user.is_authenticated or not getattr(view, "login_required", True):
            return None
        match = request.resolver_match
        if (match and match.url_name in self.OPEN) or not sign_in_rules.is_missing(request):
            return None
        return page.redirect(request, "security")


class NotThisWayMiddleware:
    """Give a 405 a page, where a browser asked for one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 405 or response.streaming or response.content:
            return response
        text = "This address only takes what a button or a form sends. Nothing was done."
        shown = page.trouble(request, status=405, title="Nothing to see here", text=text)
        shown.headers["Allow"] = response.headers.get("Allow", "")
        return shown


def client_address(request: HttpRequest) -> str:
    """The caller's IP address, proxies already seen through."""
    return str(request.META.get("REMOTE_ADDR", ""))


def trusted_only(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Wrap a WSGI application: what proxies say of the caller counts only from SIGNALBOX_TRUSTED_PROXIES.

    From them, `X-Forwarded-For` sets REMOTE_ADDR to the last address that is not itself a trusted proxy, and
    `X-Forwarded-Proto` the scheme. The headers are removed in any case, so nothing further in can believe them.
    """

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        said = {name: environ.pop(name, "") for name in FORWARDED}
        if _trusted(environ.get("REMOTE_ADDR", "")):
            for hop in reversed([hop.strip() for hop in said["HTTP_X_FORWARDED_FOR"].split(",") if hop.strip()]):
                if not _is_address(hop):
                    break
                environ["REMOTE_ADDR"] = hop
                if not _trusted(hop):
                    break
            scheme = said["HTTP_X_FORWARDED_PROTO"].rsplit(",", 1)[-1].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return application(environ, start_response)

    return wrapped


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _trusted(address: str) -> bool:
    if not settings.TRUSTED_PROXIES or not _is_address(address):
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in settings.TRUSTED_PROXIES)
