"""Telling the owners and deputies of the agents that a pause concerns, once each, by the paging's own mail."""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from agents import reach
from agents.models import Agent, Pause
from agents.paging import kind_of
from agents.sections import Section
from approvals.models import Person
from audit.entries import Line, record

log = logging.getLogger(__name__)

ACTOR = "worker:paging"
STALE = timedelta(hours=1)
"""A pause set longer ago tells nobody any more."""


def tell_due() -> int:
    """
    Mail those concerned by each new pause that nobody was told of; how many mails went.

    The pause is claimed before its mails go, so that nobody is told twice; what is paused is named on every page
    besides. Whoever set it, and whoever wants no mails, is left out.
    """
    due = Pause.objects.filter(told_at=None, is_drill=False, lifted_at=None, set_at__gt=timezone.now() - STALE)
    return sum(_tell(pk) for pk in due.values_list("pk", flat=True)[:20])


def _tell(pk: int) -> int:
    with transaction.atomic():
        free = Pause.objects.select_for_update(skip_locked=True, of=("self",)).with_parts()
        pause = free.filter(pk=pk, told_at=None).first()
        if pause is None:
            return 0
        people = reach.told(reach.concerned(Section.of(pause), reach.open_work()))
        people = {person: agents for person, agents in people.items() if person.pk != pause.set_by_id}
        Pause.objects.filter(pk=pk).update(told_at=timezone.now())
        if people:
            told = sorted(person.actor for person in people)
            record(Line("pause.told", f"pause:{pk}", ACTOR, detail={"people": told}))
    return sum(_send(pause, person, agents) for person, agents in people.items())


def _send(pause: Pause, person: Person, agents: list[Agent]) -> int:
    context = {"pause": pause, "agents": agents, "zone": person.zone, "base_url": settings.BASE_URL}
    subject = f"[Signalbox] Paused: {pause}"
    try:
        EmailMessage(subject, render_to_string("pauses/mail.txt", context), to=[person.email]).send()
    except Exception as failure:
        log.exception("a person could not be told of a pause: %s", kind_of(failure))
        return 0
    return 1
