"""`manage.py erase <e-mail>`: what is known of a person whom signals are about, and with --yes no more."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from agents import erasure
from agents.changes.contact import contact_of


class Command(BaseCommand):
    """Says what erasing would clear; with --yes it does it, and may be run again if it was stopped."""

    help = "Erase one person: their key in the record and what every table says of them. Without --yes only says what."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="Their address.")
        parser.add_argument("--yes", action="store_true", help="Do it; it can't be undone.")
        parser.add_argument("--reason", default="", help="On whose request, such as a ticket's number; no names.")

    def handle(self, *, email: str, yes: bool, reason: str, **options: Any) -> None:
        try:
            contact = contact_of(email)
            if yes:
                done = erasure.erase(contact, actor="cli", reason=reason, email=email, tell=self._tell)
            else:
                done = erasure.preview(contact, email=email)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if not yes:
            for table, rows in done.rows.items():
                self._tell(table, rows)
        self.stdout.write(_says(done, yes=yes))

    def _tell(self, table: str, rows: int) -> None:
        self.stdout.write(f"{table}: {rows:,} rows")


def _says(done: erasure.Erased, *, yes: bool) -> str:
    if not done:
        return "Nothing is known of them."
    if yes:
        key = "their key is destroyed" if done.key else "the record held nothing under a key of theirs"
        return (
            f"Erased: {done.total:,} rows cleared, {done.stopped:,} actions stopped, {key}.\n"
            "Backups and exports made before still hold them: docs/erasure.md says what to do."
        )
    stops = f"Refused while {done.flying:,} actions to them are in flight or unknown. " if done.flying else ""
    stops += "".join(f"Refused while a legal hold stands: {hold.reference}, on {hold}. " for hold in done.held)
    would = f"{done.total:,} rows would be cleared, {done.stopped:,} actions stopped."
    return f"{would} {stops}Nothing was changed: give --yes."
