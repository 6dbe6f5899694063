"""`manage.py rotate_key`: a new key signs the record from now on, and the old one seals that."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import rotation
from audit.seal import direct_connection


class Command(BaseCommand):
    """Make a new signing key and write the entry that brings it in; the sealer goes over to it."""

    help = "Sign the record with a new key from now on. The change is an entry, sealed by the key before it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Why."""
        parser.add_argument("--why", required=True, help="why the key changes; it stands in the record")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the new public key; CommandError when a change is under way already."""
        try:
            with direct_connection() as conn:
                new = rotation.ask(conn, actor="cli", by=getpass.getuser(), why=options["why"])
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{new.vkey}\nsigns once the sealer has sealed the change with the old key.")
