"""Saying yes to several at once: of one play and of low risk only, each standing or falling by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction

from agents import access
from agents.models import Action
from agents.questions.answers import approve
from approvals.models import Approval, Person
from approvals.questions import Stale

MOST = 100
PATIENCE = "1s"
"""How long one item waits for a lock before it fails, so that it holds the others back no longer."""
GONE = "That question is no longer here."


@dataclass(frozen=True, slots=True)
class Bulk:
    """What came of one of several: whether the yes was taken, and in words."""

    id: UUID
    approval: Approval | None
    ok: bool
    says: str


def approve_many(picks: Sequence[tuple[UUID, bytes]], *, person: Person) -> list[Bulk]:
    """
    A yes to each (question, binding), in transactions of their own, in the order given; a result for each.

    One that the person does not see is as one that is not there. ValidationError, with nothing answered, unless those
    they see are at most MOST, all of one play and all of low risk. Not inside a transaction. The caller wakes a worker.
    """
    if connection.in_atomic_block:
        raise RuntimeError("each of several answers wants a transaction of its own")
    picks = list(dict(picks).items())
    found = access.visible(person, Approval.objects.all()).in_bulk([id_ for id_, _ in picks])
    if not found or len(picks) > MOST or any(one.risk != "low" for one in found.values()) or len(_plays(found)) > 1:
        raise ValidationError(
            f"Pick at most {MOST} questions of one play and of low risk; decide the others one by one."
        )
    return [_one(id_, binding, found.get(id_), person) for id_, binding in picks]


def _one(id_: UUID, binding: bytes, shown: Approval | None, person: Person) -> Bulk:
    if shown is None:
        return Bulk(id_, None, False, GONE)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            approval = approve(id_, person=person, binding=binding, bulk=True)
    except Stale as stale:
        return Bulk(id_, stale.approval, False, stale.why)
    except PermissionDenied as refused:
        return Bulk(id_, shown, False, str(refused))
    except Approval.DoesNotExist:
        return Bulk(id_, None, False, GONE)
    except DatabaseError:
        return Bulk(id_, shown, False, "Somebody is busy with it: try again in a moment.")
    if approval.state == "approved":
        return Bulk(id_, approval, True, "Approved.")
    return Bulk(id_, approval, True, f"Your yes is counted; {approval.needed - approval.given} more needed.")


def _plays(found: dict[UUID, Approval]) -> set[int]:
    actions = [UUID(one.subject.partition(":")[2]) for one in found.values()]
    return set(Action.objects.filter(pk__in=actions).values_list("play", flat=True))
