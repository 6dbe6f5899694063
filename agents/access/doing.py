"""Whether a person may do a verb, to a thing or anywhere, and the refusal."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q

from agents.access.reach import Reach, is_everywhere, reach, role_has
from agents.access.roles import BUILD, CONNECT, GRANTS, PUBLISH, SEE, WORKING
from agents.access.seen import sees_kind, visible
from agents.models import Action, Agent, Play, Region, Route, Run, Segment, Signal, Source
from approvals.models import Approval, Role

NAMELESS: dict[type, str] = {
    Approval: "this question",
    Action: "this action",
    Run: "this run",
    Signal: "this signal",
    Route: "this route",
}
"""What has no name of its own to be refused by."""


def may(person: Any, verb: str, on: Any = None) -> bool:
    """
    Whether `person` may do `verb`. False for anyone not signed in or no longer active.

    `on` an agent, region or segment, or what belongs to them (a run, an action, a question, a pause, a section):
    whether that is in the verb's reach. `on` a model: whether they see that kind of thing at all. Without `on`:
    everywhere, as their role has it; but everyone may see, since what they see is narrowed by `visible`.
    """
    if not getattr(person, "is_active", False):
        return False
    if on is None:
        return verb == SEE or holds_everywhere(person, verb)
    if isinstance(on, type):
        return sees_kind(person, on)
    if isinstance(on, Agent):
        return _with_agent(person, verb, on)
    if isinstance(on, Play | Source):
        return _with_shared(person, verb, on) and not _others(person, verb, on)
    if any(hasattr(on, noun) for noun in ("agent", "region", "segment")) or isinstance(on, Region | Segment):
        return _is_theirs(person, verb, on) or _within(reach(person, verb), on)
    return holds_everywhere(person, verb)


def may_somewhere(person: Any, verb: str) -> bool:
    """Whether there is anything to which `person` may do `verb`: for offering it before the thing is known."""
    return may(person, verb) or bool(reach(person, verb))


def require(person: Any, verb: str, on: Any = None) -> None:
    """
    Refuse with django.core.exceptions.PermissionDenied, whose text says what is missing, and whose it is; it names
    nothing that the person does not see.
    """
    if not may(person, verb, on):
        seen = verb != SEE and on is not None and may(person, SEE, on)
        others = [one for one in _others(person, verb, on) if may(person, SEE, one)]
        raise PermissionDenied(_refusal(verb, on if seen else None, others))


def require_somewhere(person: Any, verb: str) -> None:
    """Refuse whoever may do `verb` nowhere."""
    if not may_somewhere(person, verb):
        raise PermissionDenied(_refusal(verb, None, []))


def holds_everywhere(person: Any, verb: str) -> bool:
    """Whether the role has the verb and holds everywhere, but for what narrows a verb to one's own agents."""
    active = getattr(person, "is_active", False)
    return bool(active) and verb in GRANTS.get(person.role, frozenset()) and is_everywhere(person)


def _refusal(verb: str, on: Any, others: list[Agent]) -> str:
    whose = [f"{agent} ({agent.owner or 'nobody'} owns it)" for agent in others]
    why = f"it is at work for {', '.join(whose)}" if whose else "ask an admin for it"
    what = "this" if on is None or isinstance(on, type) else NAMELESS.get(type(on), on)
    return f"You may not {verb} {what}: {why}."


def _with_agent(person: Any, verb: str, agent: Agent) -> bool:
    theirs = person.pk in (agent.owner_id, agent.deputy_id)
    if not (theirs and role_has(person, verb, own=True)) and not reach(person, verb).holds(agent=agent.pk):
        return False
    return verb != BUILD or theirs or agent.stage not in WORKING or reach(person, PUBLISH).holds(agent=agent.pk)


def _with_shared(person: Any, verb: str, on: Play | Source) -> bool:
    """A play is shown to whoever sees an agent that chooses it; those who may do the verb anywhere may do it to it."""
    shown = is_everywhere(person) or visible(person, type(on)._default_manager.filter(pk=on.pk)).exists()
    return shown and may_somewhere(person, verb)


def _is_theirs(person: Any, verb: str, on: Any) -> bool:
    """Whether it is of an agent that is at hand and theirs: said without a statement."""
    agent = on._state.fields_cache.get("agent") if hasattr(on, "_state") else None
    return agent is not None and person.pk in (agent.owner_id, agent.deputy_id) and role_has(person, verb, own=True)


def _within(reached: Reach, on: Any) -> bool:
    if isinstance(on, Region | Segment):
        return reached.holds(**{type(on).__name__.lower(): on.pk})
    if isinstance(on, Approval):
        return reached.names(agent=on.agent, region=on.region, segment=on.segment)
    given = {noun: getattr(on, f"{noun}_id", None) for noun in ("agent", "region", "segment")}
    parts = {noun: getattr(getattr(on, noun, None), "pk", None) for noun, id_ in given.items() if id_ is None}
    return reached.holds(**{**given, **parts})


def _others(person: Any, verb: str, on: Any) -> list[Agent]:
    """The working agents that a change of this play or source would change, though the person may not."""
    if verb != BUILD or not isinstance(on, Play | Source):
        return []
    if isinstance(on, Source) and holds_everywhere(person, CONNECT):
        return []
    if holds_everywhere(person, PUBLISH) and person.role != Role.OWNER:
        return []
    working = Agent.objects.filter(stage__in=WORKING).select_related("owner")
    if isinstance(on, Play):
        using = [agent for agent in working if any(choice.get("play") == on.slug for choice in agent.choices)]
    else:
        heard = Route.objects.filter(Q(source=on) | Q(source=None), is_active=True)
        using = list(working.filter(pk__in=heard.values("agent")))
    return [agent for agent in using if not _with_agent(person, BUILD, agent)]
