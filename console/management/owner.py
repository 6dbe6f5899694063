"""Working as the database's owner, where the application has a role of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from console import env


@contextmanager
def as_owner() -> Iterator[str | None]:
    """Django's default connection is the owner's inside; yields the application's role, None if there is one role."""
    if not settings.DATABASE_OWNER_URL:
        yield None
        return
    chosen = settings.DATABASES["default"]
    application = dict(chosen)
    connections["default"].close()
    chosen.update(env.django_database(settings.DATABASE_OWNER_URL))
    try:
        yield application["USER"]
    finally:
        connections["default"].close()
        chosen.update(application)
