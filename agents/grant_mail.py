"""Telling people that a grant of theirs is about to end, once, while whoever gave it can still extend it."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone

from agents.models import Grant
from agents.models.grant import SAYS
from agents.paging import kind_of
from approvals.models import Person
from approvals.models.person import Mails
from audit.entries import Line, record

log = logging.getLogger(__name__)

ACTOR = "worker:telling"
AHEAD = timedelta(days=3)
"""How long before its end a grant is told of; one given for less than twice that ends without a word."""
MOST = 50
"""Persons whom one round tells."""


def tell_due() -> int:
    """
    Mail each person whose grants are about to end, and whoever gave them; how many mails went.

    The grants are claimed before the mail goes, with an entry, so that nobody is told twice. Who wants no mails gets
    none.
    """
    now = timezone.now()
    due = Grant.objects.filter(
        told_at=None, expires_at__gt=now, expires_at__lte=now + AHEAD, given_at__lt=F("expires_at") - 2 * AHEAD
    ).filter(user__is_active=True)
    return sum(_tell(pk) for pk in due.order_by("user_id").values_list("user_id", flat=True).distinct()[:MOST])


def _tell(pk: int) -> int:
    now = timezone.now()
    with transaction.atomic():
        person = Person.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
        if person is None:
            return 0
        ending = list(
            Grant.objects.filter(user=person, told_at=None, expires_at__gt=now, expires_at__lte=now + AHEAD)
            .select_related("permission", "content_type", "given_by")
            .order_by("expires_at", "pk")
        )
        if not ending:
            return 0
        Grant.objects.filter(pk__in=[one.pk for one in ending]).update(told_at=now)
        until = min(one.expires_at for one in ending if one.expires_at).isoformat(timespec="minutes")
        record(Line("grant.ending", person.actor, ACTOR, detail={"until": until, "grants": len(ending)}))
    givers = {one.given_by for one in ending if one.given_by and one.given_by.is_active}
    return sum(_send(person, one, ending) for one in sorted({person, *givers}, key=lambda one: one.pk))


def _send(person: Person, to: Person, ending: Sequence[Grant]) -> int:
    if to.mails == Mails.NEVER:
        return 0
    context = {
        "person": person,
        "oneself": to == person,
        "ending": [(one, SAYS[one.permission.codename], one.content_object) for one in ending],
        "zone": to.zone,
        "base_url": settings.BASE_URL,
    }
    subject = f"[Signalbox] {'Your' if to == person else f'{person.name}’s'} grants end soon"
    try:
        EmailMessage(subject, render_to_string("people/ending.txt", context), to=[to.email]).send()
    except Exception as failure:
        log.exception("a person could not be told of grants that end: %s", kind_of(failure))
        return 0
    return 1
