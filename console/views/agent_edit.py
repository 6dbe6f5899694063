"""Making and changing an agent: its job and people, metric, scorecard and plays, stage."""

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from agents import access
from agents.changes.agent import (
    NotReady,
    change_agent,
    change_thinking,
    compile_thinking,
    create_agent,
    details_of,
    hand_over,
    set_stage,
    thinking_of,
)
from agents.changes.metric import FIELDS, metric_of, set_metric
from agents.changes.seen import ChangedSince, token
from agents.models import Agent, Metric, Play, Signal, Stage
from agents.readiness import AT_WORK
from agents.rehearsal import Tried, compiled_routes, heard, known_fields, received, rehearse
from agents.rules.boundaries import compile_policy
from agents.rules.errors import Fault, SpecError
from agents.rules.scoring import KINDS
from approvals.models import Person
from console.typed import read_json, whole
from console.views import page
from console.views.agents import MEANS, named
from console.views.form_rows import OP_WORDS, by_row, moved, read_condition, read_rows, show_condition
from console.views.page import signed_in
from console.views.shown import changed_since

CRITERION = ("key", "label", "kind", "weight", "field", "op", "value", "json")
CHOICE = ("play", "min_score", "field", "op", "value", "json")
TRIED = 20
NOW = {stage: stage.label.lower() for stage in Stage} | {Stage.DRAFT: "a draft", Stage.SHADOW: "in shadow"}


def able(besides: int | None = None) -> QuerySet[Person]:
    """Those whose role lets them answer for an agent, by name, and whoever does already (`besides`)."""
    return Person.objects.filter(Q(role__in=access.ANSWERABLE) | Q(pk=besides), is_active=True).order_by("name")


class AgentForm(forms.ModelForm):
    """The job and who answers for it."""

    class Meta:
        model = Agent
        fields: tuple[str, ...] = ("name", "job", "owner", "deputy")
        labels = {"job": "The one job"}
        help_texts = {
            "owner": "One owner, ops manager or admin, never a team. Their name stands next to everything it does.",
            "deputy": "Told when the owner does not answer.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, nobody in (("owner", "choose a person"), ("deputy", "nobody")):
            if isinstance(field := self.fields.get(name), forms.ModelChoiceField):
                field.queryset = able(getattr(self.instance, f"{name}_id"))
                field.empty_label = nobody
        self.fields["job"].widget.attrs["rows"] = 3


class DetailsForm(AgentForm):
    """What may change without handing over."""

    class Meta(AgentForm.Meta):
        fields = ("name", "job", "deputy")


class OwnerForm(forms.Form):
    owner = forms.ModelChoiceField(able(), label="New owner", empty_label="choose a person")
    why = forms.CharField(label="Why", max_length=300, help_text="It stands in the record.")


class MetricForm(forms.ModelForm):
    class Meta:
        model = Metric
        fields = FIELDS
        labels = {
            "name": "What counts as success",
            "outcome": "Outcome",
            "measure": "Measured as",
            "direction": "Better is",
            "window_days": "Window (days)",
            "acceptable_failure_rate": "Acceptable failure rate (%)",
        }


def new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.BUILD)
    person = signed_in(request)
    form = AgentForm(request.POST or None, initial={"owner": person if person.role in access.ANSWERABLE else None})
    if request.method == "POST" and form.is_valid():
        try:
            made = create_agent(actor=person.actor, built_by=person, **form.cleaned_data)
        except ValidationError as error:
            _blame(form, error)
        else:
            messages.success(request, f"{made.name} is a draft. Give it what it still lacks.")
            return page.redirect(request, "agent", made.slug)
    return _form(request, "agents/new.html", form, {})


def edit(request: HttpRequest, slug: str) -> HttpResponse:
    agent = named(request, slug)
    access.require(request.user, access.BUILD, agent)
    form = DetailsForm(request.POST or None, instance=named(request, slug))
    if request.method == "POST" and form.is_valid():
        try:
            change_agent(agent, actor=signed_in(request).actor, seen=request.POST.get("seen", ""), **form.cleaned_data)
        except ValidationError as error:
            _blame(form, error)
        except ChangedSince as error:
            return changed_since(request, error)
        else:
            messages.success(request, "Saved.")
            return page.redirect(request, "agent", slug)
    return _form(request, "agents/edit.html", form, {"agent": agent, "seen": token(details_of(agent))})


def owner(request: HttpRequest, slug: str) -> HttpResponse:
    agent = named(request, slug)
    access.require(request.user, access.BUILD, agent)
    form = OwnerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            hand_over(agent, actor=signed_in(request).actor, **form.cleaned_data)
        except ValidationError as error:
            _blame(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['owner'].name} is accountable for {agent.name} now.")
            return page.redirect(request, "agent", slug)
    status = 422 if form.errors else 200
    context = {"agent": agent, "form": form}
    return page.render(request, "agents/hand_over.html", context, fragment="dialog", status=status)


