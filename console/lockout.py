"""A sign-in locked by too many wrong tries, told in the record."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest

from approvals.models import Person
from audit.entries import Line, record


def note_lock(sender: Any, *, request: HttpRequest, username: str | None, **kwargs: Any) -> None:
    """One entry when the lock falls, none for tries while it stands, and none of an e-mail that is nobody's."""
    tries = getattr(request, "axes_failures_since_start", None)
    person = Person.objects.filter(email=username).first() if tries else None
    if person:
        with transaction.atomic():
            record(Line("person.locked", person.actor, "worker:sign-in", detail={"tries": tries}))
