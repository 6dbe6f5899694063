"""Routes: which signals an agent listens to, tried out on those received."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from agents import access
from agents.changes.route import Wanted, compile_wanted, routes_of, set_routes
from agents.changes.seen import ChangedSince, token
from agents.models import Agent, Signal, Source
from agents.rehearsal import heard, known_fields, received
from agents.rules.errors import Fault, SpecError
from console.typed import counted
from console.views import page
from console.views.agents import named
from console.views.form_rows import OP_WORDS, by_row, moved, read_condition, read_rows, show_condition
from console.views.page import signed_in
from console.views.shown import changed_since

ROUTE = ("id", "source", "types", "field", "op", "value", "json", "active")
BLANK = {"id": "", "source": "", "types": "", "field": "", "op": "eq", "value": "", "json": "", "active": "1"}
SHOWN = 20


def routes(request: HttpRequest, slug: str) -> HttpResponse:
    """Routes as rows; "try" shows which of the signals received they would hear. For those who see every source: what
    an agent hears, those who see the agent see."""
    agent = named(request, slug)
    access.require(request.user, access.BUILD, agent)
    access.require(request.user, access.SEE, Source)
    do = request.POST.get("do", "")
    posted = request.method == "POST"
    rows = moved(read_rows(request.POST, "routes", ROUTE), do, "routes", BLANK) if posted else _stored(agent)
    seen = request.POST.get("seen") or token(routes_of(agent))
    pasts = received(access.visible(request.user, Signal.objects.all()))
    faults: list[Fault] = []
    context: dict[str, Any] = {"agent": agent, "seen": seen, "looked": len(pasts)}
    if do in ("save", "try"):
        try:
            wanted = _wanted(rows)
            compiled = compile_wanted(wanted)
            if do == "save":
                set_routes(agent, actor=signed_in(request).actor, wanted=wanted, seen=seen)
                messages.success(request, "Saved. It listens to these from the next signal on.")
                return page.redirect(request, "agent", slug)
            on = [route for one, route in zip(wanted, compiled, strict=True) if one.is_active]
            found = heard(pasts, on)
            context |= {"tried": True, "heard": found[:SHOWN], "heard_count": len(found)}
        except SpecError as error:
            faults = error.faults
        except ValidationError as error:
            return page.trouble(request, status=409, title="Not saved.", text=" ".join(error.messages))
        except ChangedSince as error:
            return changed_since(request, error)
    wrong = by_row(faults, "routes")
    context |= {
        "routes": [{**row, "faults": wrong.get(n, ())} for n, row in enumerate(rows)],
        "wrong": len(faults),
        "sources": Source.objects.only("pk", "name"),
        "ops": OP_WORDS,
        "fields": known_fields(pasts),
        "types": sorted({past.signal.type for past in pasts})[:30],
    }
    return page.render(request, "agents/routes.html", context, fragment="editor", status=422 if faults else 200)


def _stored(agent: Agent) -> list[dict[str, Any]]:
    return [
        {
            "id": str(route.pk),
            "source": str(route.source_id or ""),
            "types": ", ".join(route.types),
            "active": "1" if route.is_active else "",
            **show_condition(route.condition),
        }
        for route in agent.routes.order_by("pk")
    ] or [dict(BLANK)]


def _wanted(rows: list[dict[str, Any]]) -> list[Wanted]:
    """The routes that the rows stand for; SpecError for a condition that is not JSON or a source that is gone."""
    sources = {str(source.pk): source for source in Source.objects.all()}
    out, found = [], list[Fault]()
    for n, row in enumerate(rows):
        condition: dict[str, Any] = {}
        try:
            condition = read_condition(row) or {}
        except SpecError as error:
            found += [Fault(f"routes[{n}].condition", one.what, one.mend) for one in error.faults]
        if row["source"] and row["source"] not in sources:
            found.append(Fault(f"routes[{n}].source", "there is no such source", "Choose one that exists"))
        types = [part.strip() for part in row["types"].split(",") if part.strip()]
        out.append(Wanted(counted(row["id"]), sources.get(row["source"]), types, condition, bool(row["active"])))
    if found:
        raise SpecError.of(found)
    return out
