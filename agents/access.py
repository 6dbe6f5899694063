"""
Who may see and do what. The one door: lists, counts, pages and actions all ask here.

Roles are where a person starts. `may` says whether, `require` refuses; both take the verb and, where it matters, the
thing. Nobody decides on what they built, its owner neither; at high risk nor on what they edited last.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField
from django.db.models.functions import Cast, Substr

from agents.models import Action, Agent
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
    Role.OWNER: EVERYONE | {PAUSE, APPROVE, BUILD, PUBLISH, RESEND, TAKE},
    Role.REP: EVERYONE | {APPROVE},
    Role.ENGINEER: EVERYONE | {BUILD, CONNECT, RESEND},
    Role.AUDITOR: EVERYONE,
}
"""What each role may, anywhere. An owner's building, publishing and resending are kept to their own agents."""
OWN_ONLY = frozenset({BUILD, PUBLISH, RESEND})


def may(person: Any, verb: str, on: Any = None) -> bool:
    """Whether `person` may do `verb`, on `on` where given. False for anyone not signed in or no longer active."""
    if not getattr(person, "is_active", False) or verb not in GRANTS.get(getattr(person, "role", ""), frozenset()):
        return False
    if isinstance(on, Agent) and person.role == Role.OWNER and verb in OWN_ONLY:
        return person.pk in (on.owner_id, on.deputy_id)
    return True


def require(person: Any, verb: str, on: Any = None) -> None:
    """Refuse with django.core.exceptions.PermissionDenied, whose text says what is missing."""
    if not may(person, verb, on):
        raise PermissionDenied(f"You may not {verb} {'this' if on is None else on}: ask an admin for it.")


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
