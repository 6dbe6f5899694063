"""Changes of an agent's routes: which signals it listens to."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction

from agents.changes.seen import changed, check
from agents.models import Agent, Route, Source
from agents.registry import compile_route
from agents.rules.errors import Faults
from audit.entries import Line, record


class Wanted(NamedTuple):
    """One route as it should be; `id` None for a new one."""

    id: int | None
    source: Source | None
    types: list[str]
    condition: dict[str, Any]
    is_active: bool = True


def routes_of(agent: Agent) -> dict[str, Any]:
    """What `set_routes` changes, by the routes' ids."""
    return {str(route.pk): _plain(route) for route in agent.routes.select_related("source").order_by("pk")}


def compile_wanted(wanted: Sequence[Wanted]) -> list[Any]:
    """Each compiled; SpecError with the faults of all, at routes[n]."""
    faults, out = Faults(), []
    for index, one in enumerate(wanted):
        where = f"routes[{index}]"
        if len(one.types) > 100 or any(not type_ or len(type_) > 200 for type_ in one.types):
            faults.add(f"{where}.types", "a type is empty or too long, or there are too many", "Name at most 100")
        before = len(faults.found)
        with faults.gather():
            out.append(compile_route(0, one.source.pk if one.source else None, one.types, one.condition))
        for place, fault in enumerate(faults.found[before:], before):
            faults.found[place] = type(fault)(f"{where}.{fault.where}", fault.what, fault.mend)
    faults.raise_any()
    return out


def set_routes(agent: Agent, *, actor: str, wanted: Sequence[Wanted], seen: str = "") -> None:
    """Have the agent listen to exactly these. SpecError lists all that is wrong; ChangedSince when `seen` no longer
    holds; ValidationError for a route that is not this agent's. One entry for each route that changes."""
    compile_wanted(wanted)
    with transaction.atomic():
        agent = Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
        before = routes_of(agent)
        check(seen, before, subject=f"agent:{agent.slug}")
        kept = {one.id for one in wanted if one.id is not None}
        if not {str(pk) for pk in kept} <= before.keys():
            raise ValidationError("One of these routes is no longer there: look again.")
        for route in agent.routes.exclude(pk__in=kept):
            _record(agent, route.pk, actor, before[str(route.pk)], {})
            route.delete()
        for one in wanted:
            route = Route(pk=one.id, agent=agent, source=one.source, types=one.types, condition=one.condition)
            route.is_active = one.is_active
            if before.get(str(one.id)) != _plain(route):
                route.save()
                _record(agent, route.pk, actor, before.get(str(one.id), {}), _plain(route))


def _plain(route: Route) -> dict[str, Any]:
    return {
        "source": route.source.slug if route.source else None,
        "types": route.types,
        "condition": route.condition,
        "is_active": route.is_active,
    }


def _record(agent: Agent, pk: int, actor: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    record(Line("route.changed", f"route:{pk}", actor, agent=agent.slug, detail=changed(before, after)))
