"""Writing the record: entries go in with the change they tell of, in its transaction.

`append` is one statement for any number of lines; each column travels as one string, since that costs a fraction of
adapting arrays. The bytes that are sealed are RFC 8785 JSON: orjson with sorted keys writes exactly that as long as
keys are ASCII and numbers are integers of at most 53 bits, which `_check` and orjson's strict mode insist on.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection, transaction

from audit.carried import carried
from audit.ids import new_ids
from audit.persons import sealed

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
_SEPARATOR = "\x1f"
_RUN = 4

SQL = """
with entry as (
    insert into audit_entry (id, at, verb, subject, actor, agent, run, region, segment, account, request, body)
    select id, at, verb, subject, actor, coalesce(agent, ''), run, coalesce(region, ''), coalesce(segment, ''),
        coalesce(account, ''), coalesce(request, ''), convert_to(body, 'UTF8')
    from unnest(
        string_to_array(%s::text, chr(31))::uuid[], string_to_array(%s::text, chr(31))::timestamptz[],
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31)),
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31), '')::uuid[],
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31)),
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31))
    ) as line (id, at, verb, subject, actor, agent, run, region, segment, account, request, body)
    returning id
)
insert into audit_pending (entry) select id from entry
"""
"""Its twelve parameters come from `parameters`. One empty string makes no array at all, hence the coalesces."""


class RecordError(ValueError):
    """A line that cannot be recorded, and why. Nothing was written."""


class Line(NamedTuple):
    """One line for the record. Everything is plain text to it; `detail` is JSON without floats, keys ASCII.

    No personal data in the clear: name people by their keyed hash or by the row that holds them, and wrap what has to
    be said of them in `audit.persons.Personal`, at the top level of `detail`.
    """

    verb: str
    """From audit.words, such as "action.delivered"."""
    subject: str
    """What it was done to, as kind:key, such as "agent:inbound-intent" or "action:<uuid>"."""
    actor: str
    """Who did it: "person:ana@example.com", "worker:loop", "source:web", "cli"."""
    agent: str = ""
    run: UUID | None = None
    region: str = ""
    segment: str = ""
    account: str = ""
    request: str = ""
    detail: Mapping[str, Any] = {}


def append(cur: Any, lines: Sequence[Line]) -> list[UUID]:
    """Write `lines` in order, in `cur`'s transaction, as one statement; return their ids, ascending.

    What is `Personal` in them is sealed under its person's key first: one statement more, where there is any.
    `cur` is a psycopg 3 cursor or connection, or Django's cursor. RecordError, before anything is sent, when a line
    is outside the record's domain (a float, an integer beyond 53 bits, a key that is not ASCII, a lone surrogate, no
    verb, subject or actor). A NUL or unit separator in a column, which a stranger may send, is recorded as U+FFFD.
    """
    if not lines:
        return []
    ids, params = parameters(sealed(cur, lines))
    cur.execute(SQL, params)
    return ids


def record(*lines: Line) -> list[UUID]:
    """`append` on Django's own connection, for a change made by the ORM. RuntimeError outside an atomic block: the
    change and its entry must share a transaction."""
    if not connection.in_atomic_block:
        raise RuntimeError("record() wants the atomic block of the change it tells of")
    if transaction.get_rollback():
        raise RuntimeError("record() in a transaction that will be rolled back")
    with connection.cursor() as cursor:
        return append(cursor, lines)


def parameters(lines: Sequence[Line]) -> tuple[list[UUID], list[str]]:
    """The new ids and the parameters of `SQL` for `lines`, for callers that execute it themselves (async, pipelined).

    At least one line; raises as `append`. Each gets the request and the token under way (`audit.carried`).
    """
    lines = carried(lines)
    ids = new_ids(len(lines))
    ats, bodies = [], []
    last_ms, at = -1, ""
    for id, line in zip(ids, lines, strict=True):
        ms = id.int >> 80
        if ms != last_ms:
            last_ms, at = ms, iso(ms)
        ats.append(at)
        bodies.append(_body(id, at, line))
    columns = list(zip(*lines, strict=True))
    texts = [_SEPARATOR.join(values) for n, values in enumerate(columns[:-1]) if n != _RUN]
    if any("\0" in text or text.count(_SEPARATOR) != len(ids) - 1 for text in texts):
        return parameters([_clean(line) for line in lines])
    texts.insert(_RUN, _SEPARATOR.join(["" if run is None else f"{run.int:032x}" for run in columns[_RUN]]))
    return ids, [
        _SEPARATOR.join([f"{id.int:032x}" for id in ids]),
        _SEPARATOR.join(ats),
        *texts,
        b"\x1f".join(bodies).decode(),
    ]


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What changed, for an entry's detail: field → [before, after], None where a field was or became absent."""
    fields = sorted(before.keys() | after.keys())
    return {f: [before.get(f), after.get(f)] for f in fields if before.get(f) != after.get(f)}


def iso(ms: int) -> str:
    """A moment in milliseconds since 1970, as the record writes it: 2026-11-03T10:00:00.123Z."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def _body(id: UUID, at: str, line: Line) -> bytes:
    verb, subject, actor, agent, run, region, segment, account, request, detail = line
    if not (verb and subject and actor):
        raise RecordError(f"a line needs verb, subject and actor: {verb!r} {subject!r} {actor!r}")
    body: dict[str, Any] = {"actor": actor, "at": at, "id": id, "subject": subject, "v": 1, "verb": verb}
    if agent:
        body["agent"] = agent
    if run is not None:
        body["run"] = run
    if region:
        body["region"] = region
    if segment:
        body["segment"] = segment
    if account:
        body["account"] = account
    if request:
        body["request"] = request
    if detail:
        _check(detail)
        body["detail"] = detail
    try:
        return orjson.dumps(body, None, _OPTIONS)
    except TypeError as error:
        raise RecordError(f"{verb} on {subject}: {error}") from error


def _check(value: Any) -> None:
    """RecordError unless orjson will write `value` as RFC 8785 does."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise RecordError(f"a key of an entry's detail must be ASCII text, not {key!r}")
            if inner.__class__ is not str and inner.__class__ is not int:
                _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    elif not (value is None or isinstance(value, str | int)):
        raise RecordError(f"an entry's detail holds no {type(value).__name__}: {value!r}")


def _clean(line: Line) -> Line:
    """`line` with U+FFFD for what a text column or our separator cannot carry; a stranger may send either."""
    swap = {0: "\ufffd", ord(_SEPARATOR): "\ufffd"}
    texts: dict[str, Any] = {k: v.translate(swap) for k, v in line._asdict().items() if isinstance(v, str)}
    return line._replace(**texts)
