"""Frozen questions and their verdicts: opened, answered, expired, withdrawn. Only `agents` calls this."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db.models import Max

from approvals.models import Approval, Verdict

TAKEN_BACK = "taken-back"
"""The reason of a no that was a yes at first."""
MOST_MS = 2_000_000_000


class Question(NamedTuple):
    """
    What is asked, frozen. `binding` hashes all that a yes permits; the form posts it back.

    `needed` different persons must say yes; `editable` are the paths in the payload that they may edit. `warn_at` and
    `next_at` lie before `expires_at`: from when it expires soon, and when the next in turn is called.
    """

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
    needed: int = 1
    editable: tuple[str, ...] = ()
    warn_at: datetime | None = None
    next_at: datetime | None = None
    editors: tuple[int, ...] = ()
    supersedes: UUID | None = None
    planted: bool = False


OPEN = """
INSERT INTO approvals_approval
    (id, subject, question, binding, agent, region, segment, risk, state, opened_at, expires_at, needed, editable,
     warn_at, next_at, editors, supersedes_id, planted, step, reason, note)
SELECT id, subject, question, binding, agent, region, segment, risk, 'waiting', opened_at, expires_at, needed, editable,
    warn_at, next_at, editors, supersedes, planted, 0, '', ''
FROM unnest(%s::uuid[], %s::text[], %s::jsonb[], %s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::timestamptz[], %s::timestamptz[], %s::int2[], %s::jsonb[], %s::timestamptz[], %s::timestamptz[],
            %s::jsonb[], %s::uuid[], %s::bool[])
    AS t(id, subject, question, binding, agent, region, segment, risk, opened_at, expires_at, needed, editable,
         warn_at, next_at, editors, supersedes, planted)
"""


def open_questions(cursor: Any, questions: Sequence[Question]) -> None:
    """Write `questions` in `cursor`'s transaction, one statement. A subject waits once: a second one is refused."""
    if not questions:
        return
    columns: list[list[Any]] = [list(column) for column in zip(*questions, strict=True)]
    for json in (2, 11, 14):
        columns[json] = [orjson.dumps(value).decode() for value in columns[json]]
    cursor.execute(OPEN, columns)


@dataclass(frozen=True, slots=True)
class Stale(Exception):
    """The question was no longer open, or not the one that was shown; `approval` says who decided what."""

    approval: Approval
    why: str


def lock(approval_id: UUID) -> Approval:
    """The question, locked in the caller's transaction. Raises Approval.DoesNotExist."""
    found: Approval = (
        Approval.objects.select_for_update(of=("self",))
        .select_related("decided_by", "assigned_to", "supersedes")
        .get(pk=approval_id)
    )
    return found


def check_open(approval: Approval, *, at: datetime, frozen: bool = False, binding: bytes | None = None) -> None:
    """Raise Stale unless it waits, unexpired (while `frozen` no time passes), and is what `binding` says was shown."""
    if approval.state != "waiting":
        by = f" by {approval.decided_by.name}" if approval.decided_by else ""
        raise Stale(approval, f"Already {approval.state}{by}.")
    if approval.expires_at <= at and not frozen:
        raise Stale(approval, "It has expired.")
    if binding is not None and bytes(approval.binding) != binding:
        raise Stale(approval, "What you saw is not what waits now; look again.")


def answer(
    approval: Approval,
    *,
    said: str,
    person_id: int,
    at: datetime,
    seen_at: datetime | None = None,
    reason: str = "",
    note: str = "",
    bulk: bool = False,
) -> None:
    """
    Give one person's answer, "yes" or "no", to a question that the caller has locked and found open.

    One no ends it; a yes does once `needed` different persons have said it, until then it goes on waiting. Raises Stale
    when this person has said yes already; the database would refuse it too.
    """
    standing = Verdict.objects.filter(approval=approval, said="yes", voided_at=None)
    before = set(standing.values_list("person_id", flat=True))
    if said == "yes" and person_id in before:
        raise Stale(approval, "You have said yes already; it waits for somebody else.")
    if said == "no":
        # Who said yes may still say no: their yes no longer stands.
        standing.filter(person_id=person_id).update(voided_at=at)
    Verdict.objects.create(
        approval=approval,
        person_id=person_id,
        said=said,
        binding=bytes(approval.binding),
        at=at,
        took_ms=_took_ms(approval, person_id, at, seen_at),
        bulk=bulk,
        note=note,
    )
    if said == "yes" and len(before) + 1 < approval.needed:
        return
    approval.state = "approved" if said == "yes" else "rejected"
    approval.decided_by_id = person_id
    approval.decided_at = at
    approval.reason = reason
    approval.note = note
    approval.save(update_fields=["state", "decided_by", "decided_at", "reason", "note"])


def void(approval: Approval, *, at: datetime) -> int:
    """Let no answer stand: what was asked is no longer what they answered. How many stood."""
    return Verdict.objects.filter(approval=approval, voided_at=None).update(voided_at=at)


def withdraw(approval: Approval, *, at: datetime, why: str) -> None:
    """End a question, waiting or approved, that the caller has locked: nobody's no, and no yes of it stands."""
    void(approval, at=at)
    approval.state, approval.decided_by, approval.decided_at, approval.note = "withdrawn", None, at, why
    approval.save(update_fields=["state", "decided_by", "decided_at", "note"])


def expire(ids: Sequence[UUID], *, at: datetime) -> None:
    """Mark questions that the caller has locked as expired, which is not rejected."""
    Approval.objects.filter(pk__in=ids, state="waiting").update(state="expired", decided_at=at)


def take_back(approval: Approval, *, at: datetime) -> None:
    """Turn a yes into a no of the same person, in the caller's transaction, which holds its lock."""
    void(approval, at=at)
    approval.state, approval.reason, approval.decided_at = "rejected", TAKEN_BACK, at
    approval.save(update_fields=["state", "reason", "decided_at"])


def _took_ms(approval: Approval, person_id: int, at: datetime, seen_at: datetime | None) -> int:
    """Since they could look at it: it was open, their last answer was given, and the page, where known, was drawn."""
    last = Verdict.objects.filter(person_id=person_id, at__gt=at - timedelta(hours=1)).aggregate(at=Max("at"))["at"]
    known = [approval.opened_at, *(moment for moment in (last, seen_at) if moment and moment <= at)]
    return min(MOST_MS, max(0, int((at - max(known)).total_seconds() * 1000)))
