"""The hot path's own connection to PostgreSQL: raw psycopg, one a process, prepared statements, short timeouts."""

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from django.conf import settings
from psycopg.pq import TransactionStatus
from psycopg.types.array import ListBinaryDumper
from psycopg.types.json import set_json_loads
from psycopg.types.string import StrBinaryDumper

SESSION = {
    "idle_in_transaction_session_timeout": "2s",
    "lock_timeout": "2s",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""A frozen worker holds its locks for 2 s at most. Statistics of a table that just began to grow mislead the planner
into reading it whole, so plans that do are priced out: every hot statement finds its rows by index. A plan then depends
on no parameter, and making one over all partitions costs as much as running it, so it is made once a connection."""


def connect(**session: str) -> psycopg.Connection[Any]:
    """
    A new autocommit connection to the primary, bypassing any pooler's sharing of session state.

    Its `application_name` ends in this process's id, so that a lock in pg_stat_activity can be laid at someone's door.
    Text goes out in binary, so that arrays of it need no escaping; JSON comes in through orjson.
    """
    database = settings.DATABASES["default"]
    options = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        **{key: value for key, value in database.get("OPTIONS", {}).items() if isinstance(value, str | int)},
    }
    connection = psycopg.connect(
        **{key: value for key, value in options.items() if value not in ("", None)},
        autocommit=True,
        prepare_threshold=1,
        application_name=f"signalbox loop {os.getpid()}",
        options=" ".join(f"-c {name}={value}" for name, value in {**SESSION, **session}.items()),
    )
    connection.adapters.register_dumper(str, StrBinaryDumper)
    connection.adapters.register_dumper(list, ListBinaryDumper)
    set_json_loads(orjson.loads, connection)
    return connection


class Hot:
    """One lazily opened connection that is replaced when it breaks; of several threads one at a time has it."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._alone = threading.RLock()

    @property
    def connection(self) -> psycopg.Connection[Any]:
        if self._connection is not None and _gone(self._connection):
            self.close()
        if self._connection is None:
            self._connection = connect()
        return self._connection

    @contextmanager
    def transaction(self, *, lock_timeout: str | None = None) -> Iterator[psycopg.Cursor[Any]]:
        """
        One transaction, READ COMMITTED. Any error rolls it back and is raised again; a broken connection is dropped.

        Another thread waits until it has ended. `lock_timeout`: raises psycopg.errors.LockNotAvailable past it, instead
        of the session's 2 s.
        """
        with self._alone:
            connection = self.connection
            try:
                with connection.transaction(), connection.cursor(binary=True) as cursor:
                    if lock_timeout:
                        cursor.execute(f"SET LOCAL lock_timeout = '{lock_timeout}'")
                    yield cursor
            except psycopg.OperationalError:
                if connection.broken:
                    self.close()
                raise

    def close(self) -> None:
        """Let the connection go; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _gone(connection: psycopg.Connection[Any]) -> bool:
    """Whether it is closed, or the server has ended it: to one that is idle the server says nothing else."""
    if connection.closed:
        return True
    if connection.info.transaction_status != TransactionStatus.IDLE:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


hot = Hot()
"""This process's connection. After a fork each child opens its own, since it is opened on first use."""
