"""`manage.py resume`: open a paused section again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from agents import pauses
from agents.models import Pause
from agents.tasks import wake


class Command(BaseCommand):
    help = "Lift the pause of this id; without one, list what is paused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, nargs="?", help="the pause's number, as `pause` printed it")
        parser.add_argument("--why", default="", help="why now, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Pause.objects.select_related("agent", "region", "segment", "play", "connection")
        if options["id"] is None:
            for one in found.filter(lifted_at=None):
                self.stdout.write(f"{one.pk:>6}  {one}  since {one.set_at:%Y-%m-%d %H:%M} UTC: {one.reason}")
            return
        pause = found.filter(pk=options["id"]).first()
        if pause is None:
            raise CommandError(f"There is no pause {options['id']}; `manage.py resume` lists those that stand.")
        try:
            if not pauses.lift(pause, actor="cli", why=options["why"]):
                raise CommandError(f"{pause} already goes on.")
        except OperationalError as fault:
            raise CommandError(f"Still paused, nothing was changed: {fault}".strip()) from fault
        wake()
        self.stdout.write(f"{pause} goes on.")
