"""Yes, no, and a yes taken back."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.questions.common import asked, move, open_for
from agents.questions.common import note as _note
from agents.questions.plants import told_afterwards
from approvals import questions
from approvals.models import Approval, Person, Verdict
from approvals.questions import Stale

UNDO_SECONDS = 5
"""An approved action leaves after so long, so that a slip can be taken back."""
PUBLISHED_SINCE = "The boundaries were changed since it was asked; it is being decided again."


def approve(
    approval_id: UUID,
    *,
    person: Person,
    binding: bytes,
    note: str = "",
    seen_at: datetime | None = None,
    bulk: bool = False,
) -> Approval:
    """
    Say yes. Once as many as are needed said so, the action becomes ready, to leave in UNDO_SECONDS; until then the
    question goes on waiting for others.

    `seen_at` is when the page was drawn, for the time it took. PermissionDenied unless the person may answer it;
    approvals.questions.Stale when someone was first, it expired, they said yes already, or `binding` is not what waits.
    Nothing changes in either case. The caller wakes a worker after the commit.
    """
    with transaction.atomic():
        at = timezone.now()
        approval = open_for(approval_id, person, at=at, binding=binding)
        questions.answer(approval, said="yes", person_id=person.pk, at=at, seen_at=seen_at, note=note, bulk=bulk)
        after_yes(approval, person, at, note=note)
    return approval


def after_yes(approval: Approval, person: Person, at: datetime, *, note: str = "") -> None:
    """What a yes just given does: the action becomes ready if it was the last one needed. Raises Stale, to be rolled
    back, when the action is no longer what was asked about."""
    seconds = int((at - approval.opened_at).total_seconds())
    if approval.planted:
        told_afterwards(approval, person, at)
    elif approval.state == "waiting":
        counts = {"given": approval.given, "needed": approval.needed}
        _note(approval, "action.agreed", person.actor, seconds=seconds, **counts, personal={"note": note})
    else:
        if not move(
            approval, "waiting", "ready", f"Approved by {_names(approval)}.", by=person.actor, delay=UNDO_SECONDS
        ):
            raise Stale(approval, PUBLISHED_SINCE)
        said = {**asked(approval), "note": note}
        _note(approval, "action.approved", person.actor, seconds=seconds, by=_people(approval), personal=said)


def reject(
    approval_id: UUID,
    *,
    person: Person,
    binding: bytes,
    reason: str,
    note: str = "",
    seen_at: datetime | None = None,
) -> Approval:
    """Say no, with a reason code: one is enough, and the action is over. Raises as `approve`."""
    with transaction.atomic():
        at = timezone.now()
        approval = open_for(approval_id, person, at=at, binding=binding)
        questions.answer(approval, said="no", person_id=person.pk, at=at, seen_at=seen_at, reason=reason, note=note)
        if approval.planted:
            told_afterwards(approval, person, at)
        else:
            move(
                approval,
                "waiting",
                "rejected",
                f"Rejected by {person.name}: {reason.replace('-', ' ')}.",
                by=person.actor,
            )
            _note(approval, "action.rejected", person.actor, reason=reason, personal={"note": note})
    return approval


def take_back(approval_id: UUID, *, person: Person) -> bool:
    """
    Undo one's own yes: while others are still needed the question waits on without it; while the action has not left,
    question and action are rejected as a slip. False: too late, or there is no such yes.
    """
    with transaction.atomic():
        approval = questions.lock(approval_id)
        at = timezone.now()
        if approval.state == "waiting":
            own = Verdict.objects.filter(approval=approval, person=person, said="yes", voided_at=None)
            if not own.update(voided_at=at):
                return False
            _note(approval, "action.disagreed", person.actor, needed=approval.needed)
            return True
        if approval.state != "approved" or approval.decided_by_id != person.pk or approval.planted:
            return False
        if not move(approval, "ready", "rejected", f"Taken back by {person.name}.", by=person.actor):
            return False
        questions.take_back(approval, at=at)
        _note(approval, "action.rejected", person.actor, reason=questions.TAKEN_BACK)
    return True


def _people(approval: Approval) -> list[str]:
    """Everyone whose yes stands, as the record names them, in the order they said it."""
    said = Verdict.objects.filter(approval=approval, said="yes", voided_at=None).order_by("id")
    return [f"person:{id_}" for id_ in said.values_list("person_id", flat=True)]


def _names(approval: Approval) -> str:
    said = Verdict.objects.filter(approval=approval, said="yes", voided_at=None).order_by("id")
    return " and ".join(said.values_list("person__name", flat=True))
