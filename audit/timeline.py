"""Reading the record: newest first, by what a person asks for, a page at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from audit.ids import floor_id
from audit.partitions import plain


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show. Everything given must hold; empty means any.

    `regions` and `segments` are the codes allowed: None is any, an empty list is none; "" among them admits entries
    that belong to no region or segment, such as changes of a connection. `verb` is a verb or the beginning of one
    ("action."). `since` is inclusive, `until` exclusive, both aware, to the millisecond.
    """

    agent: str = ""
    actor: str = ""
    verb: str = ""
    subject: str = ""
    account: str = ""
    request: str = ""
    """The request or task that carried it; not indexed, so give `since` and `until` with it."""
    run: UUID | None = None
    regions: Sequence[str] | None = None
    segments: Sequence[str] | None = None
    agents: Sequence[str] | None = None
    """The agents allowed, as with `regions`."""
    within: Mapping[str, Collection[str]] | None = None
    """By column (agent, region, segment) the values allowed, one of which must hold; None is any."""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    """Words that the entry has to have, all of them; only `audit.search` looks for these."""
    names: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By word of `text` whom or what it may also name, as kind:key."""
    about: str = ""
    """Whom or what it has to speak of anywhere, as kind:key; only `audit.search` looks for it."""


class Row(NamedTuple):
    """One entry as shown. `seq` is its number in the sealed record, None while it is unsealed."""

    id: UUID
    at: datetime
    verb: str
    actor: str
    subject: str
    agent: str
    run: UUID | None
    region: str
    segment: str
    account: str
    request: str
    detail: dict[str, Any]
    seq: int | None

    @property
    def sealed(self) -> bool:
        """Whether a checkpoint covers it."""
        return self.seq is not None


def timeline(filters: Filters, *, before: UUID | None = None, after: UUID | None = None, limit: int = 50) -> list[Row]:
    """Up to `limit` entries that match, newest first: the newest, those just `before` an id (the last of the page shown
    before this one), or those just `after` one (the first of it)."""
    clauses, params = where(filters)
    for sign, cursor in (("<", before), (">", after)):
        if cursor:
            clauses.append(f"id {sign} %s")
            params.append(cursor)
    return rows(" and ".join(clauses) or "true", params, limit, oldest=after is not None and before is None)


def find(id: UUID) -> Row | None:
    """The entry of that id."""
    return next(iter(rows("id = %s", [id], 1)), None)


def where(filters: Filters) -> tuple[list[str], list[Any]]:
    """The conditions on audit_entry's columns, to be joined by "and", and their parameters."""
    clauses: list[str] = []
    params: list[Any] = []

    def want(clause: str, *values: Any) -> None:
        clauses.append(clause)
        params.extend(values)

    if filters.agent:
        want("agent = %s and agent <> ''", filters.agent)
    if filters.actor:
        want("actor = %s", filters.actor)
        if not filters.actor.startswith("worker:"):
            want("actor not like 'worker:%%'")
    if filters.verb:
        want("starts_with(verb, %s)", filters.verb)
    if filters.subject:
        want("subject = %s", filters.subject)
    if filters.account:
        want("account = %s and account <> ''", filters.account)
    if filters.request:
        want("request = %s", filters.request)
    if filters.run:
        want("run = %s", filters.run)
    for column in ("regions", "segments", "agents"):
        allowed = getattr(filters, column)
        if allowed is not None:
            want(f"{column[:-1]} = any(%s)", list(allowed))
    if filters.within is not None:
        columns = [column for column, values in filters.within.items() if values]
        tests = " or ".join(f"{plain(column)} = any(%s)" for column in columns)
        want(f"({tests or 'false'})", *(sorted(filters.within[column]) for column in columns))
    if filters.since:
        want("id >= %s", floor_id(filters.since))
    if filters.until:
        want("id < %s", floor_id(filters.until))
    return clauses, params


def rows(where: str, params: list[Any], limit: int, *, oldest: bool = False) -> list[Row]:
    """The newest (or `oldest`) `limit` entries of which `where` holds, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select e.id, e.at, e.verb, e.actor, e.subject, e.agent, e.run, e.region, e.segment, e.account, e.request,"  # noqa: S608
            " e.body, (select seq from audit_leaf l where l.entry = e.id)"
            f" from (select * from audit_entry where {where} order by id {'asc' if oldest else 'desc'} limit %s) e"
            " order by e.id desc",
            [*params, limit],
        )
        return [Row._make((*row[:-2], _detail(row[-2]), row[-1])) for row in cursor.fetchall()]


def _detail(body: bytes) -> dict[str, Any]:
    """The detail in an entry's bytes; a body that someone broke is shown as such and left to `verify`."""
    try:
        detail = orjson.loads(bytes(body)).get("detail", {})
    except (orjson.JSONDecodeError, AttributeError):
        return {"unreadable": True}
    return detail if isinstance(detail, dict) else {"unreadable": True}
