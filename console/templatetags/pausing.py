"""What pausing leaves on other pages: the last drills of an agent, a region or a segment."""

from typing import Any

from django import template

from agents import held
from agents.models import Pause

register = template.Library()
SHOWN = 3


@register.inclusion_tag("pauses/drills.html")
def drills(noun: str, of: Any) -> dict[str, Any]:
    """`{% drills "agent" agent %}`: a card with the newest drills that name it, and the way to another."""
    found = Pause.objects.with_parts().filter(is_drill=True, **{noun: of}).order_by("-id")[:SHOWN]
    rows = [(one, flight, _quiet(one, flight)) for one in found for flight in [held.flight(one)]]
    return {"drills": rows, "noun": noun, "key": of.slug if noun == "agent" else of.code}


def _quiet(one: Pause, flight: held.Flight) -> Any:
    return flight.quiet_at - one.set_at if flight.quiet_at else None
