"""`manage.py archive`: carry the rules of retention out."""

from argparse import RawDescriptionHelpFormatter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.models import Run
from audit.age import ruled
from audit.archive import ArchiveError, Due, carry_out, due, tidy
from audit.holds import standing
from audit.seal import direct_connection
from console.management.owner import as_owner


class Command(BaseCommand):
    help = (
        "Say what the rules of retention would take out of the record, or (--go) do it: old months are written to\n"
        "files that verify offline, verified, and then dropped; seals stay. Works as the owner of the tables\n"
        "(DATABASE_OWNER_URL). Stopped at any point, the same again goes on.\n"
        "  manage.py archive\n"
        "  manage.py archive --go --to /backup/signalbox"
    )

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--go", action="store_true", help="do it; otherwise it is only said")
        parser.add_argument("--to", type=Path, help="folder for the files (default: archive beneath var)")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = (options["to"] or Path(settings.VAR) / "archive").absolute()
        with as_owner(), direct_connection() as conn:
            if options["go"]:
                tidy(conn)
            runs = _runs()
            waiting = due(conn, runs=runs)
            self._preface(waiting)
            done = 0
            for one in waiting:
                self.stdout.write(_words(one))
                if not options["go"] or not one.going:
                    continue
                if one.unsealed:
                    self.stderr.write(f"  left: {one.unsealed:,} of them are not sealed yet")
                    continue
                try:
                    came = carry_out(conn, one, folder=folder, actor="cli", runs=runs, say=self._progress)
                except (ArchiveError, OSError) as fault:
                    raise CommandError(str(fault)) from fault
                done += 1
                where = f", in {folder / came.file}, SHA-256 {came.sha256}" if came.file else ""
                self.stdout.write(f"  done: entry {came.entry}{where}")
        if waiting and not options["go"]:
            self.stdout.write("Nothing was changed. Do it with: manage.py archive --go")

    def _preface(self, waiting: list[Due]) -> None:
        now = ruled()
        if not now.rules:
            self.stdout.write("There is no rule: everything is kept. An admin sets rules under Audit, Retention.")
        elif now.holds_from and now.holds_from > datetime.now(UTC):
            self.stdout.write(f"Version {now.version} of the rules holds from {now.holds_from:%Y-%m-%d %H:%M} UTC.")
        elif not waiting:
            self.stdout.write("Nothing is old enough.")

    def _progress(self, text: str) -> None:
        self.stdout.write(f"  {text}")
        self.stdout.flush()


def _words(one: Due) -> str:
    kept = f"; {one.held:,} stay for a legal hold" if one.held else ""
    return f"{one.month:%Y-%m}: {one.going:,} entries go ({one.rule}){kept}"


def _runs() -> dict[str, list[UUID]]:
    """The runs of each contact that is held, whose entries name the run alone."""
    keys = [hold.key for hold in standing() if hold.kind == "person" and not hold.key.startswith("person:")]
    return {key: list(Run.objects.filter(contact=bytes.fromhex(key)).values_list("pk", flat=True)) for key in keys}
