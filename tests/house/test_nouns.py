"""Nothing changes without its entry: every table is a noun that the database guards, or says why it need not be."""

import contextlib
import io

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from agents.nouns import BY_TABLE, EXEMPT, NOUNS
from approvals.models import Person
from audit.entries import Line, record
from audit.models import Entry
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


@pytest.mark.django_db
@pytest.mark.parametrize("within", [True, False], ids=["a transaction", "a statement alone"])
def test_a_test_that_rolls_back_sees_what_a_commit_would_refuse(alice, within):
    rename = "update approvals_person set name = 'Alicia' where id = %s"
    with transaction.atomic(), connection.cursor() as cursor:
        record(Line("test.did", alice.actor, "cli"))
        cursor.execute(rename, [alice.pk])
    refused = pytest.raises(IntegrityError, match=f"without an entry in the record for {alice.actor}")
    block = transaction.atomic() if within else contextlib.nullcontext()
    with refused, block, connection.cursor() as cursor:
        cursor.execute(rename.replace("Alicia", "Alison"), [alice.pk])
    if not within:
        connection.set_rollback(True)


def test_djangos_own_commands_leave_entries(workspace, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "platform nine at noon")
    call_command("createsuperuser", interactive=False, email="su@example.com", name="Su", stdout=io.StringIO())
    monkeypatch.setattr("getpass.getpass", lambda prompt: "platform ten at one")
    call_command("changepassword", "su@example.com", stdout=io.StringIO())
    one = Person.objects.get(email="su@example.com")
    assert one.check_password("platform ten at one")
    entries = Entry.objects.filter(subject=one.actor).order_by("id").values_list("verb", "actor")
    assert list(entries) == [("person.created", "cli"), ("person.changed", "cli")]
