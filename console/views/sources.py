"""Sources: the ways in, with key, signing secrets and how each is pointed at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from agents import access
from agents.changes import source as changes
from agents.changes.seen import ChangedSince, token
from agents.models import DeadLetter, Signal, Source
from agents.sealed import KeyMissing
from audit.ids import floor_id
from console import step_up
from console.views import once, page, shown
from console.views.page import signed_in
from console.views.snippets import snippets

MOST = 10_000
"""How far the day's signals and open dead letters are counted."""

FIGURES = """
SELECT s.id,
    (SELECT received_at FROM agents_signal WHERE source_id = s.id ORDER BY id DESC LIMIT 1),
    (SELECT count(*) FROM (SELECT FROM agents_signal WHERE source_id = s.id AND id >= %s LIMIT %s) g),
    (SELECT count(*) FROM (SELECT FROM agents_deadletter WHERE source_id = s.id AND state = 'open' LIMIT %s) d)
FROM agents_source s WHERE s.id = ANY(%s)
"""


@dataclass(frozen=True)
class Figures:
    """What a source did: its last signal, the last 24 hours' count and open dead letters, both up to MOST."""

    last: datetime | None
    day: int
    dead: int


class SourceForm(forms.ModelForm):
    class Meta:
        model = Source
        fields = ("name", "slug", "rate_limit")
        labels = {"slug": "Address", "rate_limit": "Most signals a second"}
        help_texts = {
            "name": "What people call it, such as Website or Billing.",
            "slug": "Signals are posted to /in/<address>. It never changes; left empty it is made of the name.",
            "rate_limit": "For each web process. What is above is answered 429 with Retry-After; 0 is no limit.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slug"].required = False

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        slug = said["slug"] = said.get("slug") or slugify(said.get("name", ""))[:80]
        if said.get("name") and not slug:
            self.add_error("slug", "Write one in lower-case letters: none can be made of this name.")
        if slug == "new":
            self.add_error("slug", "This address is taken by the page that makes sources: write another.")
        self.instance.slug = slug
        return said


class SettingsForm(forms.ModelForm):
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Source
        fields = changes.SETTINGS
        labels = {
            "rate_limit": "Most signals a second",
            "signed_only": "Signed requests only",
            "is_active": "Takes signals",
        }
        help_texts = {
            "rate_limit": SourceForm.Meta.help_texts["rate_limit"],
            "signed_only": "Refuses whatever is not signed by Standard Webhooks, the key notwithstanding.",
            "is_active": "Switched off it answers 403, and senders may try again later.",
        }


def figures_of(sources: list[Source]) -> dict[int, Figures]:
    """Each source's figures in one query that reads a bounded number of index entries."""
    since = floor_id(timezone.now() - timedelta(hours=24))
    with connection.cursor() as cursor:
        cursor.execute(FIGURES, [since, MOST, MOST, [source.pk for source in sources]])
        return {id: Figures(*rest) for id, *rest in cursor.fetchall()}


def sources(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.SEE, Source)
    found = list(Source.objects.all())
    known = figures_of(found)
    rows = [(source, known[source.pk]) for source in found]
    context = {"rows": rows, "most": MOST, "may_connect": access.may(request.user, access.CONNECT)}
    return page.render(request, "sources/list.html", context, fragment="rows")


def new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.CONNECT)
    form = SourceForm(request.POST or None)
    if request.method == "POST":
        if form.is_valid():
            said = {name: form.cleaned_data[name] for name in ("slug", "name", "rate_limit")}
            try:
                source = changes.create_source(actor=signed_in(request).actor, **said)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, f"{source.name} is ready: point a sender at it.")
                return page.redirect(request, "source", source.slug)
        return page.render(request, "sources/new.html", {"form": form}, status=422)
    return page.render(request, "sources/new.html", {"form": form})


def source(request: HttpRequest, slug: str) -> HttpResponse:
    """One source: where it stands, how to point a sender at it, its secrets, what came last."""
    access.require(request.user, access.SEE)
    source = get_object_or_404(access.visible(request.user, Source.objects.all()), slug=slug)
    return _detail(request, source)


