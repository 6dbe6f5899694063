"""The first admin of an install, made from the command line."""

import secrets

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from approvals.models import Person, Role
from audit.entries import Line, record


def ask_for_admin() -> str:
    """The address that whoever sits at the terminal gives."""
    return input("E-mail of the first admin: ").strip()


def make_admin(email: str, *, actor: str, name: str = "") -> tuple[Person, str]:
    """An active admin of this address, new or promoted, with a new password. ValidationError for what is no address."""
    validate_email(email)
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        person = Person.objects.select_for_update().filter(email__iexact=email).first()
        new = person is None
        if person is None:
            person = Person(email=Person.objects.normalize_email(email), name=name or email.partition("@")[0])
        if person.is_demo:
            raise ValidationError("That is a person of the demo workspace, who goes with it: give your own address.")
        person.role, person.is_active = Role.ADMIN, True
        person.set_password(password)
        person.full_clean()
        person.save()
        record(
            Line("person.created" if new else "person.changed", person.actor, actor, detail={"role": Role.ADMIN.value})
        )
    return person, password
