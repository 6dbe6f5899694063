"""
Age: how long the record keeps what was sealed, and what has gone from it by rule.

Rules say from how many months on the bodies of entries go: dropped, or first written to a file that verifies offline.
The seals stay: numbers, leaves, tiles and checkpoints, so the tree is whole for ever. Each stretch that went is told
of by an entry that is itself never dropped (`audit.archive` does it, `audit.aged` holds `verify` against it).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction

from audit.entries import Line, record
from audit.ids import floor_id

__all__ = [
    "COOLING", "NEVER", "Rule", "RuleError", "Ruled", "Stretch", "beyond", "bounds", "gone", "month_after",
    "rule_of", "ruled", "set_rules", "stretches",
]  # fmt: skip

DROP, ARCHIVE = "drop", "archive"
NEVER = ("record.", "agent.")
"""Entries about the record itself, such as those that tell what was dropped, and about agents, which tell who was
accountable for one when, are never dropped."""
COOLING = timedelta(days=1)
"""A rule takes hold so long after it was set: whoever sees its entry has a day to say no."""
MOST_MONTHS = 1_200

ROOT = 11
_STRETCHES = """
select id, month, verbs, months, archived, low, high, from_seq, to_seq, dropped, missing, root, file, sha256, entry, at
from audit_aged
"""


class RuleError(ValueError):
    """A rule that can't be kept, and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Entries whose verb begins with `verbs` ("" is all) keep their bodies for `months` after their month is over."""

    verbs: str
    months: int
    archive: bool = True

    def __str__(self) -> str:
        what = f"{self.verbs}* entries" if self.verbs else "all entries"
        how = "written to a file and dropped" if self.archive else "dropped"
        return f"{what} are {how} after {self.months} months"

    @property
    def document(self) -> dict[str, Any]:
        """As it is kept and recorded."""
        return {"verbs": self.verbs, "months": self.months, "then": ARCHIVE if self.archive else DROP}

    def ends(self, month: date) -> date:
        """The first day on which entries of `month` may go."""
        return month_after(month, 1 + self.months)


@dataclass(frozen=True, slots=True)
class Ruled:
    """The rules as one version of them has it: of several that fit a verb, the longest counts. Version 0 keeps all."""

    version: int
    rules: tuple[Rule, ...]
    actor: str = ""
    reason: str = ""
    at: datetime | None = None

    @property
    def holds_from(self) -> datetime | None:
        """From when on they are carried out."""
        return self.at + COOLING if self.at else None

    def longer(self, rule: Rule) -> list[str]:
        """The verbs that `rule` fits but leaves to a longer one, and those that never go."""
        return [one.verbs for one in self.rules if one != rule and one.verbs.startswith(rule.verbs)] + list(NEVER)


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    What one carrying out of a rule took out of one month. `dropped` entries went then; `missing` of that month were
    gone after it, and `root` is the Merkle root over their leaves, in the order of their numbers.
    """

    id: int
    month: date
    verbs: str
    months: int
    archived: bool
    low: UUID
    high: UUID
    from_seq: int
    to_seq: int
    dropped: int
    missing: int
    root: bytes
    file: str
    sha256: str
    entry: UUID
    at: datetime

    @property
    def rule(self) -> Rule:
        """By which it went."""
        return Rule(self.verbs, self.months, self.archived)

    @property
    def why(self) -> str:
        """For whoever misses an entry: by what rule, when, and where it is now."""
        where = f"; archived in {self.file}, SHA-256 {self.sha256}" if self.archived else ""
        return f"dropped by rule ({self.rule}) on {self.at:%Y-%m-%d}, its seal is kept{where}"


def ruled(cursor: Any = None) -> Ruled:
    """The newest version of the rules."""
    if cursor is None:
        with connection.cursor() as own:
            return ruled(own)
    cursor.execute("select version, rules, actor, reason, at from audit_retention order by version desc limit 1")
    row = cursor.fetchone()
    if row is None:
        return Ruled(0, ())
    rules = orjson.loads(row[1]) if isinstance(row[1], str) else row[1]
    return Ruled(row[0], tuple(Rule(one["verbs"], one["months"], one["then"] == ARCHIVE) for one in rules), *row[2:])


def set_rules(rules: Iterable[Rule], *, actor: str, reason: str, seen: int | None = None) -> Ruled:
    """
    Put these rules in force, COOLING from now, as the next version; none keeps everything.

    RuleError for what is no rule, without a reason, or when version `seen` is no longer the newest. Whether the actor
    may is the caller's question.
    """
    rules = sorted(rules, key=lambda rule: rule.verbs)
    for rule in rules:
        _check(rule)
    if len({rule.verbs for rule in rules}) < len(rules):
        raise RuleError("Two rules are for the same verbs: keep one of them.")
    if not reason.strip():
        raise RuleError("Say why, for whoever asks about it later.")
    with transaction.atomic(), connection.cursor() as cursor:
        before = ruled(cursor)
        if seen is not None and seen != before.version:
            raise RuleError(f"Somebody set version {before.version} meanwhile: look at it first.")
        documents = [rule.document for rule in rules]
        cursor.execute(
            "insert into audit_retention (version, rules, actor, reason) values (%s, %s::jsonb, %s, %s)"
            " on conflict do nothing returning at",
            [before.version + 1, orjson.dumps(documents).decode(), actor, reason.strip()],
        )
        row = cursor.fetchone()
        if row is None:
            raise RuleError("Somebody else set them at this very moment: look at theirs first.")
        made = Ruled(before.version + 1, tuple(rules), actor, reason.strip(), row[0])
        detail = {
            "why": made.reason,
            "before": [str(rule) for rule in before.rules],
            "after": [str(rule) for rule in rules],
            "rules": documents,
        }
        record(Line("record.ruled", f"retention:{made.version}", actor, detail=detail))
    return made


def stretches(conn: Any = None) -> list[Stretch]:
    """All that went by rule, newest first. `conn` is Django's cursor or psycopg's; Django's own when left out."""
    return _stretches(conn, " order by id desc", [])


