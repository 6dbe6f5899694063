"""
No change without its entry: triggers on the tables of nouns, whoever writes to them and however.

At the commit, each row that came, changed or went is looked up: the same transaction must have written an entry whose
subject is the row's name, kind:key. Order within the transaction is free; an entry in a savepoint that was rolled back
does not count. Nothing that the application's role can set turns it off.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from audit.partitions import plain

PREFIX = "audit_entry_"
"""What these triggers' names begin with."""
_ROW = re.compile(r"\brow\.")
_TRIGGERS = """
    select tgname from pg_trigger where tgrelid = to_regclass(%s) and not tgisinternal and starts_with(tgname, %s)
"""
_COLUMNS = """
    select attname::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
    order by attname <> 'state', attnum
"""


class Noun(NamedTuple):
    """
    A table of things that people and programs change. Where SQL is wanted, `row` is the row that is named.

    `key` that comes to NULL is that of a part whose whole went in the same transaction; the whole's entry tells of it.
    """

    table: str
    kind: str
    key: str = "row.id"
    beside: tuple[str, ...] = ()
    """Columns that only keep books, such as when it was last used: changing them needs no entry."""
    only: Mapping[str, str] = {}
    """Column → SQL on `old` and `new`: a change of it counts only where this holds."""
    born: str = ""
    """SQL of another subject whose entry tells of a new row, as a run's does of its actions."""
    among: str = ""
    """SQL of another subject whose entry tells of many rows at once that change or go."""
    gone: str = ""
    """The same, but of rows that go."""

    def subject(self, row: str) -> str:
        """SQL for what its entries name, of the row `row`."""
        name = f"'{plain(self.kind)}:' || {self.key}" if self.kind else self.key
        return _ROW.sub(f"{row}.", name)


def require_entries(cursor: Any, nouns: Iterable[Noun]) -> list[str]:
    """
    Put the triggers on each noun's table, in place of those before; the tables. One that is not there is left out.

    From then on a commit that changed a row without its entry is refused: IntegrityError, naming the subject. For
    migrations: the statements lock each table against writers.
    """
    done = []
    for noun in nouns:
        cursor.execute(_COLUMNS, [noun.table])
        columns = [name for (name,) in cursor.fetchall()]
        if not columns:
            continue
        _drop(cursor, noun)
        cursor.execute(_function(noun))
        for statement in triggers(noun, columns).values():
            cursor.execute(statement)
        done.append(noun.table)
    return done


def subjects(cursor: Any, noun: Noun, where: str, values: Iterable[Any] = ()) -> list[str]:
    """What entries name of the rows of `noun` for which the SQL `where`, on `row`, holds."""
    cursor.execute(
        f"select {noun.subject('row')} from {plain(noun.table)} as row where {where}",  # noqa: S608
        list(values) or None,
    )
    return [name for (name,) in cursor.fetchall() if name]


def forget_entries(cursor: Any, nouns: Iterable[Noun]) -> None:
    """Take the triggers off again, for a migration's way back."""
    for noun in nouns:
        _drop(cursor, noun)
        cursor.execute(f"drop function if exists {_named(noun)}()")


def triggers(noun: Noun, columns: Iterable[str]) -> dict[str, str]:
    """Name → SQL of the triggers that a table of these columns gets."""
    table = plain(noun.table)
    counting = [f'"{plain(name)}"' for name in columns if name not in noun.beside and name not in noun.only]
    differs = " or ".join(f"old.{name} is distinct from new.{name}" for name in counting)
    wanted = {
        "rows": ("insert or delete", ""),
        "update": (f"update of {', '.join(counting)}", f"when ({differs})"),
        **{plain(name): (f'update of "{name}"', f"when ({when})") for name, when in noun.only.items()},
    }
    return {
        PREFIX + name: f"create constraint trigger {PREFIX}{name} after {event} on {table} "
        f"deferrable initially deferred for each row {when} execute function {_named(noun)}()"
        for name, (event, when) in wanted.items()
    }


def _drop(cursor: Any, noun: Noun) -> None:
    cursor.execute(_TRIGGERS, [noun.table, PREFIX])
    for (name,) in cursor.fetchall():
        cursor.execute(f"drop trigger {plain(name)} on {plain(noun.table)}")


def _named(noun: Noun) -> str:
    return f"{PREFIX}of_{plain(noun.table)}"


def _function(noun: Noun) -> str:
    """
    The look-up, by index, in the month's partition: the bounds on the id are a day each way, for clocks that differ.
    The newest first, as this transaction's are, and by no plan that reads them all: so it costs the same however much
    was recorded of the subject before.

    The subject is put together without rendering the row, as the whole of it may be large; tables and types are
    named with their schema, so that no temporary one passes for them.
    """
    tries = [
        ("tg_op <> 'DELETE'", noun.subject("new")),
        ("tg_op <> 'INSERT'", noun.subject("old")),
        *([("tg_op = 'INSERT'", _ROW.sub("new.", noun.born))] if noun.born else []),
        *([("tg_op = 'UPDATE'", _ROW.sub("new.", noun.among))] if noun.among else []),
        *([("tg_op <> 'INSERT'", _ROW.sub("old.", noun.among))] if noun.among else []),
        *([("tg_op = 'DELETE'", _ROW.sub("old.", noun.gone))] if noun.gone else []),
    ]
    part = "if named is null then return null; end if;" if "select" in noun.key else ""
    looks = "\n".join(_look(when, subject, part if n < 2 else "") for n, (when, subject) in enumerate(tries))
    return f"""
create or replace function {_named(noun)}() returns trigger language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
    lowest pg_catalog.uuid := public.audit_floor_id(transaction_timestamp() - interval '1 day');
    highest pg_catalog.uuid := public.audit_floor_id(transaction_timestamp() + interval '1 day');
    named pg_catalog.text;
    first pg_catalog.text;
begin
{looks}
    raise exception '% of {noun.table} without an entry in the record for %', tg_op, first
    using errcode = 'integrity_constraint_violation', table = '{noun.table}',
    hint = 'write the change and its entry in one transaction: audit.entries.record';
end $$"""


def _look(when: str, subject: str, part: str) -> str:
    return f"""    if {when} then
        named := {subject};
        {part}
        perform from public.audit_entry
        where subject = named and tx = pg_current_xact_id() and id >= lowest and id < highest
        order by id desc limit 1;
        if found then return null; end if;
        first := coalesce(first, named);
    end if;"""
