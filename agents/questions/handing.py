"""Handing a question to somebody: they see it first; others who may can still answer it."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents import access
from agents.absence import stand_in
from agents.questions.common import note as _note
from agents.questions.common import open_for
from approvals.models import Approval, Call, Person


def candidates(approval: Approval, *, but: Person) -> list[Person]:
    """Whom it could be handed to, by name: everybody who may answer it, is not away, and is not `but`."""
    at = timezone.now()
    here = (person for person in access.may_answer_it(approval) if stand_in(person, at) == person)
    return [person for person in here if person.pk != but.pk]


def hand_to(approval_id: UUID, *, person: Person, to: Person, note: str = "") -> Approval:
    """
    Hand a waiting question to `to`, or to their stand-in while they are away; they are told.

    PermissionDenied unless `person` may answer it; ValidationError unless `to` may; Stale when it no longer waits.
    """
    with transaction.atomic():
        at = timezone.now()
        approval = open_for(approval_id, person, at=at)
        whom = stand_in(access.fresh(to), at)
        if whom is None:
            raise ValidationError({"to": f"{to.name} is away, and nobody stands in: choose somebody else."})
        if not access.may_answer(whom, approval):
            raise ValidationError({"to": f"{whom.name} may not answer this question: choose somebody who may."})
        approval.assigned_to = whom
        approval.save(update_fields=["assigned_to"])
        Call.objects.create(approval=approval, person=whom, kind=Call.Kind.HANDED, by=person, at=at, detail=note[:300])
        stead = {"behalf": to.actor} if whom.pk != to.pk else {}
        _note(approval, "action.handed", person.actor, to=whom.actor, personal={"note": note}, **stead)
    return approval
