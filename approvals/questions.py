"""Frozen questions and their verdicts: opened, answered once, expired, withdrawn. Only `agents` calls this."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from approvals.models import Approval

TAKEN_BACK = "taken-back"
"""The reason of a no that was a yes at first."""


class Question(NamedTuple):
    """What is asked, frozen. `binding` hashes all that a yes permits; the form posts it back."""

    id: UUID
    subject: str
    question: dict[str, Any]
    binding: bytes
    agent: str
    region: str
    segment: str
    risk: str
    opened_at: datetime
    expires_at: datetime


OPEN = """
INSERT INTO approvals_approval
    (id, subject, question, binding, agent, region, segment, risk, state, opened_at, expires_at, reason, note)
SELECT id, subject, question, binding, agent, region, segment, risk, 'waiting', opened_at, expires_at, '', ''
FROM unnest(%s::uuid[], %s::text[], %s::jsonb[], %s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::timestamptz[], %s::timestamptz[])
    AS t(id, subject, question, binding, agent, region, segment, risk, opened_at, expires_at)
"""


def open_questions(cursor: Any, questions: Sequence[Question]) -> None:
    """Write `questions` in `cursor`'s transaction, one statement."""
    if not questions:
        return
    columns = [list(column) for column in zip(*questions, strict=True)]
    columns[2] = [orjson.dumps(question).decode() for question in columns[2]]
    cursor.execute(OPEN, columns)


@dataclass(frozen=True, slots=True)
class Stale(Exception):
    """The question was no longer open, or not the one that was shown; `approval` says who decided what."""

    approval: Approval
    why: str


def answer(
    approval_id: UUID,
    *,
    verdict: str,
    person_id: int,
    binding: bytes,
    at: datetime,
    reason: str = "",
    note: str = "",
) -> Approval:
    """
    Give the one verdict, `approved` or `rejected`, inside the caller's transaction.

    Compare-and-set on waiting, unexpired and the binding that the person saw: the row is locked, so of many at once
    exactly one succeeds. Raises Stale otherwise, Approval.DoesNotExist for none. Who may is the caller's to say.
    """
    approval = Approval.objects.select_for_update(of=("self",)).select_related("decided_by").get(pk=approval_id)
    if approval.state != "waiting":
        by = f" by {approval.decided_by.name}" if approval.decided_by else ""
        raise Stale(approval, f"Already {approval.state}{by}.")
    if approval.expires_at <= at:
        raise Stale(approval, "It has expired.")
    if bytes(approval.binding) != binding:
        raise Stale(approval, "What you saw is not what waits now; look again.")
    approval.state = verdict
    approval.decided_by_id = person_id
    approval.decided_at = at
    approval.reason = reason
    approval.note = note
    approval.save(update_fields=["state", "decided_by", "decided_at", "reason", "note"])
    return approval


def close_due(at: datetime, *, limit: int = 500) -> list[Approval]:
    """Mark waiting questions past their time as expired, in the caller's transaction; those it marked."""
    due = list(
        Approval.objects.select_for_update(skip_locked=True)
        .filter(state="waiting", expires_at__lte=at)
        .order_by("expires_at")[:limit]
    )
    Approval.objects.filter(pk__in=[approval.pk for approval in due]).update(state="expired", decided_at=at)
    return due


def take_back(approval: Approval, *, at: datetime) -> None:
    """Turn a yes into a no of the same person, in the caller's transaction, which holds its lock."""
    approval.state, approval.reason, approval.decided_at = "rejected", TAKEN_BACK, at
    approval.save(update_fields=["state", "reason", "decided_at"])
