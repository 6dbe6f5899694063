"""Personal data in entries: readable while the person's key lives, and by nobody after."""

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.entries import Line, RecordError, append, record
from audit.models import Entry
from audit.persons import ERASED, Personal, destroy, is_sealed, opened
from audit.timeline import Filters, timeline
from audit.words import say

ANA, BEN = bytes(range(16)), bytes(range(16, 32))
WORDS = {"to": "Ana Ånström <ana@example.com>", "score": 1.5, "list": ["\x00", None]}


def line(**detail):
    return Line("action.permitted", "action:1", "worker:gate", detail=detail)


def shown():
    return [row.detail for row in opened(reversed(timeline(Filters(), limit=500)))]


def forget(person):
    with transaction.atomic():
        with connection.cursor() as cursor:
            gone = destroy(cursor, person)
        record(Line("person.erased", f"contact:{person.hex()}", "cli"))
    return gone


@pytest.mark.django_db
def test_what_is_sealed_is_read_back_and_does_not_stand_in_the_bytes():
    record(line(n=1, to=Personal(ANA, WORDS)), line(n=2), line(n=3, to=Personal(BEN.hex(), "ben@example.com")))
    assert shown() == [{"n": 1, "to": WORDS}, {"n": 2}, {"n": 3, "to": "ben@example.com"}]
    kept = b"".join(bytes(body) for body in Entry.objects.values_list("body", flat=True))
    assert b"example.com" not in kept
    assert [is_sealed(row.detail.get("to")) for row in timeline(Filters())] == [True, False, True]


@pytest.mark.django_db
def test_the_same_words_never_look_the_same():
    record(*[line(to=Personal(ANA, "ana@example.com"))] * 3)
    assert len({row.detail["to"]["sealed"] for row in timeline(Filters())}) == 3


@pytest.mark.django_db
def test_a_batch_costs_one_statement_more_and_only_where_it_holds_any():
    lines = [line(n=n, to=Personal(n.to_bytes(16), f"{n}@example.com")) for n in range(300)]
    for asked, given in ((1, [line()] * 3), (2, lines), (2, lines)):
        with CaptureQueriesContext(connection) as ran:
            record(*given)
        assert len(ran) == asked
    with CaptureQueriesContext(connection) as ran:
        assert opened(timeline(Filters(), limit=300))[0].detail["to"] == "299@example.com"
    assert len(ran) == 2


@pytest.mark.django_db
def test_an_erased_persons_words_are_gone_and_no_others():
    record(line(to=Personal(ANA, "ana@example.com")), line(to=Personal(BEN, "ben@example.com")))
    assert forget(ANA)
    assert [detail.get("to") for detail in shown()] == [ERASED, "ben@example.com", None]
    assert not forget(ANA)


@pytest.mark.django_db
def test_who_comes_back_gets_another_key():
    record(line(to=Personal(ANA, "before")))
    forget(ANA)
    record(line(to=Personal(ANA, "after")))
    assert [detail.get("to") for detail in shown()] == [ERASED, None, "after"]


@pytest.mark.django_db
def test_what_is_said_of_nobody_known_is_left_out():
    record(line(n=1, why=Personal(None, "ana@example.com")))
    assert shown() == [{"n": 1}]


@pytest.mark.django_db
def test_a_sentence_says_it_only_where_it_was_opened():
    record(Line("action.failed", "action:1", "worker:loop", detail={"why": Personal(ANA, "no field ana@example.com")}))
    rows = timeline(Filters())
    assert say(opened(rows)[0]) == "Action 1 failed: no field ana@example.com"
    assert say(rows[0]) == "Action 1 failed"


def test_it_stands_at_the_top_of_the_detail_alone(conn):
    with pytest.raises(RecordError, match="Personal"):
        append(conn, [line(deep={"to": Personal(ANA, "x")})])


@pytest.mark.django_db
def test_a_key_is_not_destroyed_without_its_entry():
    def silently() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            append(cursor, [line(to=Personal(ANA, "x"))])
            destroy(cursor, ANA)
            cursor.execute("set constraints all immediate")

    with pytest.raises(IntegrityError, match="without an entry"):
        silently()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update audit_person_key set key = key")


def test_two_who_meet_a_person_at_once_seal_under_one_key(connect):
    one, other = connect(), connect()
    with one.transaction():
        append(one, [line(n=1, to=Personal(ANA, "one"))])
        other.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            append(other, [line(n=2, to=Personal(ANA, "other"))])
    append(other, [line(n=2, to=Personal(ANA, "other"))])
    assert shown() == [{"n": 1, "to": "one"}, {"n": 2, "to": "other"}]