def metric(request: HttpRequest, slug: str) -> HttpResponse:
    agent = named(request, slug)
    access.require(request.user, access.BUILD, agent)
    known = getattr(agent, "metric", None)
    form = MetricForm(request.POST or None, instance=Metric.objects.filter(agent=agent).first())
    if request.method == "POST" and form.is_valid():
        try:
            set_metric(agent, actor=signed_in(request).actor, seen=request.POST.get("seen", ""), **form.cleaned_data)
        except ValidationError as error:
            _blame(form, error)
        except ChangedSince as error:
            return changed_since(request, error)
        else:
            messages.success(request, "Saved.")
            return page.redirect(request, "agent", slug)
    seen = token(metric_of(agent)) if known else ""
    return _form(request, "agents/metric.html", form, {"agent": agent, "seen": seen})


@require_POST
def stage(request: HttpRequest, slug: str) -> HttpResponse:
    """Move it to the stage posted, from the stage that was shown."""
    agent = named(request, slug)
    access.require(request.user, access.PUBLISH, agent)
    wanted, before = request.POST.get("stage", ""), request.POST.get("before", "")
    try:
        agent = set_stage(agent, actor=signed_in(request).actor, stage=wanted, before=before)
    except NotReady as error:
        lacks = ", ".join(item.title.lower() for item in error.items)
        return page.trouble(request, status=422, title=f"It still lacks {lacks}.", text=error.items[0].text)
    except ValidationError as error:
        return page.trouble(request, status=409, title="Not moved.", text=" ".join(error.messages))
    messages.success(request, f"{agent.name} is {NOW[Stage(agent.stage)]} now. {MEANS[Stage(agent.stage)]}")
    return page.redirect(request, "agent", slug)


def scorecard(request: HttpRequest, slug: str) -> HttpResponse:
    """Criteria and plays as rows, or both as JSON (`?as=json`); "try" shows what they make of signals received."""
    agent = named(request, slug)
    access.require(request.user, access.BUILD, agent)
    raw = (request.POST.get("as") or request.GET.get("as")) == "json"
    do = request.POST.get("do", "")
    faults: list[Fault] = []
    if request.method == "POST":
        shown = _posted_json(request) if raw else _posted_rows(request, do)
    else:
        shown = _stored(agent)
    context: dict[str, Any] = {"agent": agent, "raw": raw, "do": do, "seen": request.POST.get("seen")}
    context["seen"] = context["seen"] or token(thinking_of(agent))
    pasts = received(access.visible(request.user, Signal.objects.all()))
    if request.method == "POST" and do in ("save", "try"):
        try:
            spec, choices = _specs(shown, raw)
            plays = access.visible(request.user, Play.objects.all()).values_list("slug", flat=True)
            compiled = compile_thinking(spec, choices, plays=set(plays))
            if do == "save":
                person, seen = signed_in(request), context["seen"]
                change_thinking(agent, actor=person.actor, person=person, scorecard=spec, choices=choices, seen=seen)
                messages.success(request, "Saved. It scores by this from the next signal on.")
                return page.redirect(request, "agent", slug)
            context |= _tried(agent, pasts, *compiled)
        except SpecError as error:
            faults = error.faults
        except ChangedSince as error:
            return changed_since(request, error)
    criteria, choices = by_row(faults, "criteria"), by_row(faults, "plays")
    context |= {
        **shown,
        "faults": [fault for fault in faults if "[" not in fault.where or raw],
        "wrong": len(faults),
        "criteria": [{**row, "faults": criteria.get(n, ())} for n, row in enumerate(shown.get("criteria", ()))],
        "choices": [{**row, "faults": choices.get(n, ())} for n, row in enumerate(shown.get("choices", ()))],
        "plays": access.visible(request.user, Play.objects.only("slug", "name", "is_active")),
        "kinds": KINDS,
        "ops": OP_WORDS,
        "fields": known_fields(pasts),
    }
    return page.render(request, "agents/scorecard.html", context, fragment="editor", status=422 if faults else 200)


def _stored(agent: Agent) -> dict[str, Any]:
    spec = agent.scorecard or {}
    return {
        "criteria": [
            {
                "key": "",
                "label": "",
                "kind": "fit",
                "weight": "10",
                **_flat(part),
                **show_condition(part.get("condition")),
            }
            for part in spec.get("criteria", [])
        ],
        "choices": [
            {
                "play": part.get("play", ""),
                "min_score": str(part.get("min_score", 0)),
                **show_condition(part.get("when")),
            }
            for part in agent.choices or []
        ],
        "threshold": spec.get("threshold", 0),
        "offset": round(100 * spec.get("confidence_offset", 0)),
        "scorecard_json": json.dumps(spec or {"criteria": [], "threshold": 0}, indent=2, ensure_ascii=False),
        "choices_json": json.dumps(agent.choices or [], indent=2, ensure_ascii=False),
    }


def _flat(part: dict[str, Any]) -> dict[str, str]:
    return {name: str(part[name]) for name in ("key", "label", "kind", "weight") if part.get(name) is not None}


