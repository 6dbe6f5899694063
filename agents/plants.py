"""
Planted questions: one in so many of an agent's questions must be answered with no, to see whether people look.

It shows one question's head with another's message, so whoever reads it sees that the message is meant for somebody
else. There is no action of it: its subject names none, nothing points at it, and the gate knows no planted yes. Who
answered is told at once what it was.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from agents import access
from agents.models import Agent, Region
from agents.models.agent import Stage
from agents.rules.deadlines import deadlines
from agents.rules.working_hours import compile_calendar
from approvals.models import Approval, Person
from approvals.models.planting import Planting
from approvals.questions import Question, open_questions
from audit.entries import Line, record
from audit.ids import floor_id, new_ids

LEAST, MOST = 5, 1000
"""One planted question after at least, and at most, so many real ones."""
RECENT = timedelta(days=1)
"""How far back real questions are counted and copied."""
NOWHERE = bytes(32)
"""What a planted yes is bound to: the hash of nothing that could be sent."""


def switch(agent: Agent, *, every: int, person: Person) -> None:
    """
    Have one question planted after `every` real ones of the agent's; 0: none from now on.

    An admin's to say: PermissionDenied. ValidationError unless `every` is 0 or from LEAST to MOST.
    """
    access.require(person, access.ADMINISTER)
    if every and not LEAST <= every <= MOST:
        raise ValidationError({"every": f"Write 0 for none, or a number from {LEAST} to {MOST}."})
    with transaction.atomic():
        before = every_of(agent)
        if every == before:
            return
        if every:
            Planting.objects.update_or_create(
                agent=agent.slug, defaults={"every": every, "by": person, "since": timezone.now()}
            )
        else:
            Planting.objects.filter(agent=agent.slug).delete()
        detail = {"before": before, "after": every}
        record(Line("planted.switched", f"agent:{agent.slug}", person.actor, agent=agent.slug, detail=detail))


def every_of(agent: Agent) -> int:
    """After how many real questions of the agent one is planted; 0: none is."""
    return Planting.objects.filter(agent=agent.slug).values_list("every", flat=True).first() or 0


def plant_due(*, actor: str) -> int:
    """Plant a question for each agent whose turn has come; how many. At most one waits of an agent at a time."""
    planted = 0
    for planting in Planting.objects.all():
        with transaction.atomic():
            locked = Planting.objects.select_for_update(skip_locked=True).filter(pk=planting.pk).first()
            if locked is not None and _is_due(locked):
                planted += _plant(locked, actor)
    return planted


def _is_due(planting: Planting) -> bool:
    if not Agent.objects.filter(slug=planting.agent, stage__in=(Stage.SUPERVISED, Stage.AUTONOMOUS)).exists():
        return False
    mine = Approval.objects.filter(agent=planting.agent)
    last = mine.filter(planted=True).order_by("-opened_at").first()
    if last is not None and last.state == "waiting":
        return False
    since = max(planting.since, timezone.now() - RECENT, *([last.opened_at] if last else []))
    real = mine.filter(planted=False, pk__gte=floor_id(since), opened_at__gt=since)
    return real[: planting.every].count() >= planting.every


def _plant(planting: Planting, actor: str) -> int:
    """One question made of two that wait, of the same play and of different accounts; 0 where there are no such two."""
    at = timezone.now()
    waiting = list(Approval.objects.filter(agent=planting.agent, state="waiting", planted=False).order_by("-pk")[:50])
    pair = next(((head, other) for head in waiting for other in waiting if _tells_apart(head, other)), None)
    if pair is None:
        return 0
    head, other = pair
    id_, subject = new_ids(2)
    with connection.cursor() as cursor:
        open_questions(cursor, [_question(head, other, id_, subject, at)])
    record(
        Line(
            "planted.asked",
            f"approval:{id_}",
            actor,
            agent=head.agent,
            region=head.region,
            segment=head.segment,
            detail={"approval": str(id_), "head": str(head.pk), "message": str(other.pk)},
        )
    )
    return 1


def _tells_apart(head: Approval, other: Approval) -> bool:
    one, two = head.question, other.question
    same = all(one.get(name) == two.get(name) for name in ("play", "step", "connection"))
    return same and one.get("account_key") != two.get("account_key") and one.get("payload") != two.get("payload")


def _question(head: Approval, other: Approval, id_: UUID, subject: UUID, at: datetime) -> Question:
    region = Region.objects.filter(code=head.region).first()
    due = deadlines(compile_calendar(region.time_zone, region.working_hours) if region else _always(), at)
    return Question(
        id_,
        f"action:{subject}",
        {**head.question, "payload": other.question["payload"], "payload_of": str(other.pk)},
        NOWHERE,
        head.agent,
        head.region,
        head.segment,
        head.risk,
        at,
        due.expires_at,
        warn_at=due.warn_at,
        next_at=due.next_at,
        planted=True,
    )


def _always() -> Any:
    return compile_calendar("UTC", {})
