"""What nobody answered: passed on to the deputy, then to the owner, then expired."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents import access
from agents.absence import stand_in
from agents.deadlines import FROZEN
from agents.models import Agent, Region
from agents.rules.deadlines import halfway
from agents.rules.working_hours import compile_calendar
from approvals import questions
from approvals.models import Approval, Call, Person
from approvals.models.approval import Step
from audit.entries import Line, record

BATCH = 500
DUE = f"""
SELECT p.id FROM approvals_approval p WHERE p.state = 'waiting' AND p.expires_at <= %s AND NOT {FROZEN}
ORDER BY p.expires_at LIMIT %s FOR UPDATE OF p SKIP LOCKED
"""  # noqa: S608
NEXT = DUE.replace("p.expires_at", "p.next_at")
CLOSE = """
UPDATE agents_action a SET state = 'expired', why = 'Nobody answered in time.', permitted_by = %s,
    settled_at = clock_timestamp()
FROM unnest(%s::uuid[]) AS v(id) WHERE a.id = v.id AND a.state = 'waiting' RETURNING a.id, a.run_id, a.account
"""


def expire_due(*, actor: str) -> int:
    """Close what nobody answered in time, but for what lies in a pause: expired, which is not rejected. How many."""
    count = 0
    while True:
        with transaction.atomic():
            closed = _expire(timezone.now(), actor)
        count += closed
        if closed < BATCH:
            return count


def _expire(at: datetime, actor: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(DUE, [at, BATCH])
        due = list(Approval.objects.filter(pk__in=[row[0] for row in cursor.fetchall()]).order_by("pk"))
        questions.expire([approval.pk for approval in due], at=at)
        cursor.execute(CLOSE, [actor, [UUID(approval.subject.partition(":")[2]) for approval in due]])
        actions = {f"action:{id_}": (run, account) for id_, run, account in cursor.fetchall()}
    _record(due, actions, actor)
    return len(due)


def escalate_due(*, actor: str) -> int:
    """
    Pass on what nobody answered, but for what lies in a pause: first to the agent's deputy, then to its owner, each
    through whoever stands in for them, and past whoever may not answer it. They see it first and are told; others who
    may can still answer. How many questions moved a step.
    """
    count = 0
    while True:
        with transaction.atomic():
            moved = _escalate(timezone.now(), actor)
        count += moved
        if moved < BATCH:
            return count


def _escalate(at: datetime, actor: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(NEXT, [at, BATCH])
        due = Approval.objects.filter(pk__in=[row[0] for row in cursor.fetchall()]).order_by("pk")
    agents = {
        agent.slug: agent
        for agent in Agent.objects.filter(slug__in={one.agent for one in due}).select_related(
            "deputy__delegate", "owner__delegate"
        )
    }
    calendars = {
        region.code: compile_calendar(region.time_zone, region.working_hours) for region in Region.objects.all()
    }
    eligible: dict[int, set[UUID]] = {}
    calls, lines = [], []
    for approval in due:
        step, whom, whose = _next(approval, agents.get(approval.agent), eligible, [one.pk for one in due], at)
        approval.step = step
        calendar = calendars.get(approval.region) or compile_calendar("UTC", {})
        approval.next_at = None if step == Step.OWNER else halfway(calendar, at, approval.expires_at)
        if whom is not None:
            approval.assigned_to = whom
            calls.append(Call(approval=approval, person=whom, kind=Call.Kind.ESCALATED, at=at))
            stead = {"behalf": whose.actor} if whose is not None and whose.pk != whom.pk else {}
            lines.append(_line("escalated", approval, actor, to=whom.actor, **{"as": Step(step).name.lower()}, **stead))
    Approval.objects.bulk_update(due, ["step", "next_at", "assigned_to"], batch_size=BATCH)
    Call.objects.bulk_create(calls)
    record(*lines)
    return len(due)


def _next(
    approval: Approval, agent: Agent | None, eligible: dict[int, set[UUID]], due: list[UUID], at: datetime
) -> tuple[int, Person | None, Person | None]:
    """Whose turn it is: the step reached, the person, or nobody where nobody further may answer, and in whose place."""
    if agent is None:
        return Step.OWNER, None, None
    for step, person in ((Step.DEPUTY, agent.deputy), (Step.OWNER, agent.owner)):
        if step <= approval.step or person is None:
            continue
        whom = stand_in(person, at)
        if whom is None or whom.pk == approval.assigned_to_id:
            continue
        if whom.pk not in eligible:
            eligible[whom.pk] = set(access.waiting_for(whom).filter(pk__in=due).values_list("pk", flat=True))
        if approval.pk in eligible[whom.pk]:
            return step, whom, person
    return Step.OWNER, None, None


def _line(verb: str, approval: Approval, actor: str, **detail: Any) -> Line:
    subject = f"approval:{approval.pk}" if approval.planted else approval.subject
    return Line(
        f"action.{verb}",
        subject,
        actor,
        agent=approval.agent,
        region=approval.region,
        segment=approval.segment,
        detail={"approval": str(approval.pk), **detail},
    )


def _record(due: Sequence[Approval], actions: dict[str, tuple[UUID, str]], actor: str) -> None:
    lines = []
    for approval in due:
        run, account = actions.get(approval.subject, (None, ""))
        lines.append(
            Line(
                "action.expired" if run else "planted.expired",
                approval.subject if run else f"approval:{approval.pk}",
                actor,
                agent=approval.agent,
                run=run,
                region=approval.region,
                segment=approval.segment,
                account=account,
                detail={"approval": str(approval.pk), "binding": bytes(approval.binding).hex()},
            )
        )
    record(*lines)
