"""Whether what a person changes is still what they were shown, and how values stand in an entry."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from audit.entries import diff
from audit.timeline import Filters, Row, timeline

CHANGES = {"source": ("source.changed", "source.mapped")}
"""The verbs by which a form's change of a noun is written down, where they are others than "<noun>.changed"."""


class ChangedSince(Exception):
    """Someone else changed it first: `actor` as the record names them ("" when the record does not say)."""

    def __init__(self, subject: str) -> None:
        entry = _last_change(subject)
        self.subject, self.actor, self.at = subject, entry.actor if entry else "", entry.at if entry else None
        super().__init__(f"{subject} was changed by {self.actor or 'someone'} since it was shown.")


def token(values: Mapping[str, Any]) -> str:
    """A short text that stands for these values; a form carries it as `seen`."""
    return blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=9).hexdigest()


def check(seen: str, values: Mapping[str, Any], *, subject: str) -> None:
    """ChangedSince unless `seen` stands for `values`, or is empty (nobody was shown anything). Hold the row's lock."""
    if seen and seen != token(values):
        raise ChangedSince(subject)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's detail: field → [before, after], what is neither text nor whole number as JSON; empty if the same."""
    found = diff({k: _plain(v) for k, v in before.items()}, {k: _plain(v) for k, v in after.items()})
    return {"changed": found} if found else {}


def _last_change(subject: str) -> Row | None:
    """The newest entry of what a form changes; what else befell the subject (a mail, a sign-in) is no change."""
    kind = subject.partition(":")[0]
    asked = (Filters(subject=subject, verb=verb) for verb in CHANGES.get(kind, (f"{kind}.changed",)))
    found = [row for filters in asked for row in timeline(filters, limit=1)]
    return max(found, key=lambda row: row.id, default=None)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
