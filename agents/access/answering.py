"""Which questions a person may answer."""

from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField
from django.db.models.functions import Cast, Substr

from agents.access.reach import fresh, reach
from agents.access.roles import APPROVE
from agents.models import Action, Agent
from agents.models.play import Risk
from approvals.models import Approval, Person


def waiting_for(person: Person) -> QuerySet[Approval]:
    """
    The questions that this person may answer, soonest to expire first.

    None beyond where they may approve, none of an agent that they built; at high risk none whose policy they
    published, or whose play or scorecard they were the last to edit.
    """
    reached = reach(person, APPROVE)
    waiting = Approval.objects.filter(state="waiting").order_by("expires_at", "id")
    if not reached:
        return waiting.none()
    built = Agent.objects.filter(built_by=person).values("slug")
    edited = Action.objects.filter(
        Q(policy__published_by=person) | Q(play__edited_by=person) | Q(agent__edited_by=person),
        pk=Cast(Substr(OuterRef("subject"), len("action:") + 1), UUIDField()),
    )
    mine = waiting.filter(reached.q("agent", "region", "segment", suffix=""))
    return mine.exclude(agent__in=built).exclude(Q(risk=Risk.HIGH) & Exists(edited))


def may_answer(person: Person, approval: Approval) -> bool:
    """
    Whether this person may answer this question, as the database has both now: within where they may approve, and not
    on what they built or, at high risk, edited.
    """
    return waiting_for(fresh(person)).filter(pk=approval.pk).exists()
