"""What the person who typed `make run` sees."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass
class Step:
    note: str = ""


class Screen:
    """Plain lines on standard output, kept in `var/log/up.log` as well."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log = log
        self.indent = "  "

    def say(self, text: str) -> None:
        """A line of its own, noted with the time in the log."""
        self._print(f"{self.indent}{text}")
        with self.log.open("a") as file:
            file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {text}\n")

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Show that `what` has begun and, when the block is through, how long it took."""
        begun, step = time.monotonic(), Step()
        live = sys.stdout.isatty()
        if live:
            print(f"{self.indent}{what} …", end="", flush=True)
        try:
            yield step
        except BaseException:
            if live:
                print()
            raise
        took = f"{time.monotonic() - begun:.1f} s"
        start = "\r\033[K" if live else ""
        self._print(f"{start}{self.indent}{what:<36}{took:>7}  {step.note}".rstrip())

    def welcome(self, address: str, sign_ins: str, seconds: float) -> None:
        """Where it is, and who can sign in."""
        self._print(f"\nSignalbox is at {address}  (ready after {seconds:.0f} s)\n")
        if sign_ins.strip():
            self._print(sign_ins.rstrip() + "\n")
        self._print("Ctrl-C stops it.\n")
        with self.log.open("a") as file:
            file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} ready at {address}\n")

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):
            print(text, flush=True)
