"""Nothing changes without its entry: every table is a noun that the database guards, or says why it need not be."""

import pytest
from django.db import connection

from agents.nouns import BY_TABLE, EXEMPT, NOUNS
from audit.require import PREFIX, require_entries

TABLES = """
select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
and not relispartition
"""
TRIGGERS = """
select pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid
where starts_with(tgname, %s) and not c.relispartition
"""
FUNCTIONS = "select proname, prosrc from pg_proc where starts_with(proname, %s)"


def _rows(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return set(cursor.fetchall())


@pytest.mark.django_db
def test_every_table_is_a_noun_or_says_why_not():
    there = {name for (name,) in _rows(TABLES)}
    assert there - BY_TABLE.keys() - EXEMPT.keys() == set(), "name each in agents/nouns.py, and why if it is exempt"
    assert (BY_TABLE.keys() | EXEMPT.keys()) - there == set(), "agents/nouns.py names what is not there"
    assert not BY_TABLE.keys() & EXEMPT.keys()
    assert len(BY_TABLE) == len(NOUNS)


@pytest.mark.django_db
def test_the_database_guards_what_the_list_says():
    found = _rows(TRIGGERS, PREFIX), _rows(FUNCTIONS, PREFIX)
    with connection.cursor() as cursor:
        require_entries(cursor, NOUNS)
    wanted = _rows(TRIGGERS, PREFIX), _rows(FUNCTIONS, PREFIX)
    assert found == wanted, "make a migration that calls audit.require.require_entries, as agents 0018 does"
