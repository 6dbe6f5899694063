"""How every view answers: one template for page and fragment, 304 for what did not change, and pages that go on."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme

from approvals.models import Person

View = Callable[..., HttpResponse]
CSRF_FIELD = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')
HTMX = ("HX-Request", "HX-Target")


class SeeOther(HttpResponseRedirect):
    """303: what follows a POST is fetched by GET."""

    status_code = 303


def signed_in(request: HttpRequest) -> Person:
    """Who asks; the middleware has turned strangers away."""
    return cast(Person, request.user)


def part(request: HttpRequest) -> str:
    """The id of the element that htmx asks for; "" for a whole page."""
    htmx = getattr(request, "htmx", None)
    return str(htmx.target or "") if htmx else ""


def render(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    fragment: str | tuple[str, ...] = (),
    status: int = 200,
) -> HttpResponse:
    """
    The whole page, or for htmx only the part named in `fragment` (a `{% partialdef %}` of the same template).

    Of several names the one that is the id of the request's target is taken, else the first; give "dialog" among
    them when a `data-dialog` link leads here. Messages ride along into the status region. An unchanged fragment
    answers 304 to a request that carries its ETag (signalbox.js sends it).
    """
    htmx: Any = getattr(request, "htmx", False)
    names = (fragment,) if isinstance(fragment, str) else fragment
    if not htmx or htmx.boosted or htmx.history_restore_request or not names:
        response = HttpResponse(render_to_string(template, dict(context or {}), request), status=status)
        patch_vary_headers(response, HTMX)
        return response
    name = htmx.target if htmx.target in names else names[0]
    body = render_to_string(f"{template}#{name}", dict(context or {}), request).encode()
    etag = f'"{hashlib.blake2b(CSRF_FIELD.sub(b"", body), digest_size=12).hexdigest()}"'
    messages = get_messages(request)
    if len(messages):
        toasts = render_to_string("partials/toasts.html", {"messages": messages}, request)
        body += f'<div hx-swap-oob="beforeend:#status">{toasts}</div>'.encode()
    elif status == 200 and request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag, "Vary": ", ".join(HTMX)})
    response = HttpResponse(body, status=status, headers={"ETag": etag, "Cache-Control": "no-store"})
    patch_vary_headers(response, HTMX)
    return response


def redirect(request: HttpRequest, to: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    """After a change: 303 to a page (name, path or object); a form sent by htmx is sent there whole."""
    url = resolve_url(to, *args, **kwargs)
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": iri_to_uri(url)})
    return SeeOther(url)


def back(request: HttpRequest, to: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    """Like `redirect`, to the form's own `next` where that is a path of ours."""
    if url := next_page(request):
        return redirect(request, url)
    return redirect(request, to, *args, **kwargs)


def next_page(request: HttpRequest) -> str:
    """The form's own `next` where that is a path of ours, else ""."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    return url if is_path(url) else ""


def is_path(url: str) -> bool:
    """Whether a browser stays here with it: one slash, then none of either kind, and only characters that are seen."""
    return (
        url.startswith("/")
        and url_has_allowed_host_and_scheme(url, None)
        and not any(unicodedata.category(character) in ("Cc", "Cs") for character in url)
    )


def form_page(request: HttpRequest) -> str:
    """The page of ours that a form was sent from, without its fragment; Home where that can't be known."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    return urlsplit(referer)._replace(scheme="", netloc="", fragment="").geturl() or "/"


def trouble(request: HttpRequest, *, status: int, title: str, text: str = "") -> HttpResponse:
    """
    A request that cannot be met, told where the person looks: a page, or for htmx a line in the status region.

    409: someone was first (name them), 412: what was shown has changed since, 422: what was sent does not hold.
    """
    context = {"title": title, "text": text, "status": status}
    if getattr(request, "htmx", False):
        body = render_to_string("partials/trouble.html", context, request)
        return HttpResponse(body, status=status, headers={"HX-Retarget": "#status", "HX-Reswap": "beforeend"})
    return HttpResponse(render_to_string("trouble.html", context, request), status=status)


def only(*roles: str) -> Callable[[View], View]:
    """Refuse everyone else (403). For pages of a role; grants on agents, regions and segments are `access`'s."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if getattr(request.user, "role", None) not in roles:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return wrap


@dataclass
class Rows:
    """
    A page of a list that only grows at its top, cut by key, so that its cost does not grow with history.

    Iterate over it; `older` and `newer` are the cursors for `partials/pages.html`, `news` counts what came in since
    the page was drawn, for `partials/news.html`. Every part is fetched when first asked for.
    """

    queryset: QuerySet[Any]
    params: Mapping[str, str]
    key: str
    size: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cut[0])

    def __len__(self) -> int:
        return len(self._cut[0])

    @property
    def older(self) -> str:
        return self._cut[1]

    @property
    def newer(self) -> str:
        return self._cut[2]

    @cached_property
    def _cut(self) -> tuple[list[Any], str, str]:
        before, after = self._cursor("before"), self._cursor("after")
        if after:
            found = list(self.queryset.filter(**{f"{self.key}__gt": after}).order_by(self.key)[: self.size + 1])
            rows = found[: self.size][::-1]
            return rows, self._of(rows, -1), self._of(rows, 0) if len(found) > self.size else ""
        queryset = self.queryset.filter(**{f"{self.key}__lt": before}) if before else self.queryset
        found = list(queryset.order_by(f"-{self.key}")[: self.size + 1])
        rows = found[: self.size]
        return rows, self._of(rows, -1) if len(found) > self.size else "", self._of(rows, 0) if before else ""

    @cached_property
    def seen(self) -> str:
        """The newest key that the person has in front of them."""
        return self._cursor("seen") or self._of(self._cut[0], 0)

    @cached_property
    def news(self) -> int:
        """How many rows came in above `seen` (above nothing, if the list was empty), at most 100; zero on the page."""
        if "seen" not in self.params:
            return 0
        seen = self._cursor("seen")
        return (self.queryset.filter(**{f"{self.key}__gt": seen}) if seen else self.queryset)[:100].count()

    def _of(self, rows: list[Any], index: int) -> str:
        return str(getattr(rows[index], self.key)) if rows else ""

    def _cursor(self, name: str) -> str:
        text = self.params.get(name, "")
        try:
            if text:
                self.queryset.model._meta.get_field(self.key).to_python(text)
        except ValidationError:
            return ""
        return text


def keyset(request: HttpRequest, queryset: QuerySet[Any], *, key: str = "id", size: int = 50) -> Rows:
    """Newest first by `key`, a column that only rises (a UUIDv7 or a sequence number)."""
    return Rows(queryset, request.GET, key, size)
