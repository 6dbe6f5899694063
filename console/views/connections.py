"""Connections: the ways out, with health, a test, what went through, and the sandbox's mailbox."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from agents import access
from agents.changes import connection as changes
from agents.changes.seen import ChangedSince, token
from agents.connectors import ConfigError, Verdict, registry
from agents.models import Action, Attempt, Connection, Play
from agents.registry import make_connector
from agents.sealed import KeyMissing
from console.views import page, shown
from console.views.connector_form import ConnectionForm
from console.views.page import signed_in
from console.views.signals import within

ABOUT = {
    "sandbox": "Delivers into Signalbox itself, clearly marked: try everything out before anything is connected.",
    "email": "One message an action through your mail server, with a way to unsubscribe in each.",
    "http": "One request an action to a CRM, a webhook or any service that speaks JSON.",
}
VERDICTS = [*((v.value, v.value.capitalize()) for v in Verdict)]


def health(connection: Connection) -> str:
    """In a word: off, untried, failing (its last attempt failed) or healthy."""
    if not connection.is_active:
        return "off"
    ok, failed = connection.last_ok_at, connection.last_failed_at
    if failed and (ok is None or failed > ok):
        return "failing"
    return "healthy" if ok else "untried"


def connections(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.SEE)
    used = _used_by(request)
    rows = [
        (one, health(one), used.get(one.slug, [])) for one in access.visible(request.user, Connection.objects.all())
    ]
    context = {"rows": rows, "labels": _labels(), "may_connect": access.may(request.user, access.CONNECT)}
    return page.render(request, "connections/list.html", context, fragment="rows")


def _labels() -> dict[str, str]:
    return {kind: connector.label for kind, connector in registry.items()}


def _used_by(request: HttpRequest) -> dict[str, list[Play]]:
    """The active plays with a step through each connection, by its slug."""
    used: dict[str, list[Play]] = {}
    for play in access.visible(request.user, Play.objects.filter(is_active=True)):
        for slug in dict.fromkeys(step["connection"] for step in play.steps):
            used.setdefault(slug, []).append(play)
    return used


def new(request: HttpRequest) -> HttpResponse:
    """First which kind, then what its connector asks for."""
    access.require(request.user, access.CONNECT)
    kind = request.GET.get("kind", "")
    if kind not in registry:
        kinds = [(key, connector.label, ABOUT.get(key, "")) for key, connector in registry.items()]
        return page.render(request, "connections/kinds.html", {"kinds": kinds})
    form = _form(request, kind)
    context = {"form": form, "kind": kind, "label": registry[kind].label, "about": ABOUT.get(kind, "")}
    if request.method != "POST":
        return page.render(request, "connections/form.html", context)
    if form.is_valid():
        said = form.cleaned_data
        try:
            made = changes.create_connection(
                actor=signed_in(request).actor,
                slug=_free_slug(said["name"]),
                name=said["name"],
                kind=kind,
                config=form.config(),
                secrets=form.secrets(),
                allowed_hosts=said["allowed_hosts"] if _admin(request) else [],
            )
        except ValidationError as error:
            form.show(error)
        else:
            messages.success(request, f"{made.name} is there. Test it before a play uses it.")
            return page.redirect(request, "connection", made.slug)
    return page.render(request, "connections/form.html", context, status=422)


def edit(request: HttpRequest, slug: str) -> HttpResponse:
    one = _known(request, slug)
    access.require(request.user, access.CONNECT)
    form = _form(request, one.kind, one)
    context = {"form": form, "connection": one, "kind": one.kind, "label": registry[one.kind].label}
    if request.method != "POST":
        return page.render(request, "connections/form.html", context)
    if form.is_valid():
        said = form.cleaned_data
        try:
            changes.change_connection(
                one,
                actor=signed_in(request).actor,
                name=said["name"],
                config=form.config(),
                secrets=form.secrets(),
                forget=form.forget(),
                is_active=one.is_active,
                allowed_hosts=said["allowed_hosts"] if _admin(request) else None,
                seen=said["seen"],
            )
        except ChangedSince as error:
            return shown.changed_since(request, error)
        except ValidationError as error:
            form.show(error)
        else:
            messages.success(request, "Saved. Test it to see that it still works.")
            return page.redirect(request, "connection", slug)
    return page.render(request, "connections/form.html", context, status=422)


def _form(request: HttpRequest, kind: str, one: Connection | None = None) -> ConnectionForm:
    kept: list[str] = []
    initial: dict[str, Any] = {}
    if one is not None:
        hosts = "\n".join(one.allowed_hosts)
        plain = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in one.config.items()}
        initial = {**plain, "name": one.name, "allowed_hosts": hosts, "seen": token(changes.shown(one))}
        try:
            kept = list(one.secrets)
        except KeyMissing:
            messages.error(request, "No configured key opens its secrets: put the old key back, or give them again.")
    return ConnectionForm(
        request.POST if request.method == "POST" else None,
        asks=registry[kind].fields,
        kept=kept,
        admin=_admin(request),
        initial=initial,
    )


def _admin(request: HttpRequest) -> bool:
    return access.may(request.user, access.ADMINISTER)


def _free_slug(name: str) -> str:
    base = slugify(name)[:70] or "connection"
    taken = set(Connection.objects.filter(slug__startswith=base).values_list("slug", flat=True)) | {"new"}
    return next(s for s in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if s not in taken)


def _known(request: HttpRequest, slug: str) -> Connection:
    one = get_object_or_404(access.visible(request.user, Connection.objects.all()), slug=slug)
    if one.kind not in registry:
        raise Http404(f"There is no connector “{one.kind}” any more.")
    return one


def connection(request: HttpRequest, slug: str) -> HttpResponse:
    """One connection: whether it works, how it is set up, and everything that went through it."""
    access.require(request.user, access.SEE)
    one = _known(request, slug)
    attempts = access.visible(request.user, Attempt.objects.filter(connection=one))
    verdict = request.GET.get("verdict", "")
    if verdict in dict(VERDICTS):
        attempts = within(attempts.filter(verdict=verdict), "month")
    rows = page.keyset(request, attempts, size=25)
    context = {
        "connection": one,
        "label": registry[one.kind].label,
        "health": health(one),
        "fault": _fault(one),
        "facts": _facts(one),
        "rows": rows,
        "log": _log(rows),
        "verdicts": VERDICTS,
        "verdict": verdict,
        "plays": _used_by(request).get(slug, []),
        "may_connect": access.may(request.user, access.CONNECT),
    }
    return page.render(request, "connections/detail.html", context, fragment=("log", "health", "news"))


def _log(rows: Any) -> list[tuple[Attempt, Action | None]]:
    actions = Action.objects.defer("payload").select_related("play", "agent").in_bulk([row.action_id for row in rows])
    return [(row, actions.get(row.action_id)) for row in rows]


def _fault(one: Connection) -> str:
    """Why it cannot be used at all, if so."""
    try:
        make_connector(one.kind, one.config, one.secrets, one.allowed_hosts)
    except (ConfigError, KeyMissing) as error:
        return str(error)
    return ""


def _facts(one: Connection) -> list[tuple[str, Any]]:
    """How it is set up, in the connector's own words; of secrets only whether they are set."""
    try:
        kept = set(one.secrets)
    except KeyMissing:
        kept = set()
    found: list[tuple[str, Any]] = []
    for field in registry[one.kind].fields:
        value = ("set" if field.name in kept else "") if field.secret else one.config.get(field.name, field.default)
        if value in (None, "", {}):
            continue
        choices = dict(field.choices)
        words = {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else None
        if isinstance(value, dict):
            value = ", ".join(value)
        elif isinstance(value, float):
            value = f"{value:g}"
        found.append((field.label, words or choices.get(value, value)))
    return found


def mailbox(request: HttpRequest, slug: str) -> HttpResponse:
    """What the sandbox would have sent, as it would have read."""
    access.require(request.user, access.SEE)
    one = get_object_or_404(access.visible(request.user, Connection.objects.all()), slug=slug, kind="sandbox")
    attempts = access.visible(request.user, Attempt.objects.filter(connection=one))
    delivered = attempts.filter(verdict=Verdict.DELIVERED.value)
    rows = page.keyset(request, delivered, size=20)
    mail = [(row, action, row.receipt.get("message") or {}) for row, action in _log(rows)]
    return page.render(
        request, "connections/mailbox.html", {"connection": one, "rows": rows, "mail": mail}, fragment=("mail", "news")
    )


@require_POST
def test(request: HttpRequest, slug: str) -> HttpResponse:
    """The connector's harmless check, now; nothing is sent to anybody."""
    access.require(request.user, access.CONNECT)
    answer = changes.try_out(_known(request, slug), actor=signed_in(request).actor)
    if answer.verdict is Verdict.DELIVERED:
        messages.success(request, f"It works: {answer.detail} ({answer.ms} ms).")
    else:
        messages.error(request, f"It does not work: {answer.detail}")
    return page.redirect(request, "connection", slug)


@require_POST
def switch(request: HttpRequest, slug: str) -> HttpResponse:
    access.require(request.user, access.CONNECT)
    on = request.POST.get("on") == "yes"
    one = changes.switch(_known(request, slug), actor=signed_in(request).actor, on=on)
    messages.success(
        request, f"{one.name} is on." if on else f"{one.name} is off: the gate refuses what is due through it."
    )
    return page.redirect(request, "connection", slug)
