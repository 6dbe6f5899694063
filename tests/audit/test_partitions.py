from datetime import UTC, date, datetime

import psycopg
import pytest

from audit.ids import floor_id, new_id
from audit.partitions import GUARD, ensure_partitions, guard_sql, make_partitions


@pytest.fixture
def grown(conn):
    conn.execute("create table grown (id uuid primary key, n int) partition by range (id)")
    return conn


def parts(conn, table="grown"):
    rows = conn.execute("select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass", [table])
    return sorted(row[0] for row in rows)


def test_months_follow_each_other_over_the_year(grown):
    made = make_partitions(grown.cursor(), "grown", start=date(2026, 11, 21), months=3)
    assert made == ["grown_default", "grown_y2026m11", "grown_y2026m12", "grown_y2027m01"]
    assert parts(grown) == made
    for at, where in [
        (datetime(2026, 10, 31, 23, 59, 59, 999000, UTC), "grown_default"),
        (datetime(2026, 11, 1, tzinfo=UTC), "grown_y2026m11"),
        (datetime(2026, 12, 31, 23, 59, 59, 999000, UTC), "grown_y2026m12"),
        (datetime(2027, 1, 1, tzinfo=UTC), "grown_y2027m01"),
        (datetime(2027, 2, 1, tzinfo=UTC), "grown_default"),
    ]:
        row = grown.execute("insert into grown values (%s, 1) returning tableoid::regclass::text", [floor_id(at)])
        assert row.fetchone() == (where,)


def test_making_them_again_makes_nothing_and_keeps_the_lock_timeout(grown):
    grown.execute("set lock_timeout = '7s'")
    make_partitions(grown.cursor(), "grown", start=date(2026, 1, 1), months=12)
    assert make_partitions(grown.cursor(), "grown", start=date(2026, 1, 1), months=12) == []
    assert grown.execute("show lock_timeout").fetchone() == ("7s",)


def test_housekeeping_keeps_every_growing_table_three_months_ahead(grown):
    make_partitions(grown.cursor(), "grown", start=date(2026, 11, 1), months=1)
    today = date(2031, 11, 30)
    made = ensure_partitions(grown.cursor(), today=today)
    assert {"grown_y2031m11", "grown_y2031m12", "grown_y2032m01", "grown_y2032m02"} <= set(made)
    assert {"audit_entry_y2031m11", "audit_entry_y2032m02"} <= set(made)
    assert ensure_partitions(grown.cursor(), today=today) == []


def test_a_month_that_rows_went_astray_of_is_left_to_the_default(grown):
    make_partitions(grown.cursor(), "grown", start=date(2026, 1, 1), months=1)
    grown.execute("insert into grown values (%s, 1)", [floor_id(datetime(2030, 5, 5, tzinfo=UTC))])
    made = make_partitions(grown.cursor(), "grown", start=date(2030, 4, 1), months=3)
    assert made == ["grown_y2030m04", "grown_y2030m06"]
    assert grown.execute("select count(*) from grown").fetchone() == (1,)


def test_a_guarded_tables_new_partitions_are_guarded(grown):
    grown.execute(guard_sql("grown"))
    make_partitions(grown.cursor(), "grown", months=2)
    grown.execute("insert into grown values (%s, 1)", [new_id()])
    guards = grown.execute("select tgrelid::regclass::text from pg_trigger where tgname = %s", [GUARD]).fetchall()
    assert {name for (name,) in guards} >= set(parts(grown))
    month = f"grown_y{datetime.now(UTC):%Y}m{datetime.now(UTC):%m}"
    for sql in ("delete from {}", "truncate {}", "update {} set n = 2"):
        for table in ("grown", month):
            with pytest.raises(psycopg.errors.RestrictViolation), grown.transaction():
                grown.execute(sql.format(table))


def test_a_table_that_is_not_there_is_refused(conn):
    with pytest.raises(ValueError, match="no table"):
        make_partitions(conn.cursor(), "nothing", months=1)
