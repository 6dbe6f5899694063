"""
What a test itself does to nouns stands in the record as well, or the database would refuse its commit.

Only what a test's own lines do by the ORM: `install` looks who called. What the code under test does is not helped, so
an entry that it forgets is still found. For SQL of a test's own there is `tell`.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import django.db
from django.contrib.auth import base_user
from django.db import connection, models, transaction
from django.db.models.deletion import Collector

from agents.nouns import BY_TABLE
from approvals.models import person
from audit.entries import Line, append
from audit.require import subjects

VERB = "test.did"
_TESTS = str(Path(__file__).parent)
_PASSED = (str(Path(django.db.__file__).parent), base_user.__file__, person.__file__, __file__, contextlib.__file__)
"""Files whose frames only pass a call on."""

Rows = list[tuple[type[models.Model], list[Any]]]


def tell(cursor: Any, *subjects: str) -> None:
    """Say in the transaction under way that something was done to these, such as action:<uuid>."""
    append(cursor, [Line(VERB, subject, "cli") for subject in dict.fromkeys(subjects)])


def tell_rows(cursor: Any, table: str, where: str = "true", values: Iterable[Any] = ()) -> None:
    """The same of rows of a table, by SQL; `row` is the row."""
    if noun := BY_TABLE.get(table):
        tell(cursor, *subjects(cursor, noun, where, values))


def execute(conn: Any, statement: str, values: Iterable[Any] = ()) -> None:
    """A test's own INSERT, UPDATE or DELETE in a transaction, told of every row of its table; `conn` is psycopg's."""
    (table,) = re.findall(r"(?:update|insert into|delete from) (\w+)", statement, re.IGNORECASE)[:1]
    with conn.transaction(), conn.cursor() as cursor:
        tell_rows(cursor, table)
        cursor.execute(statement, list(values) or None)
        tell_rows(cursor, table)


def install() -> None:
    """From now on, in this process."""
    _wrap(models.Model, "save_base", _nothing, lambda self, *a, **k: [(type(self), [self.pk])])
    _wrap(
        models.QuerySet, "bulk_create", _nothing, lambda self, made, *a, **k: [(self.model, [one.pk for one in made])]
    )
    _wrap(models.QuerySet, "update", lambda self, **k: [(self.model, [*self.values_list("pk", flat=True)])], _nothing)
    _wrap(Collector, "delete", _collected, _nothing)


def _nothing(*args: Any, **kwargs: Any) -> Rows:
    return []


def _collected(self: Collector) -> Rows:
    rows = [(model, [one.pk for one in found]) for model, found in self.data.items()]
    rows += [(found.model, list(found.values_list("pk", flat=True))) for found in self.fast_deletes]
    for (field, _), found in self.field_updates.items():
        rows += [(field.model, [one.pk for one in part]) for part in found]
    return rows


def _wrap(owner: Any, name: str, before: Callable[..., Rows], after: Callable[..., Rows]) -> None:
    done = getattr(owner, name)

    @wraps(done)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not _by_a_test():
            return done(*args, **kwargs)
        with transaction.atomic(), connection.cursor() as cursor:
            _tell(cursor, before(*args, **kwargs))
            result = done(*args, **kwargs)
            _tell(cursor, after(*args, **kwargs))
            return result

    setattr(owner, name, wrapped)


def _tell(cursor: Any, rows: Rows) -> None:
    for model, pks in rows:
        if pks:
            tell_rows(cursor, model._meta.db_table, f"{model._meta.pk.column} = any(%s)", [pks])


def _by_a_test() -> bool:
    frame = sys._getframe(1)
    while frame and frame.f_code.co_filename.startswith(_PASSED):
        frame = frame.f_back
    return bool(frame) and frame.f_code.co_filename.startswith(_TESTS)
