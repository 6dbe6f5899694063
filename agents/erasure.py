"""
Erasing one person: all that is known of somebody whom signals are about, but for the fact that it was erased.

 1. Stop: nothing of theirs is decided or sent any more. Refused while something to them is in flight.
 2. Clear what `agents.personal` lists, a table at a time, each in one transaction with its entry; again, until a pass
    finds nothing, since somebody may have been writing meanwhile.
 3. Destroy their key, so that what the record has sealed of them is unreadable, and say so in the record.

Stopped anywhere, it goes on from there when it is asked again. Ids, hashes, scores, verdicts and times stay: what was
done stays provable and counted. So does the do-not-contact list, by hash. Backups and exports are out of reach.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from agents import personal
from agents.personal import Cleared
from agents.theirs import Found, fetch, find
from audit.entries import Line, record
from audit.holds import Hold, keep_still
from audit.models import Entry
from audit.persons import destroy

BATCH = 1000
PATIENCE = "3s"
"""How long stopping waits for whoever has their rows; then it is tried again by who asked."""
PASSES = 5
FLYING = ("sending", "unknown")
STOPPABLE = ("waiting", "ready", "held")
WHY = "The person was erased."

LOCK_QUESTIONS = """
SELECT id FROM approvals_approval WHERE id = ANY(%s) AND state IN ('waiting', 'approved') ORDER BY id FOR UPDATE
"""
STOP_SIGNALS = "UPDATE agents_signal SET state = 'erased' WHERE id = ANY(%s) AND state <> 'erased' RETURNING id"
STOP_ACTIONS = """
WITH stopped AS (
    UPDATE agents_action SET state = 'withdrawn', why = %s, settled_at = clock_timestamp()
    WHERE id = ANY(%s) AND state = ANY(%s) RETURNING id, agent_id, run_id, region_id, segment_id, account
)
SELECT s.id, g.slug, s.run_id, r.code, m.code, s.account FROM stopped s JOIN agents_agent g ON g.id = s.agent_id
JOIN agents_region r ON r.id = s.region_id JOIN agents_segment m ON m.id = s.segment_id ORDER BY s.id
"""
STOP_QUESTIONS = """
UPDATE approvals_approval SET state = 'withdrawn', decided_by_id = NULL, decided_at = clock_timestamp(), note = ''
WHERE id = ANY(%s) AND (state = 'waiting' OR state = 'approved' AND subject = ANY(%s)) RETURNING id
"""
VOID = "UPDATE approvals_verdict SET voided_at = clock_timestamp() WHERE approval_id = ANY(%s) AND voided_at IS NULL"
IN_FLIGHT = "SELECT count(*) FROM agents_action WHERE id = ANY(%s) AND state = ANY(%s)"


class InFlight(ValidationError):
    """Something to them is being sent, or nobody knows whether it was."""


class Held(ValidationError):
    """A legal hold covers them."""


@dataclass(slots=True)
class Erased:
    """What an erasure did, or would do: rows cleared by table, and actions stopped that were still to go."""

    rows: dict[str, int] = field(default_factory=dict)
    stopped: int = 0
    flying: int = 0
    """Actions to them that are in flight or unknown: until they are settled nothing is erased."""
    held: list[Hold] = field(default_factory=list)
    """Legal holds, while which stand nothing is erased."""
    key: bool = False
    """Whether the record had sealed something under a key of theirs."""

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def __bool__(self) -> bool:
        return bool(self.total or self.stopped or self.key)


def erase(
    contact: bytes, *, actor: str, reason: str, email: str = "", tell: Callable[[str, int], None] | None = None
) -> Erased:
    """
    Erase the person of this keyed hash; `email`, where it is known, finds dead letters even if no signal names it.

    `reason` is kept for ever, so it must not name them: ValidationError where it does or is empty, while a legal hold
    is on them, or (InFlight) while an action to them is under way. `tell` hears of each table: its name, rows cleared.
    Nothing left to erase: nothing is written. Not inside a transaction.
    """
    if connection.in_atomic_block:
        raise RuntimeError("an erasure wants transactions of its own")
    known = find(contact, email)
    _check(known, reason)
    done = Erased()
    for _ in range(PASSES):
        before = done.total
        found = find(contact, *known.addresses)
        done.stopped += _stop(found, actor)
        for name, rows in _clear(found, actor):
            done.rows[name] = done.rows.get(name, 0) + rows
            if tell:
                tell(name, rows)
        if done.total == before:
            break
    else:
        raise ValidationError("There is always something new of them: close the source that sends it, and try again.")
    detail = {"rows": done.total, "stopped": done.stopped, "tables": done.rows, "why": reason.strip()[:200]}
    with transaction.atomic(), connection.cursor() as cursor:
        keep_still(cursor)
        _check_holds(find(contact, *known.addresses))
        done.key = destroy(cursor, contact)
        if done:
            record(Line("person.erased", f"contact:{contact.hex()}", actor, detail=detail))
    if done:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT audit_fresh_statistics(%s)", [[*(part.table for part in personal.CLEARED), *personal.SCRUBBED]]
            )
    return done


def preview(contact: bytes, *, email: str = "") -> Erased:
    """What erasing them would clear and stop, and what is in flight; changes nothing."""
    found = find(contact, email)
    would = Erased(held=found.held)
    with connection.cursor() as cursor:
        for part, column, ids in _parts(found):
            if rows := sum(_count(cursor, part, column, some) for some in _pieces(ids)):
                would.rows[part.table] = rows
        would.stopped = _among(cursor, found, STOPPABLE)
        would.flying = _among(cursor, found, FLYING)
        cursor.execute("SELECT exists (SELECT FROM audit_person_key WHERE person = %s)", [contact.hex()])
        would.key = cursor.fetchone()[0]
    return would


def erased_at(contact: bytes) -> datetime | None:
    """When the person was erased last."""
    told = Entry.objects.filter(subject=f"contact:{contact.hex()}", verb="person.erased")
    return told.order_by("-id").values_list("at", flat=True).first()


def _check(found: Found, reason: str) -> None:
    said = reason.strip().lower()
    if not said:
        raise ValidationError({"reason": "Say on whose request, such as a ticket's number."})
    _check_holds(found)
    if "@" in said or any(re.search(rf"\b{re.escape(name)}\b", said) for name in found.names):
        raise ValidationError({"reason": "The reason is kept for ever: give a ticket's number, not a name or address."})


def _check_holds(found: Found) -> None:
    if found.held:
        raise Held(
            f"A legal hold stands: {'; '.join(f'{hold.reference}, on {hold}: {hold.reason}' for hold in found.held)}."
        )


def _stop(found: Found, actor: str) -> int:
    """One transaction: their signals are not heard any more, and what waits to go is withdrawn; how many actions."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
        cursor.execute(LOCK_QUESTIONS, [list(found.questions)])
        about = fetch(cursor, STOP_SIGNALS, found.signals)
        gone = fetch(cursor, STOP_ACTIONS, WHY, found.actions, list(STOPPABLE))
        flying = _among(cursor, found, FLYING)
        if flying:
            raise InFlight(
                f"{flying} actions to them are in flight, or nobody knows whether they arrived: settle those first."
            )
        ended = fetch(cursor, STOP_QUESTIONS, list(found.questions), [f"action:{row[0]}" for row in gone])
        cursor.execute(VOID, [[id_ for (id_,) in ended]])
        lines = [
            Line("action.withdrawn", f"action:{id_}", actor, agent, run, region, segment, account, detail={"why": WHY})
            for id_, agent, run, region, segment, account in gone
        ]
        told = {line.subject for line in lines}
        named = {found.questions[id_] for (id_,) in ended} | {f"signal:{id_}" for (id_,) in about} & found.others
        lines += [_line(found, actor, subject, {}) for subject in sorted(named - told)]
        if about or lines:
            subject, detail = f"contact:{found.contact.hex()}", {"signals": len(about), "stopped": len(gone)}
            record(Line("person.erasing", subject, actor, detail=detail), *lines)
    return len(gone)


