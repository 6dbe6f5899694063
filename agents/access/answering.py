"""Which questions a person may answer, and which persons may answer a question."""

from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField
from django.db.models.functions import Cast, Substr

from agents.access.reach import fresh, reach, remember
from agents.access.roles import APPROVE
from agents.models import Action, Agent
from agents.models.play import Risk
from approvals.models import Approval, Person, Verdict


def waiting_for(person: Person) -> QuerySet[Approval]:
    """
    The questions that this person may answer, soonest to expire first.

    None beyond where they may approve, none of an agent that they built, none that they said yes to already; at high
    risk none whose policy they published, whose play or scorecard they were the last to edit, or that they edited.
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
    said = Verdict.objects.filter(approval=OuterRef("pk"), person=person, voided_at=None)
    mine = waiting.filter(~Exists(said), reached.q("agent", "region", "segment", suffix=""))
    high = Q(risk=Risk.HIGH)
    return mine.exclude(agent__in=built).exclude(high & (Exists(edited) | Q(editors__contains=[person.pk])))


def may_answer(person: Person, approval: Approval) -> bool:
    """
    Whether this person may answer this question, as the database has both now: within where they may approve, and not
    on what they built or, at high risk, edited.
    """
    return waiting_for(fresh(person)).filter(pk=approval.pk).exists()


def may_answer_it(approval: Approval) -> list[Person]:
    """All persons of whom `may_answer` is true, by name; five statements, however many there are."""
    said = Verdict.objects.filter(approval=approval, voided_at=None).values("person")
    barred = {built for built in Agent.objects.filter(slug=approval.agent).values_list("built_by", flat=True) if built}
    if approval.risk == Risk.HIGH:
        editing = ("policy__published_by", "play__edited_by", "agent__edited_by")
        barred |= {id_ for row in Action.objects.filter(pk=approval.subject[7:]).values_list(*editing) for id_ in row}
        barred |= set(approval.editors)
    found = []
    for person in remember(Person.objects.filter(is_active=True).exclude(pk__in=said).order_by("name", "pk")):
        within = reach(person, APPROVE).names(agent=approval.agent, region=approval.region, segment=approval.segment)
        if within and person.pk not in barred:
            found.append(person)
    return found
