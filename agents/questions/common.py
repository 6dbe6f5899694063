"""What every answer stands on: the question locked and open, the person eligible, the action moved, the entry."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import connection

from agents import access
from agents.deadlines import frozen
from agents.models import Action
from agents.rules.brief import brief
from approvals import questions
from approvals.models import Approval, Person, Verdict
from approvals.questions import Stale
from audit.entries import Line, record
from audit.persons import Personal

HOLD_AGENT = """
SELECT FROM agents_agent g JOIN approvals_approval p ON p.agent = g.slug WHERE p.id = %s FOR KEY SHARE OF g
"""
"""Before the question itself is locked: whoever publishes holds the agent, and then wants its questions."""
MOVE = """
UPDATE agents_action a SET state = %s, why = %s, permitted_by = %s,
    not_before = greatest(not_before, clock_timestamp() + %s * '1 second'::interval),
    settled_at = CASE WHEN %s = 'ready' THEN NULL ELSE clock_timestamp() END
WHERE id = %s AND state = %s
    AND (%s <> 'ready' OR policy_id = (SELECT policy_id FROM agents_agent WHERE id = a.agent_id))
"""


def action_id(approval: Approval) -> UUID:
    """The action that is asked about."""
    return UUID(approval.subject.partition(":")[2])


def open_for(approval_id: UUID, person: Person, *, at: datetime, binding: bytes | None = None) -> Approval:
    """
    The question, locked in the caller's transaction and open to this person.

    PermissionDenied unless the person may answer it; Stale when someone was first, it expired, or `binding` is not what
    waits; Approval.DoesNotExist.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD_AGENT, [approval_id])
    approval = questions.lock(approval_id)
    require_eligible(approval, person)
    questions.check_open(approval, at=at, frozen=is_frozen(approval), binding=binding)
    return approval


def require_eligible(approval: Approval, person: Person) -> None:
    """
    Refuse with PermissionDenied whoever may not answer the question, and with Stale who said yes to it already.

    By itself for what comes before an answer, such as showing again who one is: the answer asks it again, under lock.
    """
    person = access.fresh(person)
    access.require(person, access.APPROVE, approval)
    if approval.state == "waiting" and not access.may_answer(person, approval):
        if Verdict.objects.filter(approval=approval, person=person, voided_at=None).exists():
            raise Stale(approval, "You have said yes already; it waits for somebody else.")
        raise PermissionDenied(
            "You may not answer this question: your role does not reach it, or you built or edited it."
        )


def is_frozen(approval: Approval) -> bool:
    """Whether its deadline stands still, because its action lies in a pause."""
    return approval.state == "waiting" and bool(frozen([approval.pk]))


def move(approval: Approval, before: str, after: str, why: str, *, by: str, delay: int = 0) -> bool:
    """
    Move the action by compare-and-set; False when it was not in state `before`. A planted question has none.

    Nothing becomes ready under boundaries other than those it was decided by.
    """
    if approval.planted:
        return True
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [after, why, by, delay, after, action_id(approval), before, after])
        return bool(cursor.rowcount)


def note(
    approval: Approval, verb: str, actor: str, *, personal: Mapping[str, Any] | None = None, **detail: Any
) -> None:
    """
    Write the entry of what happened to the question. One that was planted is spoken of as such.

    `personal` is what may quote whom the action would reach, such as a note: sealed under that person's key, or left
    out where nobody is known or nothing was said.
    """
    action = None if approval.planted else Action.objects.only("run", "account", "contact").get(pk=action_id(approval))
    said = {key: Personal(action.contact, value) for key, value in (personal or {}).items() if value} if action else {}
    record(
        Line(
            verb=verb,
            subject=f"approval:{approval.pk}" if action is None else approval.subject,
            actor=actor,
            agent=approval.agent,
            run=action.run_id if action else None,
            region=approval.region,
            segment=approval.segment,
            account=action.account if action else "",
            detail={"approval": str(approval.pk), "binding": bytes(approval.binding).hex(), **detail, **said},
        )
    )


def asked(approval: Approval) -> dict[str, Any]:
    """What is asked for, for `note`: to whom, and in brief what."""
    return {"to": approval.question.get("target"), "what": brief(approval.question.get("payload"))}
