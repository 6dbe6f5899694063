"""HOSTILE 16 and 17: no change of any noun without its entry, and no change of the record, whoever asks."""

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from agents.nouns import NOUNS
from audit.entries import Line, append
from audit.require import Noun, subjects
from console.engines.grants import RECORD, grant

COLUMNS = """
select attname::text, format_type(atttypid, null), attgenerated = ''
from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
"""
REFERENCES = "select conrelid::regclass::text, conname from pg_constraint where contype = 'f' and conparentid = 0"
UNIQUE = """
select distinct attname::text from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey)
where indrelid = %s::regclass and indisunique
"""
VALUES = {
    "uuid": "('00000000-0000-0000-0000-' || lpad(%(n)s::text, 12, '0'))::uuid",
    "text": "'x' || %(n)s",
    "character varying": "'x' || %(n)s",
    "timestamp with time zone": "now()",
    "time without time zone": "'09:00'::time",
    "jsonb": "'{}'::jsonb",
    "bytea": "decode(lpad(%(n)s::text, 64, '0'), 'hex')",
    "boolean": "false",
    "uuid[]": "'{}'::uuid[]",
    "inet": "'127.0.0.1'::inet",
}
"""A value for each type; else a number."""
FITTING = {
    ("agents_agent", "stage"): "'draft'",
    ("agents_agent", "policy_id"): "null",
    ("agents_policy", "stage"): "'draft'",
    ("agents_policy", "confirmed_by_id"): "null",
    ("agents_policyproposal", "state"): "'live'",
    ("agents_policyproposal", "decided_by_id"): "%(n)s + 5",
    ("agents_incident", "state"): "'taken'",
    ("agents_pause", "lifted_at"): "now()",
    ("agents_deadletter", "state"): "'open'",
    ("approvals_approval", "state"): "'waiting'",
    ("approvals_planting", "every"): "%(n)s + 10",
    ("approvals_signinrules", "id"): "1",
    ("audit_legal_hold", "kind"): "'agent'",
}
"""Where the table asks for more."""
CHANGES = {
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 minute'",
    "jsonb": "coalesce({0}, '{{}}') || '{{\"changed\": 1}}'",
    "text": "{0} || 'y'",
    "character varying": "{0} || 'y'",
    "boolean": "not {0}",
    "bigint": "{0} + 1",
    "integer": "{0} + 1",
}
"""How a value of each type is changed; the first in this order that a table has is."""
FIXED = {"agents_policy", "agents_playversion", "audit_retention", "audit_legal_hold", "audit_legal_release"}
"""Immutable besides: an entry does not help."""


@pytest.fixture
def stock(workspace) -> Iterator[psycopg.Connection[Any]]:
    """Every noun's table with two rows, whatever they mean: triggers and references were off while they were made."""
    with workspace.connect() as conn:
        for table, name in conn.execute(REFERENCES).fetchall():
            conn.execute(f"alter table {table} drop constraint {name}")
        conn.execute("set session_replication_role = replica")
        for noun in NOUNS:
            conn.execute(f"delete from {noun.table}")
            if noun.table == "approvals_signinrules":
                insert(conn, noun.table, 2)
                continue
            for n in (1, 2):
                insert(conn, noun.table, n)
        conn.execute("set session_replication_role = origin")
        yield conn


def insert(conn: psycopg.Connection[Any], table: str, n: int) -> None:
    fields = {}
    for name, kind, ours in conn.execute(COLUMNS, [table]).fetchall():
        if ours:
            fields[name] = FITTING.get((table, name)) or VALUES.get(kind, "%(n)s")
    names = ", ".join(f'"{name}"' for name in fields)
    identity = "overriding system value"
    conn.execute(f"insert into {table} ({names}) {identity} values ({', '.join(fields.values())})", {"n": n})


def second(table: str) -> str:
    """Which row is the second, or the only one."""
    if table == "approvals_signinrules":
        return "true"
    if table == "agents_donotcontact":
        return "right(encode(row.contact, 'hex'), 2) = '02'"
    key = {"audit_retention": "version", "audit_legal_release": "hold"}.get(table, "id")
    return f"right('0' || row.{key}, 2) = '02'"


def change(conn: psycopg.Connection[Any], noun: Noun) -> str | None:
    """An UPDATE of the second row, of a column that counts and is no key; None where there is none."""
    unique = {name for (name,) in conn.execute(UNIQUE, [noun.table]).fetchall()}
    columns = {
        name: kind
        for name, kind, _ in conn.execute(COLUMNS, [noun.table]).fetchall()
        if name not in {*unique, *noun.beside, *noun.only, "state", "stage", "is_demo", "agent_id", "policy_id"}
        and f"row.{name}" not in noun.key
    }
    found = [name for kind in CHANGES for name, has in columns.items() if has == kind]
    if not found:
        return None
    name = f'"{found[0]}"'
    value = CHANGES[columns[found[0]]].format(f"row.{name}")
    return f"update {noun.table} as row set {name} = {value} where {second(noun.table)}"


FETCHED = """
select coalesce(sum(idx_tup_fetch + seq_tup_read), 0) from pg_stat_xact_user_tables where relname like 'audit_entry%'
"""


