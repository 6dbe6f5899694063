"""
Who may see and do what. The one door: lists, counts, pages and actions all ask here.

Roles are where a person starts. `may` says whether, `require` refuses; both take the verb and, where it matters, the
thing: an agent, or a play or source, which is as open to change as the agents at work that use it. An agent past draft
is changed by its owner, its deputy and whoever may publish; an incident of it is theirs too, whatever their role.
Nobody decides on what they built, its owner neither; at high risk nor on what they edited last.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField
from django.db.models.functions import Cast, Substr

from agents.models import Action, Agent, Play, Route, Source
from agents.models.agent import Stage
from agents.models.play import Risk
from approvals.models import Approval, Person, Role

SEE = "see"
PAUSE = "pause"
APPROVE = "approve"
BUILD = "build"
CONNECT = "connect"
ADMINISTER = "administer"
PUBLISH = "publish"
RESEND = "resend"
TAKE = "take"

EVERYONE = frozenset({SEE})
GRANTS: dict[str, frozenset[str]] = {
    Role.ADMIN: EVERYONE | {PAUSE, APPROVE, BUILD, CONNECT, ADMINISTER, PUBLISH, RESEND, TAKE},
    Role.OPS: EVERYONE | {PAUSE, APPROVE, BUILD, PUBLISH, RESEND, TAKE},
    Role.OWNER: EVERYONE | {PAUSE, APPROVE, BUILD, PUBLISH, RESEND},
    Role.REP: EVERYONE | {APPROVE},
    Role.ENGINEER: EVERYONE | {BUILD, CONNECT, RESEND},
    Role.AUDITOR: EVERYONE,
}
"""What each role may, unless the thing itself narrows it. An owner's building, publishing and resending are
kept to their own agents."""
OWN_ONLY = frozenset({BUILD, PUBLISH, RESEND})
WORKING = (Stage.SHADOW, Stage.SUPERVISED, Stage.AUTONOMOUS)
"""The stages past draft and before retired."""


def may(person: Any, verb: str, on: Any = None) -> bool:
    """Whether `person` may do `verb`, on `on` where given. False for anyone not signed in or no longer active."""
    if not getattr(person, "is_active", False):
        return False
    granted = GRANTS.get(getattr(person, "role", ""), frozenset())
    if isinstance(on, Agent):
        return _may_with(person, granted, verb, on)
    return verb in granted and not _others(person, granted, verb, on)


def require(person: Any, verb: str, on: Any = None) -> None:
    """Refuse with django.core.exceptions.PermissionDenied, whose text says what is missing, and whose it is."""
    if may(person, verb, on):
        return
    whose = [
        f"{agent} ({agent.owner or 'nobody'} owns it)"
        for agent in _others(person, GRANTS.get(getattr(person, "role", ""), frozenset()), verb, on)
    ]
    why = f"it is at work for {', '.join(whose)}" if whose else "ask an admin for it"
    raise PermissionDenied(f"You may not {verb} {'this' if on is None else on}: {why}.")


def _may_with(person: Person, granted: frozenset[str], verb: str, agent: Agent) -> bool:
    theirs = person.pk in (agent.owner_id, agent.deputy_id)
    if verb == TAKE:
        return theirs or TAKE in granted
    if verb not in granted or (person.role == Role.OWNER and verb in OWN_ONLY and not theirs):
        return False
    return verb != BUILD or theirs or PUBLISH in granted or agent.stage not in WORKING


def _others(person: Person, granted: frozenset[str], verb: str, on: Any) -> list[Agent]:
    """The working agents that a change of this play or source would change, though the person may not."""
    if verb != BUILD or not isinstance(on, Play | Source) or (isinstance(on, Source) and CONNECT in granted):
        return []
    if PUBLISH in granted and person.role != Role.OWNER:
        return []
    working = Agent.objects.filter(stage__in=WORKING).select_related("owner")
    if isinstance(on, Play):
        using = [agent for agent in working if any(choice.get("play") == on.slug for choice in agent.choices)]
    else:
        heard = Route.objects.filter(Q(source=on) | Q(source=None), is_active=True)
        using = list(working.filter(pk__in=heard.values("agent")))
    return [agent for agent in using if not _may_with(person, granted, BUILD, agent)]


def waiting_for(person: Person) -> QuerySet[Approval]:
    """
    The questions that this person may answer, soonest to expire first.

    None of an agent that they built; at high risk none whose policy they published, or whose play or scorecard they
    were the last to edit.
    """
    waiting = Approval.objects.filter(state="waiting").order_by("expires_at", "id")
    if not may(person, APPROVE):
        return waiting.none()
    built = Agent.objects.filter(built_by=person).values("slug")
    edited = Action.objects.filter(
        Q(policy__published_by=person) | Q(play__edited_by=person) | Q(agent__edited_by=person),
        pk=Cast(Substr(OuterRef("subject"), len("action:") + 1), UUIDField()),
    )
    return waiting.exclude(agent__in=built).exclude(Q(risk=Risk.HIGH) & Exists(edited))


def may_answer(person: Person, approval: Approval) -> bool:
    """Whether this person may answer this question: grants, and not on what they built or, at high risk, edited."""
    return waiting_for(person).filter(pk=approval.pk).exists()
