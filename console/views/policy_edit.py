"""Boundaries: a version as it stands, and the form that publishes the next one."""

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse

from agents import access
from agents.changes.policy import PublishedSince, compile_known, publish_policy
from agents.models import Agent, Play, Policy, Region, Segment
from agents.rules.errors import Fault, SpecError
from agents.rules.policy_specs import RISKS
from console.views import page
from console.views.agent_edit import read_json, whole
from console.views.agents import named
from console.views.boundaries import COLUMNS, LIMITS, columns, differences, limits_of, names
from console.views.form_rows import by_row, moved, read_rows
from console.views.page import signed_in

CLAUSE = ("id", "say", "min_confidence", "below_confidence", "min_risk", "max_risk", "note")
SCOPES = ("plays", "regions", "segments")
VERSIONS = 50


def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One version, with what it changed, why and by whom."""
    agent = named(request, slug)
    versions = list(
        Policy.objects.filter(agent=agent, version__lte=number + VERSIONS)
        .select_related("published_by")
        .order_by("-version")[: 2 * VERSIONS]
    )
    policy = next((one for one in versions if one.version == number), None)
    if policy is None:
        raise Http404
    before = next((one for one in versions if one.version < number), None)
    labels = names()
    context = {
        "agent": agent,
        "policy": policy,
        "versions": versions,
        "before": before,
        "columns": columns(policy.spec, labels),
        "limits": limits_of(policy.spec),
        "differences": differences(before.spec if before else None, policy.spec, labels) if before else [],
        "in_force": agent.policy_id == policy.pk,
        "may_publish": access.may(request.user, access.PUBLISH, agent),
    }
    return page.render(request, "agents/policy_version.html", context)


def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Clauses and limits as rows, or as JSON (`?as=json`); `?from=2` starts from an older version, for a rollback."""
    agent = named(request, slug)
    access.require(request.user, access.PUBLISH, agent)
    raw = (request.POST.get("as") or request.GET.get("as")) == "json"
    do = request.POST.get("do", "")
    origin = _origin(agent, request.GET.get("from", ""))
    faults: list[Fault] = []
    shown: dict[str, Any] = _posted(request, do, agent, raw) if request.method == "POST" else _stored(agent, origin)
    base = request.POST.get("base") or str(agent.policy.version if agent.policy else 0)
    current = agent.policy.spec if agent.policy else None
    scopes = _scopes()
    labels = {code: name for _, _, choices in scopes for code, name in choices}
    spec: dict[str, Any] | None = None
    trouble = ""
    try:
        spec = read_json(shown["spec_json"], "policy") if raw else _spec(shown, current or {})
        compile_known(spec)
        if do == "publish":
            policy = publish_policy(
                agent,
                actor=signed_in(request).actor,
                spec=spec,
                reason=shown["reason"],
                base=int(base) if base.isdecimal() else None,
                person=signed_in(request),
            )
            messages.success(request, f"Version {policy.version} is in force.")
            return page.redirect(request, "agent-policy-version", slug, policy.version)
    except SpecError as error:
        faults, spec = error.faults, None
    except ValidationError as error:
        trouble = " ".join(error.messages)
    except PublishedSince as error:
        by = error.policy.published_by.name if error.policy.published_by else "Someone"
        title = f"{by} published version {error.policy.version} meanwhile."
        return page.trouble(request, status=409, title=title, text=f"“{error.policy.reason}” Look at it first.")
    asked = do in ("publish", "show")
    rows = by_row(faults, "clauses") if asked else {}
    context = {
        **shown,
        "agent": agent,
        "raw": raw,
        "base": base,
        "origin": origin,
        "next": _next_version(agent),
        "faults": [f for f in faults if raw or not f.where.startswith("clauses[")] if asked else [],
        "wrong": len(faults) if asked else 0,
        "trouble": trouble,
        "unsaid": do == "publish" and not shown["reason"],
        "clauses": [{**row, "faults": rows.get(n, ())} for n, row in enumerate(shown.get("clauses", ()))],
        "differences": differences(current, spec, labels) if spec is not None and current is not None else [],
        "columns": columns(spec, labels) if spec is not None else [],
        "has_current": current is not None,
        "says": [(say, title) for say, (_, _, title) in COLUMNS.items()],
        "risks": list(RISKS),
        "scopes": scopes,
    }
    status = 422 if asked and (faults or trouble) else 200
    return page.render(request, "agents/policy.html", context, fragment="editor", status=status)


