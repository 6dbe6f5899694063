"""What a token lets its person do: what they may themselves, narrowed to its verbs, agents, regions and segments.

As with grants, something of an agent, a region and a segment is within when one of the three is.
"""

from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from agents import access
from agents.access.seen import narrowing
from agents.models import Agent, Region, Segment
from approvals.models import ApiToken, Approval, Person

Rows = TypeVar("Rows", bound=QuerySet[Any])


def require(person: Person, token: ApiToken, verb: str, on: Any = None) -> None:
    """Refuse (PermissionDenied, saying why) what the token was not made for, or its person may not do."""
    if verb not in token.verbs:
        raise PermissionDenied(f"The token “{token.name}” may {', '.join(token.verbs)}, not {verb}: make another.")
    if on is None and verb == access.SEE:
        access.require(person, verb)
    elif on is None and is_narrow(token):
        raise PermissionDenied(f"The token “{token.name}” may {verb} only within {within(token)}: name one of them.")
    else:
        access.require(person, verb, on)
        if on is not None and not covers(token, on):
            raise PermissionDenied(f"The token “{token.name}” may {verb} only within {within(token)}.")


def visible(person: Person, token: ApiToken, queryset: Rows) -> Rows:
    """The rows that the person sees and the token reaches."""
    seen = access.visible(person, queryset)
    return seen.filter(narrowing(person, reach(token), queryset.model)) if is_narrow(token) else seen


def covers(token: ApiToken, on: Any) -> bool:
    """Whether the token reaches this: an agent, a region, a segment, or what belongs to them."""
    reached = reach(token)
    if isinstance(on, Agent | Region | Segment):
        return reached.holds(**{type(on).__name__.lower(): on.pk})
    if isinstance(on, Approval):
        return reached.names(agent=on.agent, region=on.region, segment=on.segment)
    parts = {noun: getattr(on, noun, None) for noun in ("agent", "region", "segment")}
    return reached.holds(**{noun: part.pk if part is not None else None for noun, part in parts.items()})


def is_narrow(token: ApiToken) -> bool:
    return bool(token.agents or token.regions or token.segments)


def reach(token: ApiToken) -> access.Reach:
    """The rows that the token names, trees spelled out."""
    if not is_narrow(token):
        return access.Reach(True)
    held = [("agent", pk, slug) for pk, slug in Agent.objects.filter(slug__in=token.agents).values_list("pk", "slug")]
    for noun, model, codes in (("region", Region, token.regions), ("segment", Segment, token.segments)):
        beneath = Q(code__in=codes)
        for code in codes:
            beneath |= Q(code__startswith=f"{code}/")
        if codes:
            held += [(noun, pk, code) for pk, code in model.objects.filter(beneath).values_list("pk", "code")]
    return access.Reach(False, frozenset(held))


def within(token: ApiToken) -> str:
    """What it reaches, in words."""
    return ", ".join([*token.agents, *token.regions, *token.segments]) or "everything"