def test_a_look_up_costs_the_same_however_much_was_recorded_of_the_row_before(workspace, alice):
    line = Line("test.did", f"person:{alice.pk}", "cli")
    with workspace.connect() as conn:
        append(conn, [line, *(line._replace(subject=f"person:x{n}") for n in range(4))] * 2_000)
        conn.execute("analyze audit_entry")
        with conn.transaction():
            append(conn, [line])
            (before,) = conn.execute(FETCHED).fetchone()
            conn.execute("update approvals_person set name = name || 'x' where id = %s", [alice.pk])
            conn.execute("set constraints all immediate")
            (after,) = conn.execute(FETCHED).fetchone()
    assert 1 <= after - before < 10


def test_no_noun_changes_without_its_entry(stock):
    refused = 0
    for noun in NOUNS:
        (named,) = subjects(stock.cursor(), noun, second(noun.table))
        going = f"delete from {noun.table} as row where {second(noun.table)}"
        for what in filter(None, (change(stock, noun), going, "insert")):
            if noun.table in FIXED and what != "insert":
                with pytest.raises(psycopg.errors.RestrictViolation):
                    stock.execute(what)
                if what.startswith("delete"):
                    quietly(stock, what)
                continue
            for others in ((), (f"{named}x", "workspace:other", "run:none")):
                with refusal(noun.table), stock.transaction():
                    append(stock, [Line("test.did", subject, "cli") for subject in others])
                    do(stock, noun, what)
                refused += 1
            with stock.transaction():
                do(stock, noun, what)
                append(stock, [Line("test.did", named, "cli")])
    print(f"{refused} of {refused} changes of {len(NOUNS)} nouns refused without their entry")


def refusal(table: str) -> Any:
    return pytest.raises(psycopg.errors.IntegrityConstraintViolation, match=f"{table} without an entry")


def do(conn: psycopg.Connection[Any], noun: Noun, what: str) -> None:
    if what == "insert":
        insert(conn, noun.table, 2)
    else:
        assert conn.execute(what).rowcount == 1, what


def quietly(conn: psycopg.Connection[Any], what: str) -> None:
    conn.execute("set session_replication_role = replica")
    conn.execute(what)
    conn.execute("set session_replication_role = origin")


@pytest.fixture
def app(stock) -> Iterator[psycopg.Connection[Any]]:
    """The same connection as a role with the application's rights, and no more."""
    role = f"signalbox_test_{secrets.token_hex(4)}"
    stock.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
    try:
        with stock.transaction(), stock.cursor() as cursor:
            grant(cursor, role)
        stock.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        yield stock
        stock.execute("reset role")
    finally:
        stock.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(role)))


RENAME = "update agents_agent set name = name || 'y' where id = 1"


def test_the_applications_role_changes_nothing_of_the_record(app):
    refused = 0
    for table in RECORD:
        (column,) = app.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attidentity = ''"
            " order by attnum limit 1",
            [table],
        ).fetchone()
        for statement in (f"update {table} set {column} = {column}", f"delete from {table}", f"truncate {table}"):
            if "DELETE" in RECORD[table] and statement.startswith("delete"):
                continue
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation)):
                app.execute(statement)
            refused += 1
    print(f"{refused} of {refused} UPDATE, DELETE and TRUNCATE of the record refused")


@pytest.mark.parametrize(
    "trick",
    [
        "set session_replication_role = replica",
        "alter table agents_agent disable trigger all",
        "drop trigger audit_entry_update on agents_agent",
        "create or replace function audit_entry_of_agents_agent() returns trigger language plpgsql as "
        "$$ begin return null; end $$",
        "insert into audit_entry (id, at, verb, actor, subject, body, tx) "
        "values (gen_random_uuid(), now(), 'agent.changed', 'cli', 'agent:x1', '', '99999'::xid8)",
    ],
    ids=["replica", "disable", "drop", "replace", "another transaction's entry"],
)
def test_the_applications_role_can_not_turn_it_off(app, trick):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.DuplicateFunction)):
        app.execute(trick)


@pytest.mark.parametrize(
    "trick",
    [
        "set constraints all deferred",
        "create temporary table audit_entry on commit drop as "
        "select 'agent:x1' as subject, pg_current_xact_id() as tx, gen_random_uuid() as id",
        "set local search_path = pg_temp, public",
        'create domain pg_temp.text as "char"; set local search_path = pg_temp, pg_catalog, public; '
        "insert into audit_entry (id, at, verb, actor, subject, body) "
        "values (audit_floor_id(now()), now(), 'agent.changed', 'cli', 'a', '')",
        "savepoint one; insert into audit_entry (id, at, verb, actor, subject, body) "
        "values (audit_floor_id(now()), now(), 'agent.changed', 'cli', 'agent:x1', ''); rollback to savepoint one",
    ],
    ids=["deferred", "a table of that name", "search path", "a type of that name", "an entry rolled back"],
)
def test_nor_go_round_it(app, trick):
    with refusal("agents_agent"), app.transaction():
        for part in trick.split("; "):
            app.execute(part)
        app.execute(RENAME)
