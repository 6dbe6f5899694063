"""What is new to a person about questions: what waits, what expires soon, and what they were called for."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from agents import access
from approvals.models import Approval, Call, Person, Snooze, Told
from approvals.models.person import Mails

MOST = 1000
"""How many lines of a kind one notice has; the rest goes with the next."""
RECENT = timedelta(days=7)
"""How far back calls are looked at."""
PERSONAL = ("handed", "escalated", "queried", "replied")
DUTY = ("escalated",)
"""What comes even to who wants no mail: it fell to them because nobody answered."""


class New(NamedTuple):
    """One thing that a person has not been told."""

    approval: UUID
    kind: str
    key: str = ""


class Due(Protocol):
    """Whom it is about, and what may be told now: what is theirs alone, what is late, what anybody may answer."""

    @property
    def person(self) -> Person: ...
    @property
    def now(self) -> datetime: ...
    @property
    def personal(self) -> bool: ...
    @property
    def late(self) -> bool: ...
    @property
    def digest(self) -> bool: ...


def news_for(due: Due) -> list[New]:
    """All that is due and not told yet, at most MOST of a kind; three queries."""
    new = list(_calls(due))
    if _is_away(due.person, due.now):
        return new
    waiting = _for_anybody(due.person, due.now)
    if due.late:
        late = waiting.filter(warn_at__lte=due.now, expires_at__gt=due.now)
        new += _untold(late, due.person, Told.Kind.LATE)
    if due.digest:
        new += _untold(waiting, due.person, Told.Kind.ASKED)
    return new


def _calls(due: Due) -> Iterator[New]:
    told = Told.objects.filter(
        approval=OuterRef("approval"), person=due.person, kind=OuterRef("kind"), key=Cast(OuterRef("pk"), TextField())
    )
    found = Call.objects.filter(~Exists(told), person=due.person, at__gte=due.now - RECENT)
    if due.person.mails == Mails.NEVER:
        found = found.filter(kind__in=DUTY)
    kinds = Q()
    if due.personal:
        kinds |= Q(kind__in=PERSONAL)
    if due.digest:
        kinds |= ~Q(kind__in=PERSONAL)
    if kinds:
        for call in found.filter(kinds).order_by("-at")[:MOST]:
            yield New(call.approval_id, call.kind, str(call.pk))


def _for_anybody(person: Person, now: datetime) -> QuerySet[Approval]:
    """What waits for this person and is not in other hands, nor put off by them."""
    put_off = Snooze.objects.filter(approval=OuterRef("pk"), person=person, until__gt=now)
    mine = Q(assigned_to=None) | Q(assigned_to=person)
    return access.waiting_for(person).filter(mine, ~Exists(put_off))


def _untold(waiting: QuerySet[Approval], person: Person, kind: str) -> Iterator[New]:
    told = Told.objects.filter(approval=OuterRef("pk"), person=person, kind=kind)
    for pk in waiting.filter(~Exists(told)).values_list("pk", flat=True)[:MOST]:
        yield New(pk, kind)


def _is_away(person: Person, now: datetime) -> bool:
    begins, ends = person.away_from, person.away_until
    return begins is not None and begins <= now and (ends is None or now < ends)
