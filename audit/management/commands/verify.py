"""`manage.py verify`: does the record hold?"""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.keys import KeyFormatError, Verifier
from audit.report import Report
from audit.seal import direct_connection
from audit.verify import verify


class Command(BaseCommand):
    """Check every entry, leaf and checkpoint; exit 1 and name what is broken."""

    help = "Verify the record: every entry against its seal, every seal against the signed checkpoints."

    def add_arguments(self, parser: CommandParser) -> None:
        """Keys to trust and the file of checkpoints outside."""
        parser.add_argument("--key", action="append", help="trust this C2SP verifier key only (may be repeated)")
        parser.add_argument("--outside", type=Path, help="file of checkpoints kept outside the database")
        parser.add_argument(
            "--restored", action="append", default=[], help="believe this restore, such as 200-356 (may be repeated)"
        )
        parser.add_argument("--show", type=int, default=20, help="how many problems to name (default 20)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was checked; CommandError when the arguments are wrong; exit 1 when the record is broken."""
        try:
            verifiers = [Verifier.parse(key) for key in options["key"]] if options["key"] else None
        except KeyFormatError as error:
            raise CommandError(str(error)) from error
        if options["outside"] and not options["outside"].exists():
            raise CommandError(f"no file {options['outside']}")
        with direct_connection() as conn:
            report = verify(conn, verifiers=verifiers, outside=options["outside"], restored=options["restored"])
        self.stdout.write(summary(report))
        for problem in report.problems[: options["show"]]:
            self.stdout.write(f"  {problem}")
        if not report.ok:
            sys.exit(1)


def summary(report: Report) -> str:
    """The report's first lines: what was checked, since when, and the verdict."""
    since = f" since {report.since:%Y-%m-%d %H:%M:%S} UTC" if report.since else ""
    lines = [
        f"{report.sealed:,} sealed entries{since}, {report.unsealed:,} not sealed yet",
        f"{report.checkpoints:,} checkpoints, {report.outside:,} copies outside the database",
        *report.aged,
        *(f"key {key}" for key in report.keys),
        *(f"note: {note}" for note in report.notes),
        "The record holds." if report.ok else f"BROKEN: {report.found:,} found, the first of them:",
    ]
    return "\n".join(lines)
