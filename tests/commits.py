"""
What would be a commit is held to what a commit is held to, in tests whose transaction is rolled back in the end.

In such a test all transactions of the program are parts of one, so nothing deferred would be looked up before its end,
and an entry of one would excuse another's change. From `install` on, where the program's own transaction ends, what is
deferred is looked up, and the entries are those of a transaction gone by.
"""

import re
from functools import wraps
from typing import Any

from django.db.backends.utils import CursorWrapper
from django.db.transaction import Atomic, get_connection

_WRITES = re.compile(r"\s*(insert|update|delete|with)\b", re.IGNORECASE)
_COMMIT = """
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
SELECT set_config('tests.role', current_setting('role'), true);
SET LOCAL ROLE NONE;
SET LOCAL session_replication_role = replica;
UPDATE audit_entry SET tx = '3' WHERE tx = pg_current_xact_id_if_assigned()
AND id >= audit_floor_id(transaction_timestamp() - interval '1 day');
SET LOCAL session_replication_role = origin;
SELECT set_config('role', current_setting('tests.role'), true);
"""
"""Looked up by whoever is at work; the entries grow old by the hand of the owner."""


def install() -> None:
    """From now on, in this process. What does not pass is raised where it would be: at the end of the transaction."""
    leave = Atomic.__exit__

    @wraps(leave)
    def left(self: Atomic, kind: Any, error: Any, trace: Any) -> None:
        connection = get_connection(self.using)
        if kind is None and not connection.needs_rollback and _outermost(connection.atomic_blocks[:-1]):
            try:
                _commit(connection)
            except Exception as refused:
                leave(self, type(refused), refused, refused.__traceback__)
                raise
        leave(self, kind, error, trace)

    Atomic.__exit__ = left
    for name in ("_execute", "_executemany"):
        setattr(CursorWrapper, name, _alone(getattr(CursorWrapper, name)))


def _alone(execute: Any) -> Any:
    """A statement outside any transaction of the program's is one by itself."""

    @wraps(execute)
    def executed(self: CursorWrapper, statement: Any, *values: Any) -> Any:
        result = execute(self, statement, *values)
        if isinstance(statement, str) and _WRITES.match(statement) and _outermost(self.db.atomic_blocks):
            _commit(self.db)
        return result

    return executed


def _outermost(blocks: list[Atomic]) -> bool:
    """Whether these are a test's blocks and nothing of the program's."""
    return bool(blocks) and blocks[-1]._from_testcase


def _commit(connection: Any) -> None:
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute(_COMMIT)
