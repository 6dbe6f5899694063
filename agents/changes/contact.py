"""Changes of the do-not-contact list. Entries name people by keyed hash only; the gate reads the list at each send."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from agents.models import DoNotContact
from agents.rules.canonical import identity_hash
from agents.rules.text import as_email
from approvals.models import Person
from audit.entries import Line, append, record
from audit.persons import Personal

MOST = 100_000
"""Lines in one import."""
ADD = """
INSERT INTO agents_donotcontact (contact, hint, origin, reason, added_by_id, added_at)
SELECT contact, hint, %s, %s, %s, clock_timestamp() + n * '1 microsecond'::interval
FROM unnest(%s::bytea[], %s::text[]) WITH ORDINALITY AS line (contact, hint, n)
ON CONFLICT (contact) DO NOTHING RETURNING contact
"""


@dataclass
class Imported:
    """What came of an import: how many were added, how many stood there before, and the lines that are no address."""

    added: int = 0
    already: int = 0
    invalid: list[tuple[int, str]] = field(default_factory=list)


def contact_of(address: str) -> bytes:
    """The keyed hash that stands for an e-mail address. ValidationError when it is none."""
    email = as_email(address)
    if email is None:
        raise ValidationError({"email": "This is not an e-mail address."})
    return identity_hash(settings.IDENTITY_KEY, email)


def hint_of(address: str) -> str:
    """Enough to recognise an address by, not to write to it: j…@example.com."""
    name, _, domain = address.strip().lower().rpartition("@")
    return f"{name[:1]}…@{domain}"[:120]


def suppress(
    contact: bytes,
    *,
    hint: str,
    origin: DoNotContact.Origin,
    actor: str,
    reason: str = "",
    person: Person | None = None,
) -> bool:
    """Nobody is contacted there from the next gate on. False when the person is on the list already."""
    with transaction.atomic():
        return bool(_add([contact], [hint], origin=origin, reason=reason, actor=actor, person=person))


def release(contact: bytes, *, actor: str, reason: str) -> bool:
    """Take a person off the list. False when they are not on it. ValidationError without a reason."""
    if not reason.strip():
        raise ValidationError({"reason": "Say why this person may be contacted again."})
    with transaction.atomic():
        gone, _ = DoNotContact.objects.filter(pk=contact).delete()
        if gone:
            why = Personal(contact, reason.strip()[:200])
            record(Line("contact.released", f"contact:{contact.hex()}", actor, detail={"why": why}))
    return bool(gone)


def import_addresses(text: str, *, actor: str, reason: str = "", person: Person | None = None) -> Imported:
    """
    Every address of a CSV (its column "email" or "e-mail", else its first) onto the list, all in one transaction.

    Lines that hold no address are counted with their numbers and change nothing else. ValidationError past MOST lines.
    """
    result = Imported()
    found: dict[bytes, str] = {}
    column = 0
    for number, row in enumerate(_lines(text), 1):
        if number > MOST:
            raise ValidationError({"addresses": f"At most {MOST:,} lines at a time."})
        if number == 1 and (named := _column(row)) is not None:
            column = named
            continue
        if not any(cell.strip() for cell in row):
            continue
        cell = row[column].strip() if column < len(row) else ""
        if as_email(cell) is None:
            result.invalid.append((number, cell[:60] or "empty"))
        else:
            contact = contact_of(cell)
            result.already += contact in found
            found.setdefault(contact, hint_of(cell))
    with transaction.atomic():
        result.added = len(
            _add(
                list(found),
                list(found.values()),
                origin=DoNotContact.Origin.IMPORT,
                reason=reason,
                actor=actor,
                person=person,
            )
        )
    result.already += len(found) - result.added
    return result


def _add(
    contacts: Sequence[bytes],
    hints: Sequence[str],
    *,
    origin: DoNotContact.Origin,
    reason: str,
    actor: str,
    person: Person | None,
) -> list[bytes]:
    """Those that were not on the list, now on it, each with its entry, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            ADD, [str(origin), reason.strip()[:200], person.pk if person else None, list(contacts), list(hints)]
        )
        new = [bytes(row[0]) for row in cursor.fetchall()]
        why = reason.strip()[:200]
        append(
            cursor,
            [Line("contact.suppressed", f"contact:{one.hex()}", actor, detail=_said(one, origin, why)) for one in new],
        )
    return new


def _said(contact: bytes, origin: DoNotContact.Origin, why: str) -> dict[str, Any]:
    """Why one person is on it may quote them; why a whole list is does not."""
    whole = origin == DoNotContact.Origin.IMPORT or not why
    return {"origin": str(origin), "why": why if whole else Personal(contact, why)}


def _lines(text: str) -> Iterator[list[str]]:
    """The rows of a CSV. ValidationError for what is none."""
    try:
        yield from csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=_delimiter(text))
    except csv.Error as error:
        raise ValidationError({"addresses": f"This is not CSV: {error}."}) from error


def _column(row: list[str]) -> int | None:
    """Where the addresses are, if the first row is a heading."""
    names = [cell.strip().lower().replace("-", "").replace("_", "").replace(" ", "") for cell in row]
    return next((n for n, name in enumerate(names) if name in ("email", "emailaddress", "mail")), None)


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return ";" if first.count(";") > first.count(",") else "\t" if "\t" in first else ","
