"""
How people answer: how long they take, how many yeses in a row, and whether they caught what was planted.

A yes after a second or two, again and again, is a stamp. The numbers are for whoever answers to see first; each names
the sample it stands on, and below MIN_SAMPLE nothing is concluded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from approvals.models import Person

LAST = 50
"""How many answers the median is of."""
MIN_SAMPLE = 10
FAST_SECONDS = 3.0
"""A median under this is a stamp's."""
SINCE = timedelta(days=90)
MOST = 500
"""How many of a person's answers are looked at, newest first."""

ANSWERS = """
SELECT person_id, said, took_ms, bulk, planted, state FROM (
    SELECT v.person_id, v.said, v.took_ms, v.bulk, p.planted, p.state,
        row_number() OVER (PARTITION BY v.person_id ORDER BY v.at DESC, v.id DESC) AS n
    FROM approvals_verdict v JOIN approvals_approval p ON p.id = v.approval_id
    WHERE v.at >= %(since)s AND (%(person)s::bigint IS NULL OR v.person_id = %(person)s)
) AS answers WHERE n <= %(most)s ORDER BY person_id, n
"""


class Answer(NamedTuple):
    """One answer, as ANSWERS gives it."""

    said: str
    took_ms: int
    bulk: bool
    planted: bool
    state: str


@dataclass(frozen=True, slots=True)
class Stamps:
    """
    One person's answers since a while. `sample` are the last ones that were given singly, at most LAST; `median_s` is
    None without any. `under_3s` of the sample took less than FAST_SECONDS. `yes_streak`: how many yeses the last
    answers were, bulk ones too. `bulk`: how many were given together with others.
    """

    sample: int
    median_s: float | None
    under_3s: int
    yes_streak: int
    bulk: int
    planted_caught: int
    planted_missed: int

    @property
    def notice(self) -> bool:
        """Whether it is time to say so, kindly: enough of a sample, and too fast to have been read; or one missed."""
        fast = self.sample >= MIN_SAMPLE and self.median_s is not None and self.median_s < FAST_SECONDS
        return fast or self.planted_missed > 0


def of(person: Person, *, last: int = LAST, since: datetime | None = None) -> Stamps:
    """The numbers of one person; one statement, which reads at most MOST answers."""
    rows = _rows(since, person.pk)
    return _stamps([answer for _, answer in rows], last)


def of_all(*, last: int = LAST, since: datetime | None = None) -> list[tuple[Person, Stamps]]:
    """Everybody who answered since then (SINCE), those to speak with first, then by name; two statements."""
    by_person: dict[int, list[Answer]] = {}
    for person, answer in _rows(since, None):
        by_person.setdefault(person, []).append(answer)
    people = Person.objects.in_bulk(by_person)
    found = [(people[id_], _stamps(answers, last)) for id_, answers in by_person.items() if id_ in people]
    return sorted(found, key=lambda one: (not one[1].notice, one[0].name, one[0].pk))


def _rows(since: datetime | None, person: int | None) -> list[tuple[int, Answer]]:
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, {"since": since or timezone.now() - SINCE, "person": person, "most": MOST})
        return [(row[0], Answer(*row[1:])) for row in cursor.fetchall()]


def _stamps(answers: list[Answer], last: int) -> Stamps:
    singly = [one.took_ms / 1000 for one in answers if not one.bulk][:last]
    decided = [one for one in answers if one.planted and one.state in ("approved", "rejected")]
    return Stamps(
        sample=len(singly),
        median_s=median(singly) if singly else None,
        under_3s=sum(seconds < FAST_SECONDS for seconds in singly),
        yes_streak=_streak(answers),
        bulk=sum(one.bulk for one in answers),
        planted_caught=sum(one.said == "no" for one in decided),
        planted_missed=sum(one.said == "yes" for one in decided),
    )


def _streak(answers: Iterable[Answer]) -> int:
    count = 0
    for one in answers:
        if one.said != "yes":
            break
        count += 1
    return count
