"""
Legal holds: what a matter at law speaks of stays, however old it is and whoever asks for it to be forgotten.

A hold is set and released by an entry, with a reason, and never changed. While it stands, nothing that it covers is
dropped by a rule (`audit.archive`), nor erased: `agents.erasure` holds the `standing` ones against what is known of the
person (`agents.theirs`), and once more when it destroys their key.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit.entries import Line, record
from audit.ids import floor_id

KINDS = ("agent", "account", "person", "run", "period")
LOCK = 0x5EA10D
"""Key of the advisory lock under which holds are set, and keys of persons destroyed."""
_PERSON = re.compile(r"[0-9a-f]{32}|person:[1-9][0-9]{0,17}")

_STANDING = """
select h.id, h.kind, h.key, h.since, h.until, h.reason, h.actor, h.at, r.actor, r.at, r.reason
from audit_legal_hold h left join audit_legal_release r on r.hold = h.id
"""


class HoldError(ValueError):
    """A hold that can't be set or released, and why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """
    `key` is the agent's slug, the account's key, the run's id, or whom it is about: the keyed hash of a contact in
    hexadecimal, or "person:<id>" for a user. `since` (inclusive) and `until` (exclusive) narrow it, and are all there
    is of a period. `released_at` is None while it stands.
    """

    id: int
    kind: str
    key: str
    since: datetime | None
    until: datetime | None
    reason: str
    actor: str
    at: datetime
    released_by: str | None = None
    released_at: datetime | None = None
    released_why: str | None = None

    def __str__(self) -> str:
        days = [f"{name} {at:%Y-%m-%d}" for name, at in (("from", self.since), ("until", self.until)) if at]
        return " ".join(filter(None, (self.kind, self.key if self.kind != "person" else self.key[:16], *days)))

    @property
    def reference(self) -> str:
        """As entries name it."""
        return f"legal_hold:{self.id}"

    def covers(self, runs: Sequence[UUID] = ()) -> tuple[str, list[Any]]:
        """SQL that holds for the rows of audit_entry `e` it covers, and its parameters; `runs` are a contact's."""
        tests: dict[str, tuple[str, list[Any]]] = {
            "agent": ("e.agent = %s or e.subject = %s", [self.key, f"agent:{self.key}"]),
            "account": ("e.account = %s or e.subject = %s", [self.key, f"account:{self.key}"]),
            "run": ("e.run = %s::uuid or e.subject = %s", [self.key, f"run:{self.key}"]),
            "period": ("true", []),
            "person": (
                "e.actor = %s or e.subject = %s or e.account = %s or e.run = any(%s)"
                " or position(convert_to(%s, 'UTF8') in e.body) > 0",
                [self._name, self._name, self._name, list(runs), self._written],
            ),
        }
        sql, params = tests[self.kind]
        for sign, at in ((">=", self.since), ("<", self.until)):
            if at is not None:
                sql, params = f"({sql}) and e.id {sign} %s", [*params, floor_id(at)]
        return f"coalesce({sql}, false)", params

    @property
    def _written(self) -> str:
        """As it stands in the bytes of an entry that speaks of them."""
        return f'"{self.key}"' if self.key.startswith("person:") else self.key

    @property
    def _name(self) -> str:
        return self.key if self.key.startswith("person:") else f"contact:{self.key}"


def set_hold(
    kind: str,
    key: str = "",
    *,
    actor: str,
    reason: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Hold:
    """Set a hold from the commit on. HoldError for one that says nothing; whether the actor may is the caller's."""
    key = key.strip()
    if kind not in KINDS:
        raise HoldError(f"A hold is on one of: {', '.join(KINDS)}.")
    if (kind == "period") == bool(key):
        raise HoldError("A period has no name, only a beginning." if key else f"Say which {kind}.")
    if kind == "period" and since is None:
        raise HoldError("Say since when the period is held.")
    if kind == "run":
        try:
            key = str(UUID(key))
        except ValueError:
            raise HoldError("A run is named by its id, as in its page's address.") from None
    if kind == "person":
        key = key.lower()
        if not _PERSON.fullmatch(key):
            raise HoldError("A person is named by their hash, 32 hexadecimal digits, or as person:7.")
    if since and until and until <= since:
        raise HoldError("The end must come after the beginning.")
    if not reason.strip():
        raise HoldError("Say why, for whoever asks about it later.")
    with transaction.atomic(), connection.cursor() as cursor:
        keep_still(cursor)
        cursor.execute(
            "insert into audit_legal_hold (kind, key, since, until, reason, actor) values (%s, %s, %s, %s, %s, %s)"
            " returning id, at",
            [kind, key, since, until, reason.strip(), actor],
        )
        id, at = cursor.fetchone()
        made = Hold(id, kind, key, since, until, reason.strip(), actor, at)
        record(_line("record.held", made, actor, made.reason))
    return made


def keep_still(cursor: Any) -> None:
    """Let nobody set a hold until this transaction ends."""
    cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])


def release(id: int, *, actor: str, reason: str) -> bool:
    """Release a hold, with a reason. False: there is no such hold that stands. HoldError without a reason."""
    if not reason.strip():
        raise HoldError("Say why, for whoever asks about it later.")
    with transaction.atomic(), connection.cursor() as cursor:
        hold = next((one for one in standing(cursor) if one.id == id), None)
        if hold is None:
            return False
        cursor.execute(
            "insert into audit_legal_release (hold, reason, actor) values (%s, %s, %s)"
            " on conflict do nothing returning hold",
            [id, reason.strip(), actor],
        )
        if cursor.fetchone() is None:
            return False
        record(_line("record.released", hold, actor, reason.strip()))
    return True


def standing(cursor: Any = None) -> list[Hold]:
    """The holds in force, oldest first. `cursor` is Django's or psycopg's, Django's connection when left out."""
    return _holds(cursor, " where r.hold is null order by h.id")


def every(cursor: Any = None) -> list[Hold]:
    """All holds there ever were, newest first."""
    return _holds(cursor, " order by h.id desc")


def _holds(cursor: Any, rest: str) -> list[Hold]:
    if cursor is None:
        with connection.cursor() as own:
            return _holds(own, rest)
    cursor.execute(_STANDING + rest)
    return [Hold(*row) for row in cursor.fetchall()]


def _line(verb: str, hold: Hold, actor: str, why: str) -> Line:
    return Line(
        verb,
        hold.reference,
        actor,
        agent=hold.key if hold.kind == "agent" else "",
        account=hold.key if hold.kind == "account" else "",
        detail={
            "kind": hold.kind,
            "on": hold.key,
            "why": why,
            **{name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in (("since", hold.since), ("until", hold.until)) if at},
        },
    )