def _parts(found: Found) -> Iterator[tuple[Cleared, str, Sequence[Any]]]:
    """What is cleared, in order: the table, the column it is found by, and that column's values."""
    questions = list(found.questions)
    yield personal.LETTERS, "id", found.letters
    for part in (personal.VERDICTS, personal.EDITS, personal.MESSAGES, personal.CALLS):
        yield part, "approval_id", questions
    yield personal.QUESTIONS, "id", questions
    yield personal.ATTEMPTS, "action_id", found.actions
    yield personal.ACTIONS, "id", found.actions
    yield personal.RUNS, "id", found.runs
    yield personal.ACCOUNTS, "id", found.accounts
    yield personal.LISTED, "contact", [found.contact]
    yield personal.SIGNALS, "id", found.signals


def _clear(found: Found, actor: str) -> Iterator[tuple[str, int]]:
    """Clear each table in a transaction of its own; the name and rows of those where there was something."""
    for table, (columns, subject) in personal.SCRUBBED.items():
        with transaction.atomic(), connection.cursor() as cursor:
            rows = _scrub(cursor, table, columns, subject, found, actor)
        if rows:
            yield table, rows
    for part, column, ids in _parts(found):
        with transaction.atomic(), connection.cursor() as cursor:
            rows, unnamed = 0, set[Any]()
            for some in _pieces(ids):
                cleared = fetch(cursor, _update(part, column), some)
                rows += len(cleared)
                unnamed |= {value for (value,) in cleared}
            if rows:
                record(
                    _line(found, actor, "", {"table": part.table, "rows": rows}),
                    *(_line(found, actor, subject, {}) for subject in _subjects(found, part, unnamed)),
                )
        if rows:
            yield part.table, rows


