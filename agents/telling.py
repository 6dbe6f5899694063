"""
Telling people by mail what waits for them: who is told what, when, and that each is told each thing once.

A round writes, for each person whose time has come, one notice with all that is new to them, and only then sends it.
The lines of a notice are unique (person, question, kind, key), so a round that runs twice tells nobody twice. A notice
that did not go is sent again after AGAIN_AFTER, under the same Message-ID. By the paging's own mail, never through a
connection.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import get_connection
from django.db import connection, transaction
from django.db.models import F, Max
from django.utils import timezone

from agents.news import New, news_for
from agents.paging import kind_of
from agents.question_mail import question_mail
from approvals.models import Notice, Person, Told
from approvals.models.person import Mails
from audit.entries import Line, record
from audit.ids import new_id

log = logging.getLogger(__name__)

ACTOR = "worker:telling"
TOGETHER = timedelta(minutes=10)
"""At once means: the first at once, and what comes within so long after a mail goes with the next."""
CLOSE = timedelta(minutes=1)
"""So long after a mail may come one with what is meant for this person alone: handed to them, asked of them."""
AGAIN_AFTER = timedelta(minutes=15)
TRIES = 8
SECONDS = 40.0
"""How long a round goes on; who is left is told in the next."""
LOCK = 7420
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Clock:
    """When a person was last mailed, and what is due by that."""

    person: Person
    now: datetime
    last: datetime | None

    def rested(self, how_long: timedelta) -> bool:
        return self.last is None or self.now - self.last >= how_long

    @property
    def personal(self) -> bool:
        """Whether what is meant for this person alone is due."""
        return self.rested(CLOSE)

    @property
    def late(self) -> bool:
        """Whether a warning of what expires soon is due."""
        return self.person.mails != Mails.NEVER and self.rested(TOGETHER)

    @property
    def digest(self) -> bool:
        """Whether what waits for anybody who may is due."""
        if self.person.mails == Mails.NEVER:
            return False
        if self.person.mails == Mails.NOW:
            return self.rested(TOGETHER)
        return self.last is None or self.last < self._turn

    @property
    def _turn(self) -> datetime:
        """The last moment at which a digest was due; the hours of different people begin at different minutes."""
        if self.person.mails == Mails.DAILY:
            local = self.now.astimezone(self.person.zone)
            at = datetime.combine(local.date(), self.person.mails_at, self.person.zone)
            before = datetime.combine(local.date() - timedelta(days=1), self.person.mails_at, self.person.zone)
            return at if at <= local else before
        at = self.now.replace(minute=self.person.pk * 7 % 60, second=0, microsecond=0)
        return at if at <= self.now else at - timedelta(hours=1)


def tell_due(*, now: datetime | None = None) -> int:
    """Tell everybody whose time has come; how many mails were sent. A mail server that is away stops the round."""
    now = now or timezone.now()
    ends, sent, mailer = timezone.now() + timedelta(seconds=SECONDS), 0, get_connection()
    try:
        for notice in _again(now):
            mailer.open()
            sent += _send(notice, now, mailer)
        for person in Person.objects.filter(is_active=True).annotate(last=Max("notices__claimed_at")).order_by("last"):
            if timezone.now() > ends:
                log.warning("telling goes on in the next round")
                break
            if not news_for(Clock(person, now, person.last)):
                continue
            mailer.open()
            if claimed := _claim(person, now):
                sent += _send(claimed, now, mailer)
    except OSError as away:
        log.warning("nobody can be told of questions: %s", kind_of(away))
    finally:
        mailer.close()
    return sent


def forget_old(*, now: datetime | None = None) -> int:
    """Drop what was sent more than KEPT ago; how many notices."""
    return Notice.objects.filter(claimed_at__lt=(now or timezone.now()) - KEPT).delete()[0]


def _claim(person: Person, now: datetime) -> Notice | None:
    """The notice with all that is new, committed before it is sent; None when another round has been here."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK, person.pk])
            if not cursor.fetchone()[0]:
                return None
        last = person.notices.aggregate(last=Max("claimed_at"))["last"]
        new = news_for(Clock(person, now, last))
        if not new:
            return None
        notice = Notice.objects.create(id=new_id(), person=person, claimed_at=now)
        Told.objects.bulk_create([_line(notice, one) for one in new])
    return notice


def _line(notice: Notice, new: New) -> Told:
    return Told(notice=notice, person=notice.person, approval_id=new.approval, kind=new.kind, key=new.key)


def _again(now: datetime) -> Iterator[Notice]:
    """Notices that did not go, each claimed anew."""
    late = Notice.objects.filter(sent_at=None, tries__lt=TRIES, claimed_at__lt=now - AGAIN_AFTER)
    for notice in late.select_related("person").order_by("claimed_at")[:100]:
        mine = Notice.objects.filter(pk=notice.pk, sent_at=None, claimed_at=notice.claimed_at)
        if mine.update(claimed_at=now, tries=F("tries") + 1):
            yield notice


def _send(notice: Notice, now: datetime, mailer: Any) -> int:
    """Send it, and settle whether it went; 1 if it did."""
    mail = question_mail(notice, now=now)
    if mail is None:
        Notice.objects.filter(pk=notice.pk).update(tries=TRIES, error="Nothing was left to tell.")
        return 0
    mail.connection = mailer
    try:
        mail.send()
    except Exception as failure:
        log.exception("a notice of questions could not be sent")
        mailer.close()
        Notice.objects.filter(pk=notice.pk).update(error=kind_of(failure))
        return 0
    with transaction.atomic():
        Notice.objects.filter(pk=notice.pk).update(sent_at=timezone.now(), error="")
        count = notice.lines.values("approval").distinct().count()
        record(Line("person.told", notice.person.actor, ACTOR, detail={"questions": count, "notice": str(notice.pk)}))
    return 1