def _detail(request: HttpRequest, source: Source, **more: Any) -> HttpResponse:
    may_connect = access.may(request.user, access.CONNECT)
    try:
        secrets, locked = changes.signing_secrets(source), False
    except KeyMissing:
        secrets, locked = [], True
    key = source.key if may_connect else "<the source's key>"
    context = {
        "source": source,
        "figures": figures_of([source])[source.pk],
        "most": MOST,
        "secrets": [secret[-6:] for secret in secrets],
        "locked": locked,
        "fresh": once.take(request, f"secret:{source.pk}"),
        "snippets": snippets(source, key=key),
        "last": Signal.objects.filter(source=source).select_related("region", "segment")[:8],
        "letters": DeadLetter.objects.filter(source=source, state=DeadLetter.State.OPEN)[:4],
        "may_connect": may_connect,
        "may_build": access.may(request.user, access.BUILD, source),
        **more,
    }
    return page.render(request, "sources/detail.html", context, fragment="last", status=more.get("status", 200))


def settings(request: HttpRequest, slug: str) -> HttpResponse:
    access.require(request.user, access.CONNECT)
    source = get_object_or_404(access.visible(request.user, Source.objects.all()), slug=slug)
    seen = token(changes.settings_of(source))
    form = SettingsForm(request.POST or None, instance=source, initial={"seen": seen})
    context = {"form": form, "source": get_object_or_404(access.visible(request.user, Source.objects.all()), slug=slug)}
    if request.method != "POST":
        return page.render(request, "sources/settings.html", context)
    if form.is_valid():
        said = {name: form.cleaned_data[name] for name in changes.SETTINGS}
        try:
            changes.change_source(source, actor=signed_in(request).actor, seen=form.cleaned_data["seen"], **said)
        except ChangedSince as error:
            return shown.changed_since(request, error)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "Saved.")
            return page.redirect(request, "source", slug)
    return page.render(request, "sources/settings.html", context, status=422)


def renew_key(request: HttpRequest, slug: str) -> HttpResponse:
    """Asks first: whoever sends with the old key is shut out at once."""
    access.require(request.user, access.CONNECT)
    source = get_object_or_404(access.visible(request.user, Source.objects.all()), slug=slug)
    if request.method == "POST" and (asked := step_up.first(request, "to renew the key")):
        return asked
    if request.method == "POST":
        changes.renew_key(source, actor=signed_in(request).actor)
        messages.success(request, "The key is a new one. Give it to every sender of this source.")
        return page.redirect(request, "source", slug)
    return page.render(request, "sources/renew_key.html", {"source": source}, fragment="dialog")


@require_POST
def add_secret(request: HttpRequest, slug: str) -> HttpResponse:
    access.require(request.user, access.CONNECT)
    source = get_object_or_404(access.visible(request.user, Source.objects.all()), slug=slug)
    if asked := step_up.first(request, "to add a secret"):
        return asked
    given = request.POST.get("secret", "").strip()
    try:
        secret = changes.add_secret(source, actor=signed_in(request).actor, secret=given)
    except ValidationError as error:
        return _detail(request, source, wrong=error.messages[0], status=422)
    if given:
        messages.success(request, f"The secret that ends in {secret[-6:]} is in force too.")
    else:
        once.keep(request, f"secret:{source.pk}", secret)
    return page.redirect(request, "source", slug)


@require_POST
def remove_secret(request: HttpRequest, slug: str) -> HttpResponse:
    access.require(request.user, access.CONNECT)
    source = get_object_or_404(access.visible(request.user, Source.objects.all()), slug=slug)
    ending = request.POST.get("ending", "")
    try:
        gone = changes.drop_secret(source, actor=signed_in(request).actor, ending=ending)
    except ValidationError as error:
        return _detail(request, source, wrong=error.messages[0], status=422)
    if gone:
        messages.success(request, f"The secret that ends in {ending} no longer counts.")
    return page.redirect(request, "source", slug)
