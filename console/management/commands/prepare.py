"""What has to be right before anything serves; the supervisor runs it at each start."""

import hashlib
import json
import sys
import time
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from console.demo.build import is_there
from console.management.owner import as_owner

PATIENCE = 30.0
"""Seconds to wait for a database that is still starting."""


class Command(BaseCommand):
    """Check the settings, migrate, collect static files; the last line of the output is JSON for the supervisor."""

    help = "Check the settings, migrate and collect static files. `up` runs it."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it all; raise CommandError where a person has to act."""
        self._reach_database()
        before = self._applied()
        call_command("migrate", verbosity=0, interactive=False, stdout=sys.stderr)
        collected = self._collect()
        report = {
            "migrations": self._applied() - before,
            "collected": collected,
            "people": get_user_model().objects.count(),
            "demo": is_there(),
        }
        self.stdout.write(json.dumps(report))

    def _reach_database(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with as_owner():
                    connection.ensure_connection()
                return
            except OperationalError as fault:
                if time.monotonic() > end or settings.DATABASES["default"]["HOST"].startswith("/"):
                    raise CommandError(f"The database does not answer: {str(fault).strip()}") from fault
                time.sleep(0.5)

    def _applied(self) -> int:
        with as_owner():
            return len(MigrationRecorder(connection).applied_migrations())

    def _collect(self) -> int:
        mark = hashlib.sha256()
        for finder in get_finders():
            for path, storage in finder.list(["CVS", ".*", "*~"]):
                mark.update(f"{path} {storage.size(path)} {storage.get_modified_time(path)}\n".encode())
        stamp = settings.STATIC_ROOT / "collected.txt"
        if stamp.exists() and stamp.read_text() == mark.hexdigest():
            return 0
        settings.STORAGES["staticfiles"]["BACKEND"] = "whitenoise.storage.CompressedManifestStaticFilesStorage"
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        call_command("collectstatic", verbosity=0, interactive=False, clear=True, stdout=sys.stderr)
        stamp.write_text(mark.hexdigest())
        return sum(1 for _ in settings.STATIC_ROOT.rglob("*"))
