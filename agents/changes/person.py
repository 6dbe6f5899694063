"""Changes of people by an admin. Nobody is deleted: the record names them; a person who left can't sign in."""

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from agents.access.roles import ANSWERABLE
from agents.changes.seen import changed, check
from agents.models import Agent, Stage
from approvals.models import Person, Role
from audit.entries import Line, record

PRIVATE = ("name", "email")
"""What the record does not repeat: it says only that it changed."""


class StillOwns(Exception):
    """The person owns, or stands in for the owner of, `agents`: others are named first."""

    def __init__(self, person: Person, agents: list[Agent]) -> None:
        self.agents = agents
        owned, deputised = (
            ", ".join(agent.name for agent in agents if (agent.owner_id == person.pk) is owns) for owns in (True, False)
        )
        says = [f"They still own {owned}: hand over first."] if owned else []
        says += [f"They are the deputy for {deputised}: name another."] if deputised else []
        super().__init__(" ".join(says))


def parts(person: Person) -> dict[str, Any]:
    """What `change_person` changes."""
    return {name: getattr(person, name) for name in ("name", "email", "role", "everywhere", "time_zone")}


def owned(person: Person) -> list[Agent]:
    """The agents past draft that would be left without an owner or a deputy."""
    return list(
        Agent.objects.filter(Q(owner=person) | Q(deputy=person)).exclude(stage__in=(Stage.DRAFT, Stage.RETIRED))
    )


def create_person(
    *, actor: str, email: str, name: str, role: str, time_zone: str = "UTC", everywhere: bool = True
) -> Person:
    """A new person, with a password that nobody knows until they set one. ValidationError by field."""
    email = Person.objects.normalize_email(email)
    person = Person(email=email, name=name, role=role, time_zone=time_zone, everywhere=everywhere)
    person.set_password(secrets.token_urlsafe(32))
    _check(person)
    with transaction.atomic():
        person.save()
        record(
            Line(
                "person.created",
                person.actor,
                actor,
                detail={"role": str(role), **({} if everywhere else {"everywhere": False})},
            )
        )
    return person


def change_person(person: Person, *, actor: str, seen: str = "", **values: Any) -> Person:
    """Change name, e-mail, role and whether it holds everywhere, or time zone. ChangedSince; ValidationError by field,
    also for taking one's own role as admin away, or the last one's."""
    with transaction.atomic():
        admins = _admins()
        one = Person.objects.select_for_update().get(pk=person.pk)
        before = parts(one)
        check(seen, before, subject=one.actor)
        for name, value in values.items():
            setattr(one, name, value)
        _check(one)
        if before["role"] == Role.ADMIN != one.role:
            if one.actor == actor:
                raise ValidationError({"role": "You can't take this from yourself: ask another admin."})
            if admins == {one.pk}:
                raise ValidationError({"role": "Nobody else is an admin: make someone one first."})
        if before["role"] != one.role and one.role not in ANSWERABLE and (agents := owned(one)):
            raise ValidationError({"role": f"This role can't answer for agents. {StillOwns(one, agents)}"})
        after = parts(one)
        fields = sorted(name for name in after if after[name] != before[name])
        if fields:
            one.save(update_fields=fields)
            plain = [{k: v for k, v in said.items() if k not in PRIVATE} for said in (before, after)]
            record(Line("person.changed", one.actor, actor, detail={"fields": fields, **changed(*plain)}))
    return one


def close_person(person: Person, *, actor: str) -> Person:
    """
    End their signing in, at once, on every device.

    StillOwns while they are owner or deputy of agents past draft; ValidationError for oneself or the last admin.
    """
    try:
        with transaction.atomic():
            admins = _admins()
            one = Person.objects.select_for_update().get(pk=person.pk)
            if one.actor == actor:
                raise ValidationError("You can't close your own sign-in: ask another admin.")
            if admins == {one.pk}:
                raise ValidationError("Nobody else is an admin: make someone one first.")
            if agents := owned(one):
                raise StillOwns(one, agents)
            if one.is_active:
                one.is_active = False
                one.save(update_fields=["is_active"])
                record(Line("person.closed", one.actor, actor))
    except IntegrityError:
        # An agent became theirs between the look and the commit; the database refused.
        if agents := owned(person):
            raise StillOwns(person, agents) from None
        raise
    return one


def reopen_person(person: Person, *, actor: str) -> Person:
    """Let them sign in again, with the password they had."""
    with transaction.atomic():
        one = Person.objects.select_for_update().get(pk=person.pk)
        if not one.is_active:
            one.is_active = True
            one.save(update_fields=["is_active"])
            record(Line("person.reopened", one.actor, actor))
    return one


def note_invited(person: Person, *, actor: str, mailed: bool) -> None:
    """Write down that they were given a link to set a password: by mail, or shown to `actor`."""
    with transaction.atomic():
        record(Line("person.invited", person.actor, actor, detail={"by": "mail" if mailed else "link"}))


def _admins() -> set[int]:
    """The active admins, locked, so that two admins cannot each take the other away."""
    rows = Person.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk")
    return set(rows.values_list("pk", flat=True))


def _check(person: Person) -> None:
    person.full_clean(exclude=["password", "last_login"], validate_unique=False, validate_constraints=False)
    if Person.objects.filter(email__iexact=person.email).exclude(pk=person.pk).exists():
        raise ValidationError({"email": "Someone with this e-mail is already here."})
