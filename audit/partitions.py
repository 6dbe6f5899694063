"""Months of a growing table: tables keyed by a UUIDv7 and range-partitioned on it.

A migration makes the table with `partition by range (id)` and then its first months by `make_partitions` in a
RunPython. Housekeeping calls `ensure_partitions` from then on. Each table also has a
default partition, so a row outside every month (a clock gone wrong, housekeeping not run) is kept, not refused.
"""

import re
from datetime import UTC, date, datetime
from typing import Any

from audit.ids import floor_id

GUARD = "audit_guard"
"""Name of the trigger that refuses changes to an append-only table; see migration 0001."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")


def make_partitions(cursor: Any, table: str, *, start: date | None = None, months: int = 6) -> list[str]:
    """Make `months` monthly partitions of `table` from `start`'s month on, and the default one; say which are new.

    `start` defaults to last month. Idempotent. A month whose rows already went to the default partition is left there,
    still complete and readable, and is not named. An append-only table's partitions get its guard. Locks the table
    briefly: waits 2 s for it at most.
    """
    cursor.execute("select to_regclass(%s), coalesce(current_setting('lock_timeout'), '0')", [table])
    parent, lock_timeout = cursor.fetchone()
    if parent is None:
        raise ValueError(f"no table {table}")
    cursor.execute("select 1 from pg_trigger where tgrelid = %s::regclass and tgname = %s", [table, GUARD])
    guarded = cursor.fetchone() is not None
    made = []
    cursor.execute("set lock_timeout = '2s'")
    for name, sql in _statements(table, start=start or _month(_today(), -1), months=months):
        cursor.execute("select to_regclass(%s)", [name])
        if cursor.fetchone()[0] is not None or (name != f"{table}_default" and _astray(cursor, table, name)):
            continue
        cursor.execute(sql)
        if guarded:
            cursor.execute(guard_sql(name))
        made.append(name)
    cursor.execute(f"set lock_timeout = '{lock_timeout}'")
    return made


def ensure_partitions(cursor: Any, *, today: date | None = None) -> list[str]:
    """Give every table partitioned on a uuid this month's and the next three months' partitions; say which are new.

    With the owner's rights, whoever calls it (audit_months_ahead, migration 0002); otherwise as `make_partitions`.
    """
    cursor.execute("select audit_months_ahead(%s)", [today or _today()])
    return list(cursor.fetchone()[0])


def guard_sql(table: str) -> str:
    """SQL that makes `table` append-only: UPDATE, DELETE and TRUNCATE are refused whoever asks."""
    return (
        f"create trigger {GUARD} before update or delete or truncate on {plain(table)} "
        "for each statement execute function audit_refuse()"
    )


def _statements(table: str, *, start: date, months: int) -> list[tuple[str, str]]:
    plain(table)
    out = [(f"{table}_default", f"create table if not exists {table}_default partition of {table} default")]
    for n in range(months):
        month = _month(start, n)
        name = f"{table}_y{month:%Y}m{month:%m}"
        low, high = _floor(month), _floor(_month(month, 1))
        out.append(
            (name, f"create table if not exists {name} partition of {table} for values from ('{low}') to ('{high}')")
        )
    return out


def _astray(cursor: Any, table: str, name: str) -> bool:
    """Whether the default partition already holds rows of the month that `name` stands for."""
    month = date(int(name[-7:-3]), int(name[-2:]), 1)
    cursor.execute(
        f"select exists (select from {table}_default where id >= %s and id < %s)",  # noqa: S608
        [_floor(month), _floor(_month(month, 1))],
    )
    return bool(cursor.fetchone()[0])


def _floor(month: date) -> str:
    return str(floor_id(datetime(month.year, month.month, 1, tzinfo=UTC)))


def _month(day: date, ahead: int) -> date:
    n = day.year * 12 + day.month - 1 + ahead
    return date(n // 12, n % 12 + 1, 1)


def _today() -> date:
    return datetime.now(UTC).date()


def plain(name: str) -> str:
    """`name` if it needs no quoting in SQL, else ValueError."""
    if not _NAME.match(name):
        raise ValueError(f"not a plain name: {name!r}")
    return name
