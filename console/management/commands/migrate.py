"""Django's migrate, done by the owner; then this and the coming months' partitions, and the application's rights."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connection, transaction

from audit.partitions import ensure_partitions
from console.engines.grants import grant
from console.management.owner import as_owner


class Command(migrate.Command):
    """As Django's own, and repeatable at any time."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate; then, once the record's tables are there, partitions and rights."""
        with as_owner() as application:
            super().handle(*args, **options)
            if options["plan"] or options["check_unapplied"] or options["database"] != "default":
                return
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT to_regprocedure('audit_months_ahead(date)')")
                if cursor.fetchone() == (None,):
                    return
                ensure_partitions(cursor)
                if application:
                    grant(cursor, application)
