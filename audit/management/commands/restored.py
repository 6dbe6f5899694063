"""`manage.py restored`: say that this database was restored from a backup, so that the sealer may go on."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import checkpoints, restore
from audit.seal import direct_connection


class Command(BaseCommand):
    """Write the entry that names the stretch of the record that was lost."""

    help = "Say that the database was restored from a backup: an entry names what was lost, then sealing goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Why."""
        parser.add_argument("--why", required=True, help="what happened; it stands in the record")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is lost; CommandError when the database is not behind the checkpoints outside."""
        outside = checkpoints.outside_file()
        with direct_connection() as conn:
            told = restore.explain(conn, outside, actor="cli", by=getpass.getuser(), why=options["why"])
        if told is None:
            raise CommandError(f"the newest checkpoint in {outside} is of this database: there is nothing to explain.")
        self.stdout.write(f"{told}\nThe sealer goes on. A witness has to be reset by its keeper.")
