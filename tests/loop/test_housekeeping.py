"""Housekeeping as the application's own role, which owns nothing."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from agents import watchdog
from console.engines.grants import grant

ROLE = "signalbox_test_app"
COUNTER = "INSERT INTO agents_counter VALUES ('over', 1, now() - interval '1 hour')"


@pytest.fixture
def month(db):
    """A partition that is due, with the application's role at work; it and the role go with the transaction."""
    now = datetime.now(UTC)
    ahead = now.year * 12 + now.month - 1 + 2
    name = f"agents_action_y{ahead // 12}m{ahead % 12 + 1:02}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")
        cursor.execute(f"CREATE ROLE {ROLE}")
        grant(cursor, ROLE)
        cursor.execute(COUNTER)
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    return name


def found(query, *params):
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchone()[0]


def test_a_month_that_is_due_is_made_and_belongs_to_the_owner(month):
    watchdog.housekeep()
    assert found("SELECT relowner <> %s::regrole FROM pg_class WHERE relname = %s", ROLE, month)
    assert not found("SELECT has_table_privilege(%s, %s, 'SELECT')", ROLE, month)
    assert found("SELECT count(*) FROM agents_counter") == 0


def test_counters_go_whatever_becomes_of_the_months(month):
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute(f"REVOKE EXECUTE ON FUNCTION audit_months_ahead(date) FROM {ROLE}")
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    watchdog.housekeep()
    assert found("SELECT to_regclass(%s)", month) is None
    assert found("SELECT count(*) FROM agents_counter") == 0
