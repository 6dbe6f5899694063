"""`manage.py archived FILE`: read an archive back."""

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import standalone
from audit.entries import iso
from audit.ids import id_time
from audit.timeline import Row
from audit.words import say


class Command(BaseCommand):
    help = "Verify an archive or export, and say its entries, one a line; --raw gives the sealed bytes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--holding", default="", help="only entries that hold this text")
        parser.add_argument("--raw", action="store_true", help="the JSON that was sealed")
        parser.add_argument("--key", action="append", default=[], help="trust this C2SP verifier key only")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["file"].exists():
            raise CommandError(f"no file {options['file']}")
        keys = [part for key in options["key"] for part in ("--key", key)]
        argv = [sys.executable, "-I", standalone.__file__, str(options["file"]), *keys]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603  our own program
        self.stderr.write((done.stdout + done.stderr).strip())
        if done.returncode:
            sys.exit(done.returncode)
        for seq, body in entries(options["file"]):
            if options["holding"] in body:
                self.stdout.write(body if options["raw"] else _words(seq, body))


def entries(path: Path) -> Iterator[tuple[int, str]]:
    """Each entry's number and sealed text, in order, read as it is asked for; nothing is checked."""
    with path.open("rb") as start:
        opener = gzip.open if start.read(2) == b"\x1f\x8b" else open
    with opener(path, "rb") as file:
        for line in file:
            doc = orjson.loads(line)
            if "body" in doc:
                yield doc["seq"], doc["body"]


def _words(seq: int, body: str) -> str:
    doc = orjson.loads(body)
    id, run = UUID(doc["id"]), doc.get("run")
    region, segment, account, request = (doc.get(name, "") for name in ("region", "segment", "account", "request"))
    row = Row(
        id,
        id_time(id),
        doc["verb"],
        doc["actor"],
        doc["subject"],
        doc.get("agent", ""),
        UUID(run) if run else None,
        region,
        segment,
        account,
        request,
        doc.get("detail", {}),
        seq,
    )
    return f"{seq}  {iso(id.int >> 80)}  {say(row)}"
