"""Planted questions: asked to see whether a no comes. Nothing hangs on one, whatever is answered."""

from datetime import datetime

from approvals.models import Approval, Call, Person
from audit.entries import Line, record


def told_afterwards(approval: Approval, person: Person, at: datetime) -> None:
    """Write down that it was caught (a no) or missed (the last yes needed), and see that the person is told."""
    if approval.state == "waiting":
        return
    caught = approval.state == "rejected"
    Call.objects.create(
        approval=approval,
        person=person,
        kind=Call.Kind.PLANTED,
        at=at,
        detail="It was planted, and you caught it." if caught else "It was planted: nothing was sent.",
    )
    record(
        Line(
            verb="planted.caught" if caught else "planted.missed",
            subject=f"approval:{approval.pk}",
            actor=person.actor,
            agent=approval.agent,
            region=approval.region,
            segment=approval.segment,
            detail={"approval": str(approval.pk), "reason": approval.reason},
        )
    )
