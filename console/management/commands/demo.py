"""`manage.py demo`: a workspace to look at, its trickle of signals, and its removal."""

import signal
import sys
from types import FrameType
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from psycopg.errors import UniqueViolation

from approvals.models import Person
from console.demo import people
from console.demo.build import build, is_there, new_password
from console.demo.remove import remove
from console.demo.trickle import Trickle
from console.here import local_url
from console.management.first_admin import ask_for_admin, make_admin


class Command(BaseCommand):
    """Builds it unless an option asks for something else."""

    help = "Build the demo workspace; --trickle sends it signals, --remove takes all of it away."

    def add_arguments(self, parser: CommandParser) -> None:
        """See `help`."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--trickle", action="store_true", help="send demo signals until stopped")
        what.add_argument("--remove", action="store_true", help="remove all of it, leaving a clean install")
        parser.add_argument("--signals", type=int, help="with --trickle: send so many quickly, and stop")
        parser.add_argument("--url", default="", help="with --trickle: where Signalbox answers, if not found by itself")
        parser.add_argument("--admin-email", default="", help="with --remove: the first admin; asked for if left out")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one of the three; CommandError says what stands in the way."""
        if options["trickle"]:
            self._trickle(options["url"].rstrip("/") or local_url(), options["signals"])
        elif options["remove"]:
            self._remove(options["admin_email"])
        else:
            self._build()

    def _build(self) -> None:
        if is_there():
            raise CommandError("The demo workspace is there already. --remove takes it away.")
        password = new_password()
        try:
            staff = build(password=password)
        except (IntegrityError, ValidationError) as fault:
            if isinstance(fault, IntegrityError) and not isinstance(fault.__cause__, UniqueViolation):
                raise
            raise CommandError(f"Something of that name is there already: {fault}") from fault
        self.stdout.write(sign_ins(staff, password))

    def _trickle(self, url: str, signals: int | None) -> None:
        asked: list[int] = []

        def stop(number: int, frame: FrameType | None) -> None:
            asked.append(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        sent = Trickle(url, lambda: bool(asked)).run(signals=signals)
        self.stdout.write(f"{sent} demo signals sent to {url}.")

    def _remove(self, email: str) -> None:
        heir = Person.objects.filter(is_demo=False, is_active=True, role="admin").order_by("pk").first()
        if heir is None or email:
            if not email and not sys.stdin.isatty():
                raise CommandError("Nobody could sign in afterwards: name the first admin with --admin-email.")
            try:
                heir, password = make_admin(email or ask_for_admin(), actor="cli")
            except ValidationError as fault:
                raise CommandError(" ".join(fault.messages)) from fault
            self.stdout.write(
                f"Sign in as  {heir.email}\npassword    {password}\n\nIt is shown this once: change it.\n"
            )
            self.stdout.flush()
        for line in remove(heir=heir, actor="cli"):
            self.stdout.write(line)


def sign_ins(staff: list[Person], password: str) -> str:
    """Who can sign in to the demo workspace, for a terminal."""
    does = {one.email: one.does for one in people.PEOPLE}
    width = max(len(person.email) for person in staff)
    rows = [
        f"  {person.email:<{width}}  {person.get_role_display():<12}{person.name}: {does[person.email]}"
        for person in staff
    ]
    head = f"Demo workspace. Everyone's password: {password}\n"
    return "\n".join([head, *rows, "", "`manage.py demo --remove` takes all of it away."])
