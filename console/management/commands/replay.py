"""`manage.py replay FILE`: a file of what happened, through the HTTP intake, with what came of it."""

import json
import signal
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.urls import reverse
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.loop.sources import KnownSource, load_sources
from console.here import local_url
from console.replay.events import Ending, Maker, parse_ending
from console.replay.fates import Sent
from console.replay.posts import Intake, Unanswered
from console.replay.report import as_json, as_lines
from console.replay.rows import ENCODING, FileFault, Row, RowFile, check, look
from console.replay.run import Replay

MAX_BATCH = 1000


class Command(BaseCommand):
    """Sends, waits, feeds back outcomes, reports."""

    help = (
        "Send a CSV (first line: names) or NDJSON file through the HTTP intake, and say what came of it.\n"
        "  manage.py replay visits.csv --source website\n"
        "  manage.py replay sessions.csv --source shop --rate 50 --outcome Revenue=TRUE\n"
        "The same again creates nothing: ids stay the same. So it goes on where it was stopped."
    )

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        """See `help`."""
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        """See `help`."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", default="", metavar="SLUG", help="whose mapping reads the rows")
        parser.add_argument("--key", default="", help="the source's key, instead of its slug or if it was renewed")
        parser.add_argument("--url", default="", help="where Signalbox answers, if not found by itself")
        parser.add_argument("--rate", type=float, default=0, metavar="N", help="signals a second; left out: flat out")
        parser.add_argument("--batch", type=int, default=100, metavar="N", help="signals in one post, at most 1000")
        parser.add_argument("--id", default="", metavar="COLUMN", help="the id; else the mapping's, else file#line")
        parser.add_argument(
            "--outcome",
            action="append",
            default=[],
            metavar="[KIND:]COLUMN=VALUE",
            help="a column that tells an outcome: kept out of the signal, fed back once all were handled",
        )
        parser.add_argument("--value", default="", metavar="COLUMN", help="what an outcome is worth; left out: 1")
        parser.add_argument("--from", dest="first", type=int, default=1, metavar="LINE", help="begin with this line")
        parser.add_argument("--skip-bad", action="store_true", help="go on without the lines that cannot be read")
        parser.add_argument("--format", choices=["csv", "ndjson"], help="if its name and first line do not tell")
        parser.add_argument("--encoding", default=ENCODING, help="if it is not UTF-8")
        parser.add_argument(
            "--patience", type=float, default=60, metavar="SECONDS", help="how long nothing may move in the loop"
        )
        parser.add_argument("--json", action="store_true", help="the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """CommandError says what is wrong, where, and how to mend it; exit status 130 when stopped."""
        if options["rate"] < 0 or not 1 <= options["batch"] <= MAX_BATCH:
            raise CommandError(f"--rate is a number from 0 up, --batch one from 1 to {MAX_BATCH}.")
        endings = _endings(options["outcome"], options["value"])
        source = _source(options["source"], options["key"])
        is_csv = None if options["format"] is None else options["format"] == "csv"
        try:
            file = look(options["file"], encoding=options["encoding"], is_csv=is_csv)
            total, bad = check(file)
            _check_columns(file, [options["id"], *(e.column for e in endings), options["value"]])
        except FileFault as fault:
            raise CommandError(str(fault)) from fault
        if bad and not options["skip_bad"]:
            said = "\n".join(f"{file.path}, line {one.line}: {one.what}" for one in bad)
            raise CommandError(f"{said}\nNothing was sent. --skip-bad goes on without such lines.")
        maker = Maker(source, file.path.name, options["id"], endings)
        self._warn(file, maker)
        with _stopping() as stopping:
            url = options["url"].rstrip("/") or local_url()
            try:
                intake = Intake(url, source.slug, options["key"] or source.row.key, stopping=stopping)
            except Unanswered as fault:
                raise CommandError(str(fault)) from fault
            replay = Replay(file, maker, intake, Sent(source.id), stopping)
            replay.batch, replay.rate, replay.first = options["batch"], options["rate"], options["first"]
            self._run(replay, total + len(bad), options, url)

    def _run(self, replay: Replay, total: int, options: dict[str, Any], url: str) -> None:
        fault: Exception | None = None
        try:
            with _bar() as bar:
                replay.send(bar("Sending", total))
                finished = replay.wait(bar("Waiting for the loop", len(replay.sent)), patience=options["patience"])
                if finished and replay.maker.endings:
                    replay.report_outcomes(bar("Feeding back outcomes", None))
        except (Unanswered, FileFault) as found:
            fault = found
        finally:
            replay.intake.close()
        kinds = list(dict.fromkeys(ending.kind for ending in replay.maker.endings))
        fates = replay.sent.fates(kinds=kinds)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(total, replay.tally, fates)))
        else:
            for line in as_lines(total, replay.tally, fates):
                self.stdout.write(line)
            for slug in sorted({agent for agent, _ in fates.runs}):
                self.stdout.write(f"  {url}{reverse('agent', args=[slug])}")
        if kinds and replay.tally.left:
            self.stderr.write("Outcomes were not fed back, since not all is handled. Do the same again for that.")
        if fault:
            raise CommandError(f"{fault} The same again goes on from here.")
        if replay.stopping():
            self.stderr.write("Stopped. The same again goes on from here: what was sent creates nothing.")
            sys.exit(130)

    def _warn(self, file: RowFile, maker: Maker) -> None:
        """Say so at once if the first row would be a dead letter: most likely all of them would."""
        event = next((maker.event(row) for row in file.rows() if isinstance(row, Row)), None)
        if event is not None and event.trouble:
            slug = maker.source.slug
            self.stderr.write(
                f"{file.path}, line {event.line} will be a dead letter of {slug}: {event.trouble} "
                "It can be replayed from Signals once the mapping is mended."
            )


def _source(slug: str, key: str) -> KnownSource:
    """The source of that slug, else of that key, else the only one. CommandError."""
    with connection.cursor() as wrapped:
        sources = load_sources(wrapped.cursor, {})
    if slug:
        found = sources.get(slug)
    elif key:
        found = next((one for one in sources.values() if one.row.key == key), None)
    else:
        found = next(iter(sources.values())) if len(sources) == 1 else None
    known = ", ".join(sorted(sources)) or "none yet: make one under Sources"
    if found is None:
        what = f"There is no source {slug!r}" if slug else "No source has that key" if key else "Name a --source"
        raise CommandError(f"{what}. There is: {known}.")
    if found.row.signed_only:
        raise CommandError(f"{found.slug} takes signed requests only, and a replay does not sign. Name another source.")
    return found


def _endings(specs: list[str], worth: str) -> tuple[Ending, ...]:
    if worth and not specs:
        raise CommandError("--value goes with --outcome: say which outcome it is the value of.")
    try:
        return tuple(parse_ending(spec, worth=worth) for spec in specs)
    except ValueError as fault:
        raise CommandError(str(fault)) from fault


def _check_columns(file: RowFile, wanted: list[str]) -> None:
    """FileFault for a column that a CSV does not have."""
    for name in wanted:
        if name and file.is_csv and name not in file.columns:
            raise FileFault(f"{file.path} has no column {name!r}. It has: {', '.join(file.columns)}.")


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Whether someone asked to stop: once for after this post, twice for now."""
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _bar() -> Iterator[Callable[[str, int | None], Callable[[int], None]]]:
    """Progress bars on standard error: `bar(title, total)` begins one and returns what advances it."""
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def begin(title: str, total: int | None) -> Callable[[int], None]:
            task = progress.add_task(title, total=total)
            return lambda steps: progress.advance(task, steps)

        yield begin
