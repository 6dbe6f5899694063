"""Every column that can hold words is declared: erasure clears it so, or leaves it, and why."""

import pytest
from django.db import connection

from agents import personal

COLUMNS = """
SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
AND a.attnum > 0 AND NOT a.attisdropped
AND t.typcategory NOT IN ('N', 'B', 'D', 'T') AND t.typname NOT IN ('uuid', 'xid8', 'xid')
"""
"""All but numbers, booleans, moments, spans and ids: also types that nobody thought of."""


def declared():
    for part in personal.CLEARED:
        yield from ((part.table, name, "cleared") for name in part.becomes)
        yield from ((part.table, name, why) for name, why in part.stays.items())
    for table, (names, _) in personal.SCRUBBED.items():
        yield from ((table, name, "scrubbed") for name in names)
    for table, (names, why) in personal.NOT_PERSONAL.items():
        yield from ((table, name, why) for name in names.split())


@pytest.mark.django_db
def test_every_column_is_declared_and_once():
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        there = set(cursor.fetchall())
    said = [(table, name) for table, name, _ in declared()]
    assert sorted(there - set(said)) == [], "new columns: say in agents/personal.py what erasure makes of them"
    assert sorted(set(said) - there) == [], "gone: take them out of agents/personal.py"
    assert len(said) == len(set(said)), "declared twice"


def test_each_says_why():
    assert [one for one in declared() if len(one[2]) < 7] == []


@pytest.mark.django_db
def test_what_is_cleared_is_sql_that_holds_on_an_empty_database():
    with connection.cursor() as cursor:
        for part in personal.CLEARED:
            sets = ", ".join(f"{name} = {value}" for name, value in part.becomes.items())
            cursor.execute(f"UPDATE {part.table} t SET {sets} WHERE false")