def _subjects(found: Found, part: Cleared, keys: set[Any]) -> list[str]:
    """How the record calls those of the rows that the person's own entry does not speak for."""
    if part is personal.LETTERS:
        return [f"signal:{id_}" for id_ in sorted(keys)]
    if part in (personal.SIGNALS, personal.RUNS, personal.ACTIONS):
        kind = part.table.removeprefix("agents_")
        return sorted({f"{kind}:{id_}" for id_ in keys} & found.others)
    if part is personal.ATTEMPTS:
        return [f"action:{id_}" for id_ in sorted(keys)]
    if part.table.startswith("approvals_"):
        return sorted({found.questions[id_] for id_ in keys})
    return []


def _update(part: Cleared, column: str) -> str:
    sets = ", ".join(f"{name} = {value}" for name, value in part.becomes.items())
    return f"UPDATE {part.table} t SET {sets} WHERE t.{column} = ANY(%s) AND {_differs(part)} RETURNING t.{column}"  # noqa: S608


def _differs(part: Cleared) -> str:
    return "(" + " OR ".join(f"t.{name} IS DISTINCT FROM ({value})" for name, value in part.becomes.items()) + ")"


def _count(cursor: Any, part: Cleared, column: str, ids: list[Any]) -> int:
    sql = f"SELECT count(*) FROM {part.table} t WHERE t.{column} = ANY(%s) AND {_differs(part)}"  # noqa: S608
    return int(fetch(cursor, sql, ids)[0][0])


def _scrub(cursor: Any, table: str, names: Sequence[str], subject: str, found: Found, actor: str) -> int:
    """Strike their address out of what a far side said."""
    rows = 0
    for name in names:
        for term in found.addresses:
            sql = (
                f"UPDATE {table} t SET {name} = regexp_replace({name}, %s, %s, 'gi')"  # noqa: S608
                f" WHERE position(%s IN lower({name})) > 0 RETURNING {subject or 'NULL'}"
            )
            done = fetch(cursor, sql, re.escape(term), personal.GONE, term)
            rows += len(done)
            if done:
                told = sorted({told for (told,) in done if told})
                record(
                    _line(found, actor, "", {"table": table, "rows": len(done)}),
                    *(_line(found, actor, one, {}) for one in told),
                )
    return rows


def _pieces(ids: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(ids), BATCH):
        yield list(ids[start : start + BATCH])


def _among(cursor: Any, found: Found, states: Sequence[str]) -> int:
    return int(fetch(cursor, IN_FLIGHT, found.actions, list(states))[0][0])


def _line(found: Found, actor: str, subject: str, detail: dict[str, Any]) -> Line:
    return Line("person.cleared", subject or f"contact:{found.contact.hex()}", actor, detail=detail)
