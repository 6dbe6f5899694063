"""Boundaries: a version as it stands, and the form in which a person drafts the next one."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from agents import access
from agents.changes.draft import discard_draft, draft_of, keep_draft
from agents.changes.policy import change_of
from agents.models import Agent, Play, Policy, PolicyDraft, Region, Segment
from agents.rules.boundaries import compile_policy
from agents.rules.errors import Fault, SpecError
from agents.rules.hours import DAYS
from agents.rules.policy_specs import RISKS
from agents.rules.presets import PRESETS
from console.typed import counted
from console.views import page
from console.views.agents import named
from console.views.boundaries import COLUMNS, LIMITS, columns, differences, limits_of, loosened, names, words
from console.views.form_rows import by_row
from console.views.page import signed_in
from console.views.policy_form import CURRENCIES, LOW, Form, as_other, blank, ever_used, form_of, read_form, spec_of

VERSIONS = 50
PLACES = frozenset(".".join(limit.path) for limit in LIMITS)
RARE = ("min_confidence", "below_confidence", "min_risk", "max_risk", "reversible", "accounts", "people", "days",
        "when", "approvers", "editable")  # fmt: skip
"""Parts of a clause that are folded away until one is used."""


def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One version, with what it changed, why and by whom."""
    agent = named(request, slug)
    versions = list(
        Policy.objects.filter(agent=agent, version__lte=number + VERSIONS)
        .select_related("published_by", "confirmed_by")
        .order_by("-version")[: 2 * VERSIONS]
    )
    policy = next((one for one in versions if one.version == number), None)
    if policy is None:
        raise Http404
    before = next((one for one in versions if one.version < number), None)
    labels = names()
    may_publish = access.may(request.user, access.PUBLISH, agent)
    in_force = agent.policy_id == policy.pk
    context = {
        "agent": agent,
        "policy": policy,
        "versions": versions,
        "before": before,
        "columns": columns(policy.spec, labels),
        "limits": limits_of(policy.spec),
        "differences": differences(before.spec if before else None, policy.spec, labels) if before else [],
        "in_force": in_force,
        "may_publish": may_publish,
        "may_confirm": may_publish and in_force and not policy.vouched and policy.published_by != request.user,
    }
    return page.render(request, "agents/policy_version.html", context)


def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """
    The person's draft, or else the version in force; `?from=2` starts from an older one, `?as=json` shows it as JSON.

    Every POST keeps what was typed; "review" leads on, when it compiles, to what it would change.
    """
    agent = named(request, slug)
    access.require(request.user, access.PUBLISH, agent)
    person = signed_in(request)
    do = request.POST.get("do", "")
    faults: list[Fault] = []
    if request.method == "POST":
        if do == "discard":
            discard_draft(agent, person=person)
            messages.success(request, "Your draft is gone. These are the boundaries in force.")
            return page.redirect(request, "agent-policy", slug)
        form, faults = _posted(request, agent, do)
        keep_draft(agent, form, person=person)
    draft = draft_of(agent, person)
    if request.method != "POST":
        form = _stored(request, agent, draft)
    known = Known(request.user, agent)
    spec, boundaries = None, None
    try:
        spec = spec_of(form)
        boundaries = compile_policy(spec, plays=known.plays, regions=known.regions, segments=known.segments)
    except SpecError as error:
        faults = [*faults, *error.faults]
        spec = None
    if do == "review" and spec is not None:
        return page.redirect(request, "agent-policy-review", slug)
    labels = known.labels
    current = agent.policy.spec if agent.policy else None
    asked = do in ("review", "as-rows", "as-json")
    context = {
        **_shown(form, faults, known, do=do),
        "agent": agent,
        "draft": draft,
        "asked": asked,
        "wrong": len(faults),
        "has_current": current is not None,
        "differences": differences(current, spec, labels) if spec is not None else [],
        "loosened": loosened(change_of(agent, boundaries), current, spec, labels) if spec and boundaries else [],
        "presets": PRESETS,
    }
    status = 422 if asked and faults else 200
    return page.render(request, "agents/policy.html", context, fragment="editor", status=status)


def _posted(request: HttpRequest, agent: Agent, do: str) -> tuple[Form, list[Fault]]:
    """What was posted, turned into JSON or rows, or into a preset, where a button says so."""
    preset = next((one for one in PRESETS if do == f"preset-{one.key}"), None)
    if preset is not None:
        return form_of(preset.spec), []
    form = read_form(request.POST, do, ever_used(agent), raw=request.POST.get("as") == "json")
    if do == ("as-rows" if form["raw"] else "as-json"):
        try:
            return as_other(form), []
        except SpecError as error:
            return form, error.faults
    return form, []


