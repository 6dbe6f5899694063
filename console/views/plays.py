"""Plays: pre-approved ways to act, step by step, each version kept, and shown as it would read for a real signal."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.text import slugify

from agents import access
from agents.changes import play as changes
from agents.changes.seen import ChangedSince
from agents.models import Agent, Connection, Play, PlayVersion, Run, Signal
from agents.preview import context_of, in_order, preview
from agents.rehearsal import received
from agents.rules.errors import SpecError
from console.typed import counted
from console.views import page, shown
from console.views.form_rows import shifted
from console.views.page import signed_in
from console.views.play_form import PlayForm, StepForm, flat, place_faults, posted_rows, rows_of

TRIED = 25
"""How many of the newest signals a preview offers."""


def plays(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.SEE)
    used = _chosen_by(request)
    connections = {one.slug: one for one in access.visible(request.user, Connection.objects.all())}
    rows = [
        (play, used.get(play.slug, []), [connections.get(slug) for slug in dict.fromkeys(_slugs(play))])
        for play in access.visible(request.user, Play.objects.all())
    ]
    context = {"rows": rows, "may_build": access.may(request.user, access.BUILD)}
    return page.render(request, "plays/list.html", context)


def _slugs(play: Play) -> list[str]:
    return [step["connection"] for step in play.steps]


def _chosen_by(request: HttpRequest) -> dict[str, list[Agent]]:
    """The agents that may choose each play, by its slug."""
    used: dict[str, list[Agent]] = {}
    agents = access.visible(request.user, Agent.objects.exclude(stage="retired"))
    for agent in agents.only("slug", "name", "stage", "choices"):
        for slug in dict.fromkeys(option["play"] for option in agent.choices if option.get("play")):
            used.setdefault(slug, []).append(agent)
    return used


def play(request: HttpRequest, slug: str) -> HttpResponse:
    """One play: what it does now, how it reads for a signal (?on=), and what each version changed (?version=)."""
    access.require(request.user, access.SEE)
    kept = access.visible(request.user, PlayVersion.objects.filter(play__slug=slug))
    versions = list(kept.select_related("play").order_by("-version")[:50])
    found = versions[0].play if versions else _known(request, slug)
    asked = request.GET.get("version", "")
    at = next((n for n, one in enumerate(versions) if str(one.version) == asked), None)
    compared = None
    if at is not None and at + 1 < len(versions):
        new, old = versions[at], versions[at + 1]
        before, after = (flat(one.name, one.risk, one.steps) for one in (old, new))
        differing = [name for name in [*before, *after] if before.get(name) != after.get(name)]
        compared = {
            "new": new,
            "old": old,
            "before": {name: before[name] for name in before if name in differing},
            "after": {name: after[name] for name in after if name in differing},
        }
    through = access.visible(request.user, Connection.objects.filter(slug__in=_slugs(found)))
    connections = {one.slug: one for one in through}
    context = {
        "play": found,
        "steps": [_step(step, connections.get(step["connection"])) for step in found.steps],
        "agents": _chosen_by(request).get(slug, []),
        "versions": versions,
        "compared": compared,
        "first": at is not None and compared is None,
        "may_build": access.may(request.user, access.BUILD, found),
        **_previewed(request, found.steps, connections, found),
    }
    return page.render(request, "plays/detail.html", context)


def _known(request: HttpRequest, slug: str) -> Play:
    return get_object_or_404(access.visible(request.user, Play.objects.all()), slug=slug)


def _step(step: dict[str, Any], connection: Connection | None) -> dict[str, Any]:
    parts = in_order(step.get("payload"), connection.kind if connection else "")
    return {**step, "to": connection, "parts": parts}


def new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.BUILD)
    return _edit(request, None)


def edit(request: HttpRequest, slug: str) -> HttpResponse:
    found = _known(request, slug)
    access.require(request.user, access.BUILD, found)
    return _edit(request, found)


def _edit(request: HttpRequest, found: Play | None) -> HttpResponse:
    """The form. Its buttons add, remove and move steps and preview without saving; `do=save` makes the next version."""
    do = request.POST.get("do", "") if request.method == "POST" else ""
    rows = posted_rows(request.POST) if do else rows_of(found.steps) if found else [{}]
    connections = {one.slug: one for one in access.visible(request.user, Connection.objects.all())}
    bound = do in ("save", "preview")
    form = PlayForm(request.POST if do else None, instance=found, initial=None if found else {"risk": "low"})
    if bound:
        steps = [StepForm(request.POST, prefix=f"step-{n}", connections=connections) for n in range(len(rows))]
    else:
        rows = _moved(rows, do)
        steps = [StepForm(initial=row, prefix=f"step-{n}", connections=connections) for n, row in enumerate(rows)]
    held = [step.is_valid() for step in steps] if bound else []
    specs = [step.step() for step in steps] if bound else (found.steps if found and not do else [])
    context = {
        "play": found,
        "form": form,
        "steps": steps,
        "version": request.POST.get("version") or (found.version if found else ""),
        "posted": bound,
        **_previewed(request, specs, connections, found),
    }
    if not bound:
        return page.render(request, "plays/form.html", context, fragment=("steps", "preview"))
    if do == "preview":
        return page.render(request, "plays/form.html", context, fragment="preview")
    if form.is_valid() and all(held):
        try:
            saved = _save(request, found, form, specs)
        except ChangedSince as error:
            return shown.changed_since(request, error)
        except SpecError as error:
            place_faults(error, form, steps)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{saved.name} is at version {saved.version}.")
            return page.redirect(request, "play", saved.slug)
    return page.render(request, "plays/form.html", context, fragment="steps", status=422)


def _save(request: HttpRequest, found: Play | None, form: PlayForm, steps: list[dict[str, Any]]) -> Play:
    said, person = form.cleaned_data, signed_in(request)
    plain = {"actor": person.actor, "person": person, **{name: said[name] for name in ("name", "purpose", "risk")}}
    if found is None:
        return changes.create_play(slug=_free_slug(said["name"]), steps=steps, **plain)
    return changes.change_play(
        found,
        steps=steps,
        is_active=said["is_active"],
        version=counted(request.POST.get("version", "")),
        **plain,
    )


def _moved(rows: list[dict[str, Any]], do: str) -> list[dict[str, Any]]:
    """The steps after the button `do`: add, remove-<n> or up-<n>; else as they are."""
    what, _, number = do.partition("-")
    return [*rows, {}] if what == "add" else shifted(rows, what, counted(number))


def _previewed(
    request: HttpRequest, steps: list[dict[str, Any]], connections: dict[str, Connection], found: Play | None
) -> dict[str, Any]:
    """The steps for the signal that is asked for (`on`), else the newest that this play answered, else the newest."""
    pasts = received(access.visible(request.user, Signal.objects.all()), limit=TRIED)
    if not pasts:
        return {"pasts": [], "past": None, "preview": []}
    runs = list(
        access.visible(request.user, Run.objects.filter(signal_id__in=[one.signal.pk for one in pasts]))
        .select_related("agent__owner")
        .order_by("-id")
    )
    wanted = request.POST.get("on") or request.GET.get("on", "")
    by_id = {str(one.signal.pk): one for one in pasts}
    if wanted not in by_id and found is not None:
        wanted = next((str(run.signal_id) for run in runs if run.play_id == found.pk), "")
    past = by_id.get(wanted, pasts[0])
    run = next((run for run in runs if run.signal_id == past.signal.pk), None)
    person = signed_in(request)
    slug = found.slug if found else "new-play"
    context = context_of(past, run, play=slug, owner=person.name, owner_email=person.email)
    return {"pasts": pasts, "past": past, "preview": preview(steps, connections, context)}


def _free_slug(name: str) -> str:
    base = slugify(name)[:70] or "play"
    taken = set(Play.objects.filter(slug__startswith=base).values_list("slug", flat=True)) | {"new"}
    return next(s for s in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if s not in taken)
