"""The order of the Inbox: handed to oneself first, then soonest to expire; and what comes after a question."""

from uuid import UUID

from django.db.models import Q, QuerySet

from agents import access, questions
from approvals.models import Approval, Person
from console.views.inbox_filters import Filters


def after(waiting: QuerySet[Approval], last: Approval | None) -> QuerySet[Approval]:
    """The questions of `waiting` (of `questions.for_inbox`) listed after `last`; all of them when it is None."""
    if last is None:
        return waiting
    later = Q(expires_at__gt=last.expires_at) | Q(expires_at=last.expires_at, pk__gt=last.pk)
    mine = getattr(last, "mine", 0)
    return waiting.filter(Q(mine__lt=mine) | (Q(mine=mine) & later))


def at(person: Person, cursor: str) -> Approval | None:
    """The question a cursor names, if the person sees it, whatever became of it; placed as their list places it."""
    id_ = uuid(cursor)
    found = access.visible(person, Approval.objects.filter(pk=id_)).first() if id_ else None
    return placed(person, found) if found else None


def placed(person: Person, approval: Approval) -> Approval:
    """The question with `mine` as in the person's list."""
    approval.mine = int(approval.assigned_to_id == person.pk)  # type: ignore[attr-defined]
    return approval


def following(person: Person, approval: Approval, filters: Filters) -> Approval | None:
    """The question to answer after this one: the next listed, else the first; None when nothing is left."""
    matching = filters.matching(questions.for_inbox(person)).exclude(pk=approval.pk)
    return after(matching, placed(person, approval)).first() or matching.first()


def uuid(text: str) -> UUID | None:
    """The id that the text is, None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None
