"""`manage.py seal`: the sealer, one process, until it is told to stop."""

import signal
from threading import Event
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.seal import SealError, run


class Command(BaseCommand):
    """Number and sign entries as they come; SIGTERM or SIGINT ends it after the batch in hand."""

    help = "Seal the record: number entries as they come and sign checkpoints. Runs until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal until a signal; exit 1 when the stored record contradicts itself."""
        stop = Event()

        def ask(number: int, frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
        try:
            sealed = run(stop)
        except SealError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"sealed {sealed} entries")
