"""`manage.py resume`: open a paused section again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from agents import pauses
from agents.models import Pause
from agents.sections import Section
from agents.tasks import wake
from console.standing import held_now
from console.until import parse_until
from console.views.pause_form import staying

SHARES = (0, *pauses.STAGES, 100)


class Command(BaseCommand):
    help = "Lift the pause of this id, at once or by stages, or put off its end; without an id, list what is paused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, nargs="?", help="the pause's number, as `pause` printed it")
        parser.add_argument("--share", type=int, choices=SHARES, default=100, help="per cent of runs that go; 0: none")
        parser.add_argument("--until", default="", help="don't lift it: have it resume by itself then, or never")
        parser.add_argument("--why", default="", help="why now, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["id"] is None:
            for one in held_now():
                since = f"since {one.pause.set_at:%Y-%m-%d %H:%M} UTC"
                self.stdout.write(f"{one.pause.pk:>6}  {one.pause}: {one.words}  {since}: {one.pause.reason}")
            return
        pause = Pause.objects.with_parts().filter(pk=options["id"], is_drill=False).first()
        if pause is None:
            raise CommandError(f"There is no pause {options['id']}; `manage.py resume` lists those that stand.")
        try:
            self._change(pause, options["share"], until=options["until"], why=options["why"])
        except ValueError as fault:
            raise CommandError(str(fault)) from fault
        except OperationalError as fault:
            raise CommandError(f"It is as it was, nothing was changed: {fault}".strip()) from fault

    def _change(self, pause: Pause, share: int, *, until: str, why: str) -> None:
        if until:
            done, said = pauses.extend(pause, parse_until(until), actor="cli", why=why), f"stays paused until {until}"
        elif share == 100:
            done, said = pauses.lift(pause, actor="cli", why=why), "goes on"
        else:
            done, said = pauses.stage(pause, share=share, actor="cli", why=why), f"lets {share} % through"
        if not done:
            raise CommandError(f"{pause} already goes on.")
        wake()
        self.stdout.write(f"{pause} {said}.")
        for one in [] if until else staying(Section.of(pause), but=pause.pk):
            self.stdout.write(f"{one.part.words} stays closed by {one.by}.")