def beyond(since: datetime | None = None, until: datetime | None = None, *, verb: str = "") -> list[Stretch]:
    """What went of the time from `since` to `until`, oldest first: for a timeline to say where it is now.

    `verb` is one, or the beginning of one.
    """
    low = floor_id(since) if since else UUID(int=0)
    high = floor_id(until) if until else UUID(int=2**128 - 1)
    found = _stretches(None, " where high > %s and low < %s order by id", [low, high])
    return [one for one in found if one.verbs.startswith(verb) or verb.startswith(one.verbs)]


def gone(entry: UUID, *, conn: Any = None) -> Stretch | None:
    """The stretch with which a sealed entry went; None while it is there, or if it never was or went otherwise.

    Of several stretches of its month it is the latest that an entry of its number can have gone with.
    """
    if conn is None:
        with connection.cursor() as own:
            return gone(entry, conn=own)
    row = conn.execute(
        "select seq from audit_leaf l where entry = %s and not exists (select from audit_entry e where e.id = l.entry)",
        [entry],
    ).fetchone()
    if row is None:
        return None
    between = " where low <= %s and high > %s and from_seq <= %s and to_seq >= %s order by id desc limit 1"
    found = _stretches(conn, between, [entry, entry, row[0], row[0]])
    return found[0] if found else None


def month_after(month: date, n: int) -> date:
    """The first day of the month `n` months after `month`'s."""
    months = month.year * 12 + month.month - 1 + n
    return date(months // 12, months % 12 + 1, 1)


def bounds(month: date) -> tuple[UUID, UUID]:
    """The smallest id of a month, and that of the next."""
    return _floor(month), _floor(month_after(month, 1))


def _floor(month: date) -> UUID:
    return floor_id(datetime(month.year, month.month, 1, tzinfo=UTC))


def rule_of(document: Mapping[str, Any]) -> Rule:
    """A rule from what a form or a file says. RuleError."""
    verbs, months, then = document.get("verbs", ""), document.get("months"), document.get("then", ARCHIVE)
    try:
        rule = Rule(str(verbs).strip(), int(str(months)), then == ARCHIVE)
    except ValueError:
        raise RuleError(f"After how many months? {months!r} is no whole number.") from None
    if then not in (DROP, ARCHIVE):
        raise RuleError(f"Entries are dropped or archived, not {then!r}.")
    _check(rule)
    return rule


def _check(rule: Rule) -> None:
    if not 1 <= rule.months <= MOST_MONTHS:
        raise RuleError(f"Entries are kept for 1 to {MOST_MONTHS} months, not {rule.months}.")
    if rule.verbs and not all(part.isascii() and (part.isalnum() or part in "._-") for part in rule.verbs):
        raise RuleError(f"{rule.verbs!r} is not the beginning of a verb, such as “signal.”.")
    if rule.verbs.startswith(NEVER):
        raise RuleError("What is said of the record itself, of agents and of who owns them, is never dropped.")


def _stretches(conn: Any, rest: str, params: list[Any]) -> list[Stretch]:
    if conn is None:
        with connection.cursor() as own:
            return _stretches(own, rest, params)
    out = []
    for row in conn.execute(_STRETCHES + rest, params).fetchall():
        values: list[Any] = list(row)
        values[ROOT] = bytes(values[ROOT])
        out.append(Stretch(*values))
    return out
