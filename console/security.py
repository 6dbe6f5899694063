"""What concerns how a person signs in: in the record, and in a mail to them, so that nothing of it happens unseen."""

from typing import Any

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from approvals.models import Person
from audit.entries import Line, record

log = structlog.get_logger(__name__)

TOLD: dict[str, str] = {
    "person.locked": "Your sign-in is locked for a while",
    "person.changed": "Your password was changed",
    "person.step_added": "Your sign-in has a new second step",
    "person.step_removed": "A second step of your sign-in was removed",
    "person.steps_reset": "Your second steps were removed by an admin",
    "person.codes_made": "You have new recovery codes",
    "person.code_used": "A recovery code was used to sign in",
    "person.signed_out_everywhere": "You were signed out everywhere",
    "person.linked": "Your sign-in is linked to your provider",
    "token.created": "A new API token works in your name",
    "token.revoked": "An API token of yours was revoked",
}
"""The subject of the mail for each verb."""


def note(verb: str, person: Person, *, actor: str, **detail: Any) -> None:
    """One entry, in the transaction of the change; and once it has committed a mail, where the verb has one."""
    record(Line(verb, person.actor, actor, detail=detail))
    if verb in TOLD:
        tell(person, verb, by=actor, **detail)


def tell(person: Person, verb: str, *, by: str = "", **detail: Any) -> None:
    """Mail the person what happened to their sign-in, once it has committed. A mail that fails is logged, no more."""
    kind, _, key = by.partition(":")
    other = Person.objects.filter(pk=key).first() if kind == "person" and by != person.actor else None
    context = {
        "person": person,
        "title": TOLD[verb],
        "verb": verb,
        "by": other,
        "base_url": settings.BASE_URL,
        **detail,
    }

    def send() -> None:
        try:
            send_mail(f"[Signalbox] {TOLD[verb]}", render_to_string("sign_in/told.txt", context), None, [person.email])
        except OSError as fault:
            log.warning("security_mail_failed", verb=verb, person=person.pk, fault=type(fault).__name__)

    if not person.is_demo:
        transaction.on_commit(send)