def _origin(agent: Agent, number: str) -> Policy | None:
    if not number.isdecimal():
        return None
    return Policy.objects.filter(agent=agent, version=int(number)).first()


def _next_version(agent: Agent) -> int:
    last = Policy.objects.filter(agent=agent).order_by("-version").values_list("version", flat=True).first()
    return (last or 0) + 1


def _scopes() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """What a clause may name: (field, label, choices)."""
    return [
        ("plays", "Plays", list(Play.objects.values_list("slug", "name"))),
        ("regions", "Regions", list(Region.objects.values_list("code", "name"))),
        ("segments", "Segments", list(Segment.objects.values_list("code", "name"))),
    ]


def _stored(agent: Agent, origin: Policy | None) -> dict[str, Any]:
    policy = origin or agent.policy
    spec: dict[str, Any] = policy.spec if policy else {"clauses": [{"id": "c1", "say": "ask"}]}
    limits: dict[str, Any] = spec.get("limits") or {}
    flat = {**limits, **spec}
    return {
        "clauses": [
            {name: "" if part.get(name) is None else str(part[name]) for name in CLAUSE}
            | {name: part.get(name) or [] for name in SCOPES}
            for part in spec.get("clauses") or ()
        ],
        "limits": [(key, label, unit, "" if flat.get(key) is None else flat[key]) for key, label, unit in LIMITS],
        "reason": f"Back to version {origin.version}" if origin else "",
        "spec_json": json.dumps(spec, indent=2, ensure_ascii=False),
    }


def _posted(request: HttpRequest, do: str, agent: Agent, raw: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"reason": request.POST.get("reason", "").strip()}
    if raw:
        return {**shown, "spec_json": request.POST.get("spec_json", "")}
    rows = read_rows(request.POST, "clauses", CLAUSE, SCOPES)
    used = {row["id"] for row in rows} | _ever_used(agent)
    fresh = next(f"c{n}" for n in range(1, 1000) if f"c{n}" not in used)
    blank: dict[str, Any] = {**dict.fromkeys(CLAUSE, ""), "id": fresh, "say": "ask", **{name: [] for name in SCOPES}}
    return {
        **shown,
        "clauses": moved(rows, do, "clauses", blank),
        "limits": [(key, label, unit, request.POST.get(key, "").strip()) for key, label, unit in LIMITS],
    }


def _ever_used(agent: Agent) -> set[str]:
    """Ids of the clauses of the newest versions, so that one id never comes to mean another clause."""
    specs = Policy.objects.filter(agent=agent).order_by("-version").values_list("spec", flat=True)[:VERSIONS]
    return {part.get("id", "") for spec in specs for part in spec.get("clauses") or ()}


def _spec(shown: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """The spec the rows stand for; what is empty is left out."""
    clauses = []
    for row in shown["clauses"]:
        part: dict[str, Any] = {"id": row["id"], "say": row["say"]}
        part |= {name: row[name] for name in SCOPES if row[name]}
        part |= {name: whole(row[name]) for name in ("min_confidence", "below_confidence") if row[name]}
        part |= {name: row[name] for name in ("min_risk", "max_risk", "note") if row[name]}
        clauses.append(part)
    given = {key: _number(value) for key, _, _, value in shown["limits"] if value not in ("", None)}
    spec: dict[str, Any] = {"clauses": clauses}
    limits = {key: given.pop(key) for key in ("hourly", "daily") if key in given}
    return spec | ({"limits": limits} if limits or "limits" in current else {}) | given


def _number(value: Any) -> Any:
    text = str(value)
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
