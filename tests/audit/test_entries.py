import json
from uuid import UUID

import psycopg
import pytest
import rfc8785
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from audit.entries import Line, RecordError, append, diff, parameters, record
from audit.ids import id_time
from audit.models import Entry, Pending
from audit.require import Noun, require_entries

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1f"))
ANY = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=20,
)
LINES = st.builds(
    Line,
    verb=TEXT.filter(bool),
    subject=TEXT.filter(bool),
    actor=TEXT.filter(bool),
    agent=TEXT,
    run=st.none() | st.uuids(),
    region=TEXT,
    segment=TEXT,
    account=TEXT,
    request=TEXT,
    detail=st.dictionaries(st.text(st.characters(codec="ascii")), JSON),
)


def line(**given):
    return Line(**{"verb": "agent.changed", "subject": "agent:one", "actor": "person:ana@example.com", **given})


@given(st.lists(LINES, min_size=1, max_size=3))
def test_the_bytes_are_what_rfc_8785_says(lines):
    _, params = parameters(lines)
    for body in params[-1].split("\x1f"):
        assert body.encode() == rfc8785.dumps(json.loads(body))


@pytest.mark.parametrize(
    "detail",
    [
        {"a": 1.5},
        {"a": [{"b": 0.0}]},
        {"ä": 1},
        {1: 1},
        {"a": 2**53},
        {"a": "\ud800"},
        {"a": UUID(int=1)},
        {"a": b"x"},
        {"a": {1, 2}},
    ],
    ids=str,
)
def test_what_rfc_8785_would_write_otherwise_is_refused(detail):
    with pytest.raises(RecordError):
        parameters([line(detail=detail)])


@pytest.mark.parametrize("given", [{"verb": ""}, {"actor": ""}, {"subject": ""}])
def test_a_line_without_verb_subject_or_actor_is_refused(given):
    with pytest.raises(RecordError):
        parameters([line(), line(**given)])


@pytest.mark.django_db
def test_a_strangers_control_characters_do_not_slip_a_column_into_its_neighbour():
    with connection.cursor() as cursor:
        ids = append(cursor, [line(account="a\x1fb"), line(account="a\0b"), line(account="c")])
    rows = Entry.objects.filter(id__in=ids).order_by("id")
    assert [row.account for row in rows] == ["a\ufffdb", "a\ufffdb", "c"]
    assert [json.loads(bytes(row.body))["account"] for row in rows] == ["a\ufffdb", "a\ufffdb", "c"]


@pytest.mark.django_db
@given(st.lists(LINES, min_size=1, max_size=4))
def test_every_column_comes_back_as_it_was_given(lines):
    with connection.cursor() as cursor:
        ids = append(cursor, lines)
    rows = list(Entry.objects.filter(id__in=ids).order_by("id"))
    assert [row.id for row in rows] == ids
    for row, sent in zip(rows, lines, strict=True):
        assert row.at == id_time(row.id)
        body = json.loads(bytes(row.body))
        for field in ("verb", "subject", "actor", "agent", "run", "region", "segment", "account", "request"):
            assert getattr(row, field) == getattr(sent, field)
            assert body.get(field, "") == str(getattr(sent, field) or "")
        assert body.get("detail", {}) == sent.detail
        assert body["id"] == str(row.id)
    assert Pending.objects.filter(entry__in=ids).count() == len(ids)


@pytest.mark.django_db
def test_nothing_to_append_is_nothing_written():
    with connection.cursor() as cursor:
        assert append(cursor, []) == []
    assert not Entry.objects.exists()


def test_record_wants_the_transaction_of_the_change(workspace):
    with pytest.raises(RuntimeError, match="atomic"):
        record(line())


def test_diff_names_what_changed():
    assert diff({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5, "d": 4}) == {"b": [2, 5], "c": [3, None], "d": [None, 4]}


@pytest.mark.parametrize("table", ["audit_entry", "audit_leaf", "audit_checkpoint", "audit_key"])
@pytest.mark.parametrize("sql", ["update {} set {} = {}", "delete from {}", "truncate {} cascade"])
def test_the_database_refuses_to_change_the_record(conn, table, sql):
    column = conn.execute("select column_name from information_schema.columns where table_name = %s", [table])
    name = column.fetchone()[0]
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        conn.execute(sql.replace("{}", table, 1).replace("{}", name))


@pytest.mark.parametrize("sql", ["delete from {}", "truncate {}"])
def test_nor_through_a_partition(conn, sql):
    parts = conn.execute("select inhrelid::regclass::text from pg_inherits where inhparent = 'audit_entry'::regclass")
    for (name,) in parts.fetchall():
        with pytest.raises(psycopg.errors.RestrictViolation), conn.transaction():
            conn.execute(sql.format(name))


@pytest.fixture
def noun(fresh):
    """A table of another room that asks for an entry with each change."""
    fresh.execute("create table noun (id serial primary key, slug text, size int default 0, used int default 0)")
    require_entries(fresh.cursor(), [Noun("noun", "noun", "row.slug", beside=("used",))])
    return fresh


def test_a_change_with_its_entry_commits(noun):
    with noun.transaction():
        noun.execute("insert into noun (slug) values ('a')")
        append(noun, [line(subject="noun:a")])
    with noun.transaction():
        append(noun, [line(subject="noun:b")])
        noun.execute("update noun set slug = 'b'")
    assert noun.execute("select slug from noun").fetchall() == [("b",)]


@pytest.mark.parametrize(
    "change", ["insert into noun (slug) values ('b')", "update noun set size = 1", "delete from noun"]
)
def test_a_change_without_its_entry_is_refused(noun, change):
    with noun.transaction():
        noun.execute("insert into noun (slug) values ('a')")
        append(noun, [line(subject="noun:a")])
    for others in ([], [line(subject="noun:ab")], [line(subject="other:a")]):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="without an entry"):  # noqa: SIM117, PT012
            with noun.transaction():
                append(noun, others)
                noun.execute(change)
    assert noun.execute("select slug, size from noun").fetchall() == [("a", 0)]


def test_what_only_keeps_books_and_what_is_as_it_was_need_none(noun):
    with noun.transaction():
        noun.execute("insert into noun (slug) values ('a')")
        append(noun, [line(subject="noun:a")])
    noun.execute("update noun set used = 7")
    noun.execute("update noun set size = size, slug = slug, used = 8")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        noun.execute("update noun set used = 9, size = 1")


def test_an_entry_in_a_savepoint_counts_and_its_rollback_uncounts(noun):
    with noun.transaction():
        with noun.transaction():
            append(noun, [line(subject="noun:a")])
        noun.execute("insert into noun (slug) values ('a')")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation), noun.transaction():  # noqa: PT012
        noun.execute("update noun set size = 2")
        with noun.transaction() as inner:
            append(noun, [line(subject="noun:a")])
            raise psycopg.Rollback(inner)


@pytest.mark.django_db
def test_the_orm_sees_the_refusal_as_an_integrity_error():
    with connection.cursor() as cursor:
        cursor.execute("create table noun (slug text)")
        require_entries(cursor, [Noun("noun", "noun", "row.slug")])
        with pytest.raises(IntegrityError, match="without an entry"), transaction.atomic():  # noqa: PT012
            cursor.execute("insert into noun values ('a')")
            cursor.execute("set constraints all immediate")
        with transaction.atomic():
            cursor.execute("insert into noun values ('a')")
            record(line(subject="noun:a"))
            cursor.execute("set constraints all immediate")
