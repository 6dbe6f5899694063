"""The talk about a question, and putting it off: what leaves it waiting as it is, deadlines too."""

from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Case, Exists, IntegerField, OuterRef, QuerySet, Value, When
from django.utils import timezone

from agents import access
from agents.absence import stand_in, stands_for
from agents.models import Agent
from agents.questions.common import note, open_for
from approvals import questions
from approvals.models import Approval, Call, Message, Person, Snooze
from approvals.questions import Stale

LONGEST = 2000


def ask(approval_id: UUID, *, person: Person, text: str, to: Person | None = None) -> Message:
    """
    Ask somebody about a waiting question: `to`, or the owner of its agent; a stand-in while they are away. They are
    told.

    PermissionDenied unless the person may answer it; ValidationError for no text, or where nobody could be asked or
    they may not see it; Stale when it no longer waits.
    """
    text = _text(text)
    with transaction.atomic():
        at = timezone.now()
        approval = open_for(approval_id, person, at=at)
        asked = to or Agent.objects.select_related("owner").get(slug=approval.agent).owner
        whom = stand_in(access.fresh(asked), at) if asked else None
        if whom is None or whom.pk == person.pk:
            raise ValidationError({"to": "There is nobody else to ask: choose a person who is there."})
        if not access.may(whom, access.SEE, approval):
            raise ValidationError({"to": f"{whom.name} may not see this question: choose somebody who may."})
        message = Message.objects.create(approval=approval, person=person, to=whom, text=text, at=at)
        Call.objects.create(approval=approval, person=whom, kind=Call.Kind.QUERIED, by=person, at=at)
        note(approval, "action.queried", person.actor, to=whom.actor, personal={"text": text})
    return message


def reply(approval_id: UUID, *, person: Person, text: str) -> Message:
    """
    Reply in the talk about a question, while it waits; everybody else in it is told.

    PermissionDenied unless the person was asked, or may answer it; ValidationError for no text or no talk yet.
    """
    text = _text(text)
    with transaction.atomic():
        at = timezone.now()
        approval = questions.lock(approval_id)
        talk = list(Message.objects.filter(approval=approval).select_related("person", "to"))
        people = {one.person_id: one.person for one in talk} | {one.to_id: one.to for one in talk if one.to_id}
        if person.pk not in people and not access.may_answer(person, approval):
            raise PermissionDenied("You were not asked about this question, and you may not answer it.")
        if approval.state != "waiting":
            raise Stale(approval, f"Already {approval.state}.")
        if not talk:
            raise ValidationError({"text": "Nobody has asked anything yet: ask first."})
        message = Message.objects.create(approval=approval, person=person, text=text, at=at)
        Call.objects.bulk_create(
            Call(approval=approval, person=one, kind=Call.Kind.REPLIED, by=person, at=at)
            for id_, one in people.items()
            if one is not None and id_ != person.pk
        )
        note(approval, "action.replied", person.actor, personal={"text": text})
    return message


def snooze(approval_id: UUID, *, person: Person, until: datetime) -> Snooze:
    """
    Put a waiting question off for this person; for everybody else, and for its deadline, nothing changes.

    PermissionDenied unless the person may answer it; ValidationError unless `until` lies between now and its expiry;
    Stale when it no longer waits.
    """
    with transaction.atomic():
        at = timezone.now()
        approval = open_for(approval_id, person, at=at)
        if not at < until < approval.expires_at:
            raise ValidationError({"until": "Choose a time between now and when the question expires."})
        put_off, _ = Snooze.objects.update_or_create(approval=approval, person=person, defaults={"until": until})
        note(approval, "action.snoozed", person.actor, until=until.isoformat())
    return put_off


def unsnooze(approval_id: UUID, *, person: Person) -> bool:
    """Have a question back that this person put off. False: they had not."""
    with transaction.atomic():
        approval = questions.lock(approval_id)
        if not Snooze.objects.filter(approval=approval, person=person).delete()[0]:
            return False
        note(approval, "action.unsnoozed", person.actor)
    return True


def for_inbox(person: Person) -> QuerySet[Approval]:
    """
    What waits for this person and is not put off by them: first what is theirs (`mine` = 1: handed to them, or to
    somebody who is away and whom they stand in for), then soonest to expire.
    """
    theirs = Case(
        When(assigned_to__in={person.pk, *stands_for(person)}, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    waiting = access.waiting_for(person).filter(~Exists(_put_off(person)))
    return waiting.annotate(mine=theirs).order_by("-mine", "expires_at", "id")


def snoozed_by(person: Person) -> QuerySet[Approval]:
    """What waits for this person and is put off by them."""
    return access.waiting_for(person).filter(Exists(_put_off(person)))


def _put_off(person: Person) -> QuerySet[Snooze]:
    return Snooze.objects.filter(approval=OuterRef("pk"), person=person, until__gt=timezone.now())


def _text(text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST or "\0" in text:
        raise ValidationError({"text": f"Write something, of at most {LONGEST} characters."})
    return text
