"""Questions about actions: answered, expired, withdrawn; what each verdict does to its action, in one transaction."""

import logging
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils import timezone

from agents import access
from agents.models import Action
from approvals import questions
from approvals.models import Approval, Person
from audit.entries import Line, record

log = logging.getLogger(__name__)

UNDO_SECONDS = 5
"""An approved action leaves after so long, so that a slip can be taken back."""


def approve(approval_id: UUID, *, person: Person, binding: bytes, note: str = "") -> Approval:
    """
    Say yes once: the action becomes ready, to leave in UNDO_SECONDS.

    PermissionDenied unless the person may answer it; approvals.questions.Stale when someone was first, it expired, or
    `binding` is not what waits. Nothing changes in either case. The caller wakes a worker after the commit.
    """
    with transaction.atomic():
        _eligible(approval_id, person)
        at = timezone.now()
        approval = questions.answer(
            approval_id, verdict="approved", person_id=person.pk, binding=binding, at=at, note=note
        )
        _move(approval, "waiting", "ready", f"Approved by {person.name}.", by=person.actor, delay=UNDO_SECONDS)
        _record(approval, "action.approved", person.actor, seconds=int((at - approval.opened_at).total_seconds()))
    return approval


def reject(approval_id: UUID, *, person: Person, binding: bytes, reason: str, note: str = "") -> Approval:
    """Say no once, with a reason code; the action is over. Raises as `approve`."""
    with transaction.atomic():
        _eligible(approval_id, person)
        approval = questions.answer(
            approval_id,
            verdict="rejected",
            person_id=person.pk,
            binding=binding,
            at=timezone.now(),
            reason=reason,
            note=note,
        )
        _move(approval, "waiting", "rejected", f"Rejected by {person.name}: {reason}.", by=person.actor)
        _record(approval, "action.rejected", person.actor, reason=reason)
    return approval


def take_back(approval_id: UUID, *, person: Person) -> bool:
    """Undo one's own yes while the action has not left: question and action are rejected as a slip. False: too late."""
    with transaction.atomic():
        approval = Approval.objects.select_for_update().get(pk=approval_id)
        if approval.state != "approved" or approval.decided_by_id != person.pk:
            return False
        if not _move(approval, "ready", "rejected", f"Taken back by {person.name}.", by=person.actor):
            return False
        questions.take_back(approval, at=timezone.now())
        _record(approval, "action.rejected", person.actor, reason=questions.TAKEN_BACK)
    return True


def expire_due(*, actor: str) -> int:
    """Close what nobody answered in time: expired, which is not rejected. How many."""
    with transaction.atomic():
        due = questions.close_due(timezone.now())
        for approval in due:
            _move(approval, "waiting", "expired", "Nobody answered in time.", by=actor)
            _record(approval, "action.expired", actor)
    return len(due)


def _eligible(approval_id: UUID, person: Person) -> None:
    approval = Approval.objects.get(pk=approval_id)
    if approval.state == "waiting" and not access.may_answer(person, approval):
        raise PermissionDenied(
            "You may not answer this question: your role does not reach it, or you built or edited it."
        )
    access.require(person, access.APPROVE)


def _move(approval: Approval, before: str, after: str, why: str, *, by: str, delay: int = 0) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_action SET state = %s, why = %s, permitted_by = %s, "
            "not_before = greatest(not_before, clock_timestamp() + %s * '1 second'::interval), "
            "settled_at = CASE WHEN %s = 'ready' THEN NULL ELSE clock_timestamp() END "
            "WHERE id = %s AND state = %s",
            [after, why, by, delay, after, _action_id(approval), before],
        )
        return cursor.rowcount == 1


def _record(approval: Approval, verb: str, actor: str, **detail: object) -> None:
    action = Action.objects.get(pk=_action_id(approval))
    record(
        Line(
            verb=verb,
            subject=approval.subject,
            actor=actor,
            agent=approval.agent,
            run=action.run_id,
            region=approval.region,
            segment=approval.segment,
            account=action.account,
            detail={"approval": str(approval.pk), "binding": bytes(approval.binding).hex(), **detail},
        )
    )


def _action_id(approval: Approval) -> UUID:
    return UUID(approval.subject.partition(":")[2])
