"""`manage.py pause`: close a section from the terminal."""

import time
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from agents import held, pauses, reach
from agents.sections import Section
from approvals.models import Person
from console.until import parse_until
from console.views.pause_form import PARTS, staying


class Command(BaseCommand):
    help = (
        "Close a section: once this returns, nothing in it passes the gate.\n"
        "  manage.py pause --region emea --reason 'wrong messages' --until 2h\n"
        "  manage.py pause --agent inbound-intent --connection mail --reason freeze --dry-run\n"
        "  manage.py pause --everything --drill"
    )

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        for name, (_, key) in PARTS.items():
            parser.add_argument(f"--{name}", metavar=key.upper(), help=f"only this {name}")
        parser.add_argument("--everything", action="store_true", help="close it all; needed when nothing else is given")
        parser.add_argument("--reason", default="", help="why, for everybody to read; needed to pause")
        parser.add_argument("--until", default="", help="resume by itself: 30m, 2h, 3d or a moment")
        parser.add_argument("--dry-run", action="store_true", help="only say what it would stop")
        parser.add_argument("--drill", action="store_true", help="pause nothing, time everything, keep the result")
        parser.add_argument("--as", dest="email", help="e-mail of the person who pauses")

    def handle(self, *args: Any, **options: Any) -> None:
        section = Section(**{name: _find(name, options[name]) for name in PARTS if options[name]})
        if bool(section.detail) == options["everything"]:
            raise CommandError("Say which section to close, or --everything, and not both.")
        person = _person(options["email"])
        if options["dry_run"]:
            self._tell(section)
            return
        try:
            if options["drill"]:
                self._drill(section, person)
            else:
                self._pause(section, person, reason=options["reason"].strip(), until=options["until"])
        except ValueError as fault:
            raise CommandError(str(fault)) from fault
        except OperationalError as fault:
            raise CommandError(f"Nothing was changed: {fault}".strip()) from fault

    def _pause(self, section: Section, person: Person | None, *, reason: str, until: str) -> None:
        if not reason:
            raise CommandError("Say why, for everybody to read: --reason 'wrong messages'.")
        ends, actor = parse_until(until), person.actor if person else "cli"
        pause = pauses.set_pause(section, reason=reason, actor=actor, person=person, until=ends)
        flight = pauses.in_flight(section)
        now = f"pausing, {flight} in flight" if flight else "paused"
        self.stdout.write(f"{section.words}: {now}. Resume it with: manage.py resume {pause.pk}")

    def _drill(self, section: Section, person: Person | None) -> None:
        made = pauses.drill(section, actor=person.actor if person else "cli", person=person)
        while (flight := held.flight(made)).left:
            time.sleep(0.1)
        settled = flight.quiet_at or made.set_at
        self.stdout.write(
            f"{section.words}: nothing was paused. The lock took {made.lock_ms:.1f} ms, {flight.at_first} in flight "
            f"were settled after {(settled - made.set_at).total_seconds():.1f} s, {made.found['queued']} queued would "
            f"be held; told would be {', '.join(made.found['told']) or 'nobody'}."
        )

    def _tell(self, section: Section) -> None:
        blast = reach.blast(section)
        said = blast.reach.said
        self.stdout.write(
            f"{section.words} would close {len(blast.agents)} agents: {', '.join(blast.agents) or 'none'}."
        )
        self.stdout.write(
            f"{said['in_flight']} in flight would finish, {said['queued']} queued would be held, "
            f"{said['waiting']} questions would wait, {said['held']} are held already, {said['unknown']} are unknown."
        )
        for one in staying(section):
            self.stdout.write(f"{one.part.words} is closed already by {one.by}.")


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
