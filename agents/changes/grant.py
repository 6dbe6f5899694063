"""Giving a person a verb on an agent, region or segment, for a while or for good; extending it, and taking it back."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents.access import SEE, forget
from agents.models import Agent, Grant, Region, Segment
from agents.models.grant import VERBS
from approvals.models import Person, Role
from approvals.moments import ahead
from audit.entries import Line, record

Thing = Agent | Region | Segment
NOUNS: dict[str, tuple[type[Thing], str]] = {
    "agent": (Agent, "slug"),
    "region": (Region, "code"),
    "segment": (Segment, "code"),
}


def give(
    person: Person,
    *,
    on: Thing,
    verbs: Collection[str],
    why: str,
    actor: str,
    by: Person | None = None,
    expires_at: datetime | None = None,
) -> list[Grant]:
    """
    Let `person` do exactly these verbs on `on` and all beneath it, until `expires_at` (aware; None: till taken back).

    It replaces what they were granted there, which is how a grant is extended or changed. `by`: who gives it.
    ValidationError by field: verbs, why, expires_at, person. Locks the person's row.
    """
    noun, _ = kind_and_key(on)
    _check(person, noun, verbs, why, expires_at, by)
    kind = ContentType.objects.get_for_model(on)
    known = {one.codename: one for one in Permission.objects.filter(content_type=kind, codename__in=verbs)}
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        there = Grant.objects.filter(user=person, content_type=kind, object_pk=str(on.pk))
        there.exclude(permission__codename__in=verbs).delete()
        given = [
            Grant.objects.update_or_create(
                user=person,
                permission=known[verb],
                content_type=kind,
                object_pk=str(on.pk),
                defaults={
                    "given_by": by,
                    "given_at": timezone.now(),
                    "expires_at": expires_at,
                    "why": why,
                    "told_at": None,
                },
            )[0]
            for verb in verbs
        ]
        until = expires_at.isoformat(timespec="minutes") if expires_at else ""
        _record("grant.given", person, on, actor, verbs=sorted(verbs), until=until, why=why)
    forget(person)
    return given


def take_back(person: Person, *, on: Thing, actor: str, why: str = "") -> list[str]:
    """End what `person` was granted on `on` itself, at once; the verbs that ended."""
    kind = ContentType.objects.get_for_model(on)
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        found = Grant.objects.filter(user=person, content_type=kind, object_pk=str(on.pk))
        ended = sorted(found.values_list("permission__codename", flat=True))
        if ended:
            found.delete()
            _record("grant.ended", person, on, actor, verbs=ended, why=why)
    forget(person)
    return ended


def kind_and_key(on: Thing) -> tuple[str, str]:
    """ "region", "emea/de": how the record and addresses name it."""
    noun = type(on).__name__.lower()
    return noun, str(getattr(on, NOUNS[noun][1]))


def _check(
    person: Person, noun: str, verbs: Collection[str], why: str, expires_at: datetime | None, by: Person | None
) -> None:
    wrong: dict[str, str] = {}
    if not verbs or set(verbs) - set(VERBS[noun]):
        wrong["verbs"] = f"Choose what they may do there: {', '.join(VERBS[noun])}."
    elif person.role == Role.AUDITOR and set(verbs) != {SEE}:
        wrong["verbs"] = "An auditor reads and changes nothing: grant only to see, or change their role first."
    if not why.strip():
        wrong["why"] = "Say why: it stands in the record, and beside the grant."
    if expires_at is not None:
        try:
            ahead(expires_at)
        except ValueError as fault:
            wrong["expires_at"] = str(fault)
    if not person.is_active:
        wrong["person"] = f"{person.name} can't sign in any more: let them in again first."
    if by is not None and by.pk == person.pk:
        wrong["person"] = "Nobody grants to themselves: ask another admin."
    if wrong:
        raise ValidationError(wrong)


def _record(verb: str, person: Person, on: Thing, actor: str, **detail: Any) -> None:
    noun, key = kind_and_key(on)
    said = {name: value for name, value in detail.items() if value}
    record(Line(verb, person.actor, actor, **{noun: key}, detail=said))  # type: ignore[arg-type]
