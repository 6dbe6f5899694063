"""
Away, and who stands in: what would be asked of somebody who is away is asked of their delegate.

A delegate answers by grants of their own: standing in tells and orders, it never lets anybody do more. Of a chain of
people who are away it is the first who is not; a loop has nobody.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents import access
from approvals.models import Person
from approvals.moments import within_reach
from audit.entries import Line, record


def is_away(person: Person, at: datetime | None = None) -> bool:
    """Whether they are away at that moment (now)."""
    at = at or timezone.now()
    return (
        person.away_from is not None
        and person.away_from <= at
        and (person.away_until is None or at < person.away_until)
    )


def stand_in(person: Person, at: datetime | None = None) -> Person | None:
    """Themselves when active and not away; else the first of their delegates who is. None: nobody is."""
    at = at or timezone.now()
    met: set[int] = set()
    one: Person | None = person
    while one is not None and one.pk not in met:
        met.add(one.pk)
        if one.is_active and not is_away(one, at):
            return one
        one = one.delegate
    return None


def stands_for(person: Person, at: datetime | None = None) -> set[int]:
    """The ids of those who are away and whose stand-in this person is. Two statements and one a link of a chain."""
    at = at or timezone.now()
    gone = Person.objects.filter(away_from__lte=at, delegate__isnull=False).select_related("delegate")
    return {one.pk for one in gone if is_away(one, at) and (stand_in(one, at) or one).pk == person.pk}


def set_away(
    person: Person, *, by: Person, since: datetime, until: datetime | None, delegate: Person | None = None
) -> Person:
    """
    Say that they are away, from `since` until `until` (None: until they say that they are back), and who stands in.

    One's own, or an admin's to say: PermissionDenied. ValidationError by field: `until` not after `since`, either
    out of bounds (approvals.moments), or a delegate who is closed, may approve nowhere, or whose own delegates lead
    back to them.
    """
    if by.pk != person.pk:
        access.require(by, access.ADMINISTER)
    wrong: dict[str, str] = {}
    for name, at in (("since", since), ("until", until)):
        try:
            if at is not None:
                within_reach(at)
        except ValueError as fault:
            wrong[name] = str(fault)
    if until is not None and (until <= since or until <= timezone.now()):
        wrong["until"] = "It must come after the beginning, and after now."
    if delegate is not None:
        if delegate.pk == person.pk or _leads_to(delegate, person):
            wrong["delegate"] = "That leads back to you: name somebody else."
        elif not delegate.is_active or not access.may_somewhere(delegate, access.APPROVE):
            wrong["delegate"] = f"{delegate.name} may not answer questions: name somebody who may."
    if wrong:
        raise ValidationError(wrong)
    with transaction.atomic():
        one = Person.objects.select_for_update(of=("self",)).get(pk=person.pk)
        one.away_from, one.away_until, one.delegate = since, until, delegate
        one.save(update_fields=["away_from", "away_until", "delegate"])
        detail = {"since": since.isoformat(), "until": until.isoformat() if until else "", "delegate": _actor(delegate)}
        record(Line("person.away", one.actor, by.actor, detail={name: said for name, said in detail.items() if said}))
    return one


def clear(person: Person, *, by: Person) -> Person:
    """Say that they are back; nothing happens when they were not away. PermissionDenied as `set_away`."""
    if by.pk != person.pk:
        access.require(by, access.ADMINISTER)
    with transaction.atomic():
        one = Person.objects.select_for_update(of=("self",)).get(pk=person.pk)
        if one.away_from is not None:
            one.away_from = one.away_until = one.delegate = None
            one.save(update_fields=["away_from", "away_until", "delegate"])
            record(Line("person.back", one.actor, by.actor))
    return one


def _leads_to(start: Person, target: Person) -> bool:
    met: set[int] = set()
    one: Person | None = start
    while one is not None and one.pk not in met:
        met.add(one.pk)
        if one.pk == target.pk:
            return True
        one = one.delegate
    return False


def _actor(person: Person | None) -> str:
    return person.actor if person else ""
