"""`manage.py up`: start everything and keep it running."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Hand this process over to the supervisor, which needs no Django and so stays small."""

    help = "Start Signalbox: engines, web server, workers, beat and sealer. Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Does not return."""
        os.chdir(settings.BASE_DIR)
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "console.engines"])  # noqa: S606
