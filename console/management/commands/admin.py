"""`manage.py admin EMAIL`: the first admin, or the way back in when nobody can sign in any more."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.management.first_admin import make_admin


class Command(BaseCommand):
    """Makes the person an active admin with a new password, which is shown once."""

    help = "Make a person an admin with a new password, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        """See `help`."""
        parser.add_argument("email")
        parser.add_argument("--name", default="", help="their name, if they are new")

    def handle(self, *args: Any, **options: Any) -> None:
        """CommandError for an address that is none or belongs to the demo workspace."""
        try:
            person, password = make_admin(options["email"], actor="cli", name=options["name"])
        except ValidationError as fault:
            raise CommandError(" ".join(fault.messages)) from fault
        self.stdout.write(f"Sign in as  {person.email}\npassword    {password}\n\nIt is shown this once: change it.")
