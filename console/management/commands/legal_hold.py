"""`manage.py legal_hold`: set, list and release legal holds from the terminal."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.holding import hold_key
from approvals.models import Person
from audit.holds import KINDS, HoldError, every, release, set_hold


class Command(BaseCommand):
    help = "List legal holds, set one (--set KIND [NAME]) or release one (--release NUMBER); both want --reason."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--set", nargs="+", metavar=("KIND", "NAME"), help=f"hold this: {', '.join(KINDS)}")
        parser.add_argument("--since", help="from this day on (UTC), such as 2026-05-01")
        parser.add_argument("--until", help="before this day (UTC)")
        parser.add_argument("--release", type=int, metavar="NUMBER")
        parser.add_argument("--reason", default="", help="why, for whoever asks about it later")
        parser.add_argument("--as", dest="email", help="e-mail of the person who does it")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = _actor(options["email"])
        try:
            if options["set"]:
                kind, key = (*options["set"], "")[:2]
                days = {name: _day(options[name]) for name in ("since", "until")}
                made = set_hold(kind, hold_key(kind, key), actor=actor, reason=options["reason"], **days)
                self.stdout.write(f"Held: {made}. Release it with: manage.py legal_hold --release {made.id}")
            elif options["release"]:
                if not release(options["release"], actor=actor, reason=options["reason"]):
                    raise CommandError("No such hold stands.")
                self.stdout.write("Released.")
            else:
                self._list()
        except HoldError as fault:
            raise CommandError(str(fault)) from fault

    def _list(self) -> None:
        for one in every():
            state = f"released {one.released_at:%Y-%m-%d}" if one.released_at else "stands"
            self.stdout.write(f"{one.id}: {one}, since {one.at:%Y-%m-%d}, {state}: {one.reason}")


def _day(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        raise HoldError(f"{text!r} is no day: write it as 2026-05-01.") from None


def _actor(email: str | None) -> str:
    person = Person.objects.filter(email__iexact=email, is_active=True).first() if email else None
    if email and person is None:
        raise CommandError(f"There is no active person {email}.")
    return person.actor if person else "cli"
