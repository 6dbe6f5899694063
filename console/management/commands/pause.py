"""`manage.py pause`: close a section from the terminal."""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.db.models import Model

from agents import pauses
from agents.models import Agent, Connection, Play, Region, Segment
from approvals.models import Person
from console.until import parse_until

PARTS: dict[str, tuple[type[Model], str]] = {
    "region": (Region, "code"),
    "segment": (Segment, "code"),
    "agent": (Agent, "slug"),
    "play": (Play, "slug"),
    "connection": (Connection, "slug"),
}


class Command(BaseCommand):
    help = (
        "Close a section: once this returns, nothing in it passes the gate.\n"
        "  manage.py pause --region emea --reason 'wrong messages' --until 2h\n"
        "  manage.py pause --everything --reason drill"
    )

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        for name, (_, key) in PARTS.items():
            parser.add_argument(f"--{name}", metavar=key.upper(), help=f"only this {name}")
        parser.add_argument("--everything", action="store_true", help="close it all; needed when nothing else is given")
        parser.add_argument("--reason", required=True, help="why, for everybody to read")
        parser.add_argument("--until", default="", help="resume by itself: 30m, 2h, 3d or a moment")
        parser.add_argument("--as", dest="email", help="e-mail of the person who pauses")

    def handle(self, *args: Any, **options: Any) -> None:
        section = pauses.Section(**{name: _find(name, options[name]) for name in PARTS if options[name]})
        if bool(section.detail) == options["everything"]:
            raise CommandError("Say which section to close, or --everything, and not both.")
        person = _person(options["email"])
        try:
            until = parse_until(options["until"])
            pause = pauses.set_pause(
                section,
                reason=options["reason"],
                actor=person.actor if person else "cli",
                person=person,
                until=until,
            )
        except ValueError as fault:
            raise CommandError(str(fault)) from fault
        except OperationalError as fault:
            raise CommandError(f"Nothing was changed: {fault}".strip()) from fault
        flight = pauses.in_flight(section)
        now = f"pausing, {flight} in flight" if flight else "paused"
        self.stdout.write(f"{section.words}: {now}. Resume it with: manage.py resume {pause.pk}")


def _find(name: str, key: str) -> Any:
    model, field = PARTS[name]
    found = model._default_manager.filter(**{field: key}).first()
    if found is None:
        known = ", ".join(model._default_manager.values_list(field, flat=True)[:30])
        raise CommandError(f"There is no {name} “{key}”. There is: {known}.")
    return found


def _person(email: str | None) -> Person | None:
    person = Person.objects.filter(email__iexact=email, is_active=True).first() if email else None
    if email and person is None:
        raise CommandError(f"There is no active person {email}.")
    return person
