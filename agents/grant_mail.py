"""Telling people that a grant of theirs is about to end, once, while an admin can still extend it."""

import logging
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException, SMTPServerDisconnected
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from agents import access
from agents.access.whom import Granted, granted
from agents.models import Grant
from agents.paging import kind_of
from approvals.models import Person
from approvals.models.person import Mails
from audit.entries import Line, record

log = logging.getLogger(__name__)

ACTOR = "worker:telling"
AHEAD = timedelta(days=3)
"""How long before its end a grant is told of; one given for less than twice that ends without a word."""
MOST = 20
"""Persons whom one round tells."""


def tell_due(*, now: datetime | None = None) -> int:
    """
    Mail each person whose grants are about to end, with a copy to those who gave them and can extend them; how many
    mails went.

    A mail server that is away stops the round, and the next begins where it stopped; an address that it refuses is
    not tried again.
    """
    now = now or timezone.now()
    people = Person.objects.filter(is_active=True, pk__in=_ending(now).values("user_id")).order_by("pk")[:MOST]
    sent, mailer = 0, get_connection()
    try:
        for person in people:
            mailer.open()
            sent += _tell(person, now, mailer)
    except OSError as away:
        log.warning("nobody can be told of grants that end: %s", kind_of(away))
    finally:
        mailer.close()
    return sent


def _ending(now: datetime) -> QuerySet[Grant]:
    return Grant.objects.filter(
        told_at=None, expires_at__gt=now, expires_at__lte=now + AHEAD, given_at__lt=F("expires_at") - 2 * AHEAD
    )


def _tell(person: Person, now: datetime, mailer: Any) -> int:
    """The mail goes while the grants are locked, so that another round tells nobody twice; OSError rolls it back."""
    with transaction.atomic():
        locked = _ending(now).filter(user=person).select_for_update(skip_locked=True).values_list("pk", flat=True)
        mine = Grant.objects.filter(pk__in=list(locked))
        ending = sorted(granted(mine), key=lambda one: one.expires_at or now)
        went = bool(ending) and _send(person, ending, mailer)
        mine.update(told_at=now)
        if went:
            until = min(one.expires_at for one in ending if one.expires_at).isoformat(timespec="minutes")
            record(Line("grant.ending", person.actor, ACTOR, detail={"until": until}))
    return int(went)


def _send(person: Person, ending: list[Granted], mailer: Any) -> bool:
    """Whether the server took it; OSError where it could not be asked."""
    givers = {one.given_by for one in ending if one.given_by}
    copies = {one.email for one in givers if one.mails != Mails.NEVER and access.may(one, access.ADMINISTER)}
    context = {"person": person, "ending": ending, "zone": person.zone, "base_url": settings.BASE_URL}
    mail = EmailMessage(
        f"[Signalbox] What {person.name} was granted ends soon",
        render_to_string("people/ending.txt", context),
        to=[person.email],
        cc=sorted(copies - {person.email}),
        connection=mailer,
    )
    try:
        mail.send()
    except SMTPServerDisconnected:
        raise
    except (SMTPResponseException, SMTPRecipientsRefused) as refused:
        log.warning("a person could not be told of grants that end: %s", kind_of(refused))
        return False
    return True
