"""The scope trees: regions with their clocks, segments with the rules that find them; made, changed and moved."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from agents import access
from agents.changes import scope as changes
from agents.changes.seen import ChangedSince, token
from agents.models import Agent, Pause, Region, Segment, Source
from console.views import page, shown
from console.views.form_rows import show_condition
from console.views.mapping_form import TESTS
from console.views.me import signed_in
from console.views.scope_form import MoveForm, ScopeForm, hours_words, initial, open_now

Tree = type[Region] | type[Segment]
TREES: dict[str, Any] = {"region": Region, "segment": Segment}


def scopes(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.SEE)
    agents = set(access.visible(request.user, Agent.objects.values_list("slug", flat=True)))
    namings = [one for one in changes.namings() if one.kind == "agent" and one.slug in agents]
    pauses = [one for one in Pause.objects.standing() if not (one.agent_id or one.play_id or one.connection_id)]
    rules, now = _rules(request), timezone.now()
    regions = [
        {**_row(request, one, [n for n in namings if one.code in n.regions], pauses), **_clock(one, now)}
        for one in _in_order(request, Region)
    ]
    segments = [
        {**_row(request, one, [n for n in namings if one.code in n.segments], pauses), "rules": rules.get(one.code, {})}
        for one in _in_order(request, Segment)
    ]
    context = {
        "regions": regions,
        "segments": segments,
        "may_change": access.may(request.user, access.ADMINISTER),
    }
    return page.render(request, "scopes/list.html", context)


def _in_order(request: HttpRequest, tree: Tree) -> list[Any]:
    """From the top, Unassigned last."""
    return sorted(
        access.visible(request.user, tree._default_manager.all()), key=lambda one: (one.is_unassigned, one.code)
    )


def _row(
    request: HttpRequest, one: Region | Segment, agents: list[changes.Naming], pauses: list[Pause]
) -> dict[str, Any]:
    """A line of either tree: where it stands, who names it, whether the whole of it is paused."""
    return {
        "scope": one,
        "may_pause": access.may(request.user, access.PAUSE, one),
        "depth": min(one.code.count("/"), 4),
        "agents": agents,
        "paused": any(_closes(pause, one) for pause in pauses),
    }


def _closes(pause: Pause, one: Region | Segment) -> bool:
    mine, other = (pause.region, pause.segment) if isinstance(one, Region) else (pause.segment, pause.region)
    return other is None and (mine is None or changes.covers(mine, one))


def _clock(region: Region, at: datetime) -> dict[str, Any]:
    clock, working = open_now(region, at)
    return {"hours": hours_words(region.working_hours), "clock": clock, "working": working}


def _rules(request: HttpRequest) -> dict[str, dict[str, list[Source]]]:
    """The rules by which mappings find each segment: its code → the rule in words → the sources that have it."""
    found: dict[str, dict[str, list[Source]]] = {}
    for source in access.visible(request.user, Source.objects.only("slug", "name", "mapping")):
        for rule in (source.mapping or {}).get("segment_rules") or []:
            one = show_condition(rule.get("condition"))
            plain = f"{one['field'].removeprefix('fields.')} {TESTS.get(one['op'], one['op'])} {one['value']}"
            words = "several conditions" if one["json"] else plain
            found.setdefault(str(rule.get("segment", "")), {}).setdefault(words, []).append(source)
    return found


def new(request: HttpRequest, noun: str) -> HttpResponse:
    """A new region or segment, beneath `?beneath=`."""
    access.require(request.user, access.ADMINISTER)
    tree = TREES[noun]
    start = {"parent": request.GET.get("beneath"), "time_zone": "UTC", "currency": "EUR"}
    above = tree.objects.filter(code=request.GET.get("beneath", "")).first()
    start |= {name: value for name, value in initial(above or tree()).items() if name != "name"}
    form = ScopeForm(request.POST or None, tree=tree, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            made = changes.create_scope(tree, actor=signed_in(request).actor, **form.values())
        except ValidationError as error:
            form.show(error)
        else:
            messages.success(request, f"{made.name} is there, as {made.code}.")
            return page.redirect(request, "scopes")
    context = {"form": form, "noun": noun}
    return page.render(request, "scopes/form.html", context, status=422 if form.errors else 200)


def edit(request: HttpRequest, noun: str, code: str) -> HttpResponse:
    """One region or segment. A POST saves it, or with `do=move` puts it elsewhere in the tree."""
    seen = access.visible(request.user, TREES[noun].objects.select_related("parent"))
    scope: Any = get_object_or_404(seen, code=code)
    access.require(request.user, access.SEE if request.method == "GET" else access.ADMINISTER)
    may_change = access.may(request.user, access.ADMINISTER) and not scope.is_unassigned
    posted = request.POST if request.method == "POST" else None
    moving = posted is not None and posted.get("do") == "move"
    form = ScopeForm(None if moving else posted, tree=TREES[noun], scope=scope, initial=initial(scope))
    move = MoveForm(posted if moving else None, scope=scope, initial={"parent": scope.code.rpartition("/")[0]})
    try:
        if moving and move.is_valid():
            made = changes.move_scope(scope, actor=signed_in(request).actor, beneath=move.cleaned_data["parent"])
            messages.success(request, f"{made.name} is {made.code} now.")
            return page.redirect(request, noun, made.code)
        if posted is not None and not moving and form.is_valid():
            seen = posted.get("seen", "")
            changes.change_scope(scope, actor=signed_in(request).actor, seen=seen, **form.values())
            messages.success(request, "Saved.")
            return page.redirect(request, "scopes")
    except ChangedSince as error:
        return shown.changed_since(request, error)
    except ValidationError as error:
        form.show(error) if not moving else _blame(move, error)
    sees_all = access.may(request.user, access.SEE, Source)
    for field in form.fields.values() if not may_change else ():
        field.disabled = True
    context = {
        "scope": scope,
        "noun": noun,
        "form": form,
        "move": move,
        "seen": token(changes.parts(scope)),
        "sees_all": sees_all,
        "above": scope.parent if scope.parent and access.may(request.user, access.SEE, scope.parent) else None,
        "holds": [*changes.named_by(scope), *changes.paused_by(scope)] if sees_all else [],
        "may_change": may_change,
        "may_pause": access.may(request.user, access.PAUSE, scope),
    }
    return page.render(request, "scopes/form.html", context, status=422 if form.errors or move.errors else 200)


def _blame(move: MoveForm, error: ValidationError) -> None:
    lines = error.message_dict.get("parent", error.messages) if hasattr(error, "error_dict") else error.messages
    move.add_error("parent", lines)