def _stored(request: HttpRequest, agent: Agent, draft: PolicyDraft | None) -> Form:
    raw = request.GET.get("as") == "json"
    number = counted(request.GET.get("from", ""))
    origin = Policy.objects.filter(agent=agent, version=number).first() if number is not None else None
    if draft is not None and origin is None:
        form: Form = draft.form
        if raw and not form["raw"]:
            form = as_other(form)
        return form
    policy = origin or agent.policy
    return form_of(policy.spec if policy else {"clauses": [{"id": "c1", "say": "ask"}]}, raw=raw)


def _shown(form: Form, faults: list[Fault], known: "Known", *, do: str) -> dict[str, Any]:
    """What the template needs of the form: each row with its words, faults, and whether it is open."""
    if form["raw"]:
        return {"raw": True, "spec_json": form["spec_json"], "faults": faults}
    wrong, quiet_wrong = by_row(faults, "clauses"), by_row(faults, "quiet_hours")
    added = len(form["clauses"]) - 1 if do == "add-clauses" else -1
    rows = []
    for n, row in enumerate(form["clauses"]):
        full = {**blank(row["id"]), **row}
        _, glyph, title = COLUMNS.get(full["say"], COLUMNS["ask"])
        rows.append(
            {
                **full,
                "title": title,
                "look": COLUMNS.get(full["say"], COLUMNS["ask"])[0],
                "glyph": glyph,
                "words": "" if wrong.get(n) else _words(form, n, known.labels),
                "marked": bool(wrong.get(n)),
                "faults": [fault for fault in wrong.get(n, ()) if not fault.where.endswith(".when")],
                "open": n == added or bool(wrong.get(n)),
                "rare": any(full[name] for name in RARE),
                "when_faults": [fault for fault in wrong.get(n, ()) if fault.where.endswith(".when")],
            }
        )
    return {
        "raw": False,
        "clauses": rows,
        "quiet": [{**row, "faults": quiet_wrong.get(n, ())} for n, row in enumerate(form["quiet"])],
        "limits": [(*limit[1:], form["limits"].get(limit.key, ""), _at(faults, limit.path)) for limit in LIMITS],
        "faults": [one for one in faults if "[" not in one.where and one.where not in PLACES],
        "says": [(say, title) for say, (_, _, title) in COLUMNS.items()],
        "risks": list(RISKS),
        "scopes": known.choices,
        "lows": list(LOW.items()),
        "currencies": known.currencies(form),
        "days": [(day, day.capitalize()) for day in DAYS],
    }


def _words(form: Form, n: int, labels: dict[str, str]) -> str:
    """The clause in a sentence; "" for one that can't be told yet."""
    try:
        part = spec_of({**form, "clauses": [form["clauses"][n]], "quiet": [], "limits": {}})["clauses"][0]
        return words(part, labels)
    except (KeyError, TypeError, ValueError):
        return ""


def _at(faults: list[Fault], path: tuple[str, ...]) -> list[Fault]:
    return [fault for fault in faults if fault.where == ".".join(path)]


def _clauses(agent: Agent) -> list[dict[str, Any]]:
    return list(agent.policy.spec.get("clauses") or ()) if agent.policy else []


class Known:
    """The plays, regions and segments that a clause may name, each read once: those that the person sees, and those
    that the boundaries in force name."""

    def __init__(self, person: Any, agent: Agent) -> None:
        named = {
            one for part in _clauses(agent) for key in ("plays", "regions", "segments") for one in part.get(key) or ()
        }

        def known(model: Any, key: str) -> QuerySet[Any]:
            seen = access.visible(person, model._default_manager.all()).order_by()
            return model._default_manager.filter(Q(pk__in=seen.values("pk")) | Q(**{f"{key}__in": named}))

        self.plays = dict(known(Play, "slug").values_list("slug", "name"))
        regions = list(known(Region, "code").values_list("code", "name", "currency"))
        self.regions = {code: name for code, name, _ in regions}
        self.segments = dict(known(Segment, "code").values_list("code", "name"))
        self.labels: dict[str, str] = self.plays | self.regions | self.segments
        self._currencies = {currency for _, _, currency in regions}

    @property
    def choices(self) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
        """(field, label, what stands for any, choices)."""
        return [
            ("plays", "Plays", "any play", list(self.plays.items())),
            ("regions", "Regions", "anywhere", list(self.regions.items())),
            ("segments", "Segments", "anyone", list(self.segments.items())),
        ]

    def currencies(self, form: Form) -> list[str]:
        """The usual ones, and those of regions and of the form."""
        used = self._currencies | {row.get("currency") or "" for row in form["clauses"]}
        return [*CURRENCIES, *sorted(used - {"", *CURRENCIES})]
