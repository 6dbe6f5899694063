"""The sources as this process knows them: read without a lock, renewed within a second of any change."""

import logging
import threading
import time
from typing import Any

import psycopg

from agents.loop.hot import connect
from agents.loop.sources import KnownSource, load_sources

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
MISS_SECONDS = 0.02
REVISION = "SELECT n FROM agents_revision"


class Sources:
    """Every source by slug and by key. What it says is a second old at most, or as old as PostgreSQL has been away."""

    def __init__(self) -> None:
        self._by_slug: dict[str, KnownSource] = {}
        self._by_key: dict[str, KnownSource] = {}
        self._revision = -1
        self._checked = 0.0
        self._renewing = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def named(self, slug: str) -> KnownSource | None:
        """The source of that slug. psycopg.OperationalError only if sources could never be read."""
        self._renew(FRESH_SECONDS)
        return self._by_slug.get(slug) or (self._by_slug.get(slug) if self._renew(MISS_SECONDS) else None)

    def keyed(self, key: str) -> KnownSource | None:
        """The source of that key; as `named`."""
        self._renew(FRESH_SECONDS)
        return self._by_key.get(key) or (self._by_key.get(key) if self._renew(MISS_SECONDS) else None)

    def again(self, source: KnownSource) -> KnownSource | None:
        """The source as it is now, for when what came does not fit what was known; None when nothing newer is known."""
        self._renew(MISS_SECONDS)
        now = self._by_slug.get(source.slug)
        return now if now is not source else None

    def _renew(self, age: float) -> bool:
        """Look once more if the last look is older than `age` seconds; one thread does, the others go on with what
        there is (the very first time they wait). True when something was looked up."""
        if time.monotonic() - self._checked < age:
            return False
        if not self._renewing.acquire(blocking=self._revision < 0):
            return False
        try:
            if time.monotonic() - self._checked < age:
                return True
            self._look()
            self._checked = time.monotonic()
        except psycopg.OperationalError as error:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._revision < 0:
                raise
            self._checked = time.monotonic()
            log.warning("sources could not be renewed: %s", error)
        finally:
            self._renewing.release()
        return True

    def _look(self) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = connect(statement_timeout="5s")
        with self._connection.transaction():
            row = self._connection.execute(REVISION).fetchone()
            revision = row[0] if row else 0
            if revision == self._revision:
                return
            by_slug = load_sources(self._connection, self._by_slug)
        self._by_key = {source.row.key: source for source in by_slug.values()}
        self._by_slug = by_slug
        self._revision = revision


sources = Sources()
"""This process's. After a fork each child opens its own connection, since it is opened on first use."""