def _posted_rows(request: HttpRequest, do: str) -> dict[str, Any]:
    blank = {"field": "", "op": "eq", "value": "", "json": ""}
    criteria = read_rows(request.POST, "criteria", CRITERION)
    choices = read_rows(request.POST, "choices", CHOICE)
    return {
        "criteria": moved(criteria, do, "criteria", {"key": "", "label": "", "kind": "fit", "weight": "10", **blank}),
        "choices": moved(choices, do, "choices", {"play": "", "min_score": "0", **blank}),
        "threshold": request.POST.get("threshold", "").strip(),
        "offset": request.POST.get("offset", "").strip(),
    }


def _posted_json(request: HttpRequest) -> dict[str, Any]:
    return {name: request.POST.get(name, "") for name in ("scorecard_json", "choices_json")}


def _specs(shown: dict[str, Any], raw: bool) -> tuple[Any, Any]:
    """The two specs that the form stands for; SpecError where it is not even readable."""
    if raw:
        return read_json(shown["scorecard_json"], "scorecard"), read_json(shown["choices_json"], "choices")
    found: list[Fault] = []
    keys = {row["key"] for row in shown["criteria"]}
    criteria = [_criterion(n, row, keys, found) for n, row in enumerate(shown["criteria"])]
    choices = [_choice(n, row, found) for n, row in enumerate(shown["choices"])]
    threshold, offset = whole(shown["threshold"] or "0"), whole(shown["offset"] or "0")
    spec = {"criteria": criteria, "threshold": threshold}
    if offset:
        spec["confidence_offset"] = offset / 100 if isinstance(offset, int) else offset
    if found:
        raise SpecError.of([*found, *_besides(spec, choices, found)])
    return spec, choices


def _besides(spec: Any, choices: Any, found: list[Fault]) -> list[Fault]:
    """What else is wrong, so that a person mends it all at once."""
    try:
        compile_thinking(spec, choices)
    except SpecError as error:
        known = {fault.where for fault in found}
        return [fault for fault in error.faults if not any(fault.where.startswith(where) for where in known)]
    return []


def _criterion(n: int, row: dict[str, Any], keys: set[str], found: list[Fault]) -> dict[str, Any]:
    """One criterion; a new one gets a key made of its label that no other has."""
    condition = _condition(row, f"criteria[{n}]", found)
    if condition is None and not row["json"]:
        found.append(Fault(f"criteria[{n}].condition", "no field is named", "Choose one, such as signal.type"))
    if not row["label"].strip():
        found.append(Fault(f"criteria[{n}].label", "it has no name", "Say what is looked for"))
    name = slugify(row["label"])[:40] or f"criterion-{n + 1}"
    key = row["key"] or next(k for m in range(1, 200) if (k := name if m == 1 else f"{name}-{m}") not in keys)
    keys.add(key)
    weight = whole(row["weight"])
    return {"key": key, "label": row["label"] or key, "condition": condition, "weight": weight, "kind": row["kind"]}


def _choice(n: int, row: dict[str, Any], found: list[Fault]) -> dict[str, Any]:
    return {
        "play": row["play"],
        "when": _condition(row, f"plays[{n}]", found),
        "min_score": whole(row["min_score"] or "0"),
    }


def _condition(row: dict[str, Any], where: str, found: list[Fault]) -> dict[str, Any] | None:
    try:
        return read_condition(row)
    except SpecError as error:
        found += [Fault(f"{where}.condition", one.what, one.mend) for one in error.faults]
        return None


def _tried(agent: Agent, pasts: list[Any], card: Any, choices: Any) -> dict[str, Any]:
    """What they would make of the newest signals that its routes hear, or of any where it has none."""
    routes = compiled_routes(list(agent.routes.all()))
    mine = heard(pasts, routes) if routes else pasts
    policy = compile_policy(agent.policy.spec) if agent.policy else None
    stage = agent.stage if agent.stage in AT_WORK else AT_WORK[-1]
    tried: list[Tried] = rehearse(mine[:TRIED], scorecard=card, choices=choices, policy=policy, stage=stage)
    names = dict(Play.objects.values_list("slug", "name"))
    return {
        "tried": [(one, names.get(one.thought.play or "", ""), _matched(one)) for one in tried],
        "tried_any": not routes,
        "tried_plays": sum(one.thought.play is not None for one in tried),
        "looked": len(pasts),
    }


def _matched(one: Tried) -> list[str]:
    """Labels of the criteria that matched."""
    return [
        reason["label"] for reason in one.thought.reasons if reason.get("weight") and reason.get("outcome") == "matched"
    ]


def _form(request: HttpRequest, template: str, form: forms.BaseForm, context: dict[str, Any]) -> HttpResponse:
    return page.render(request, template, {"form": form, **context}, status=422 if form.errors else 200)


def _blame(form: forms.BaseForm, error: ValidationError) -> None:
    if hasattr(error, "error_dict"):
        for name, faults in error.error_dict.items():
            form.add_error(name if name in form.fields else None, faults)
    else:
        form.add_error(None, error)
