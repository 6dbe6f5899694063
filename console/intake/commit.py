"""
Group commit: posts that arrive while a commit is under way share the next one.

No thread of its own: of the threads that wait one leads, commits for all whose posts are there, wakes them and hands
the lead to the next. A lone post is committed at once. A group that fails is tried again post by post, a post that
fails row by row, so that one bad event never fails its neighbours. Nobody is told of success before the commit.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from agents.loop.envelope import Refused
from agents.loop.hot import connect
from console.intake.answers import unavailable

log = logging.getLogger(__name__)

GROUP = 200
"""Rows in one transaction; a post of more goes by itself."""
PATIENCE_SECONDS = 20.0
PASSING = frozenset(("08", "40", "53", "55", "57", "58"))
"""Classes of SQLSTATE that speak of the moment, not of the data."""
UNSTORABLE = (psycopg.DataError, psycopg.OperationalError, ValueError)


class InDoubt(Exception):
    """The connection was lost while committing: the rows may be there or not."""


class Away(Exception):
    """PostgreSQL cannot be reached or cannot serve now; nothing was written."""


class _Post:
    __slots__ = ("error", "leads", "results", "rows", "turn")

    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = rows
        self.results: list[Any] | None = None
        self.error: Exception | None = None
        self.leads = False
        self.turn = threading.Lock()
        self.turn.acquire()

    @property
    def done(self) -> bool:
        return self.results is not None or self.error is not None


class Committer:
    """
    Commits rows in groups through `write(cursor, rows) → one result a row`, then calls `after` once a group.

    `wait` says, after a group of so many posts, for how many seconds the next one gathers before it is taken.

    One connection a process, opened on first use and thus after the fork; safe to share between threads.
    """

    def __init__(
        self,
        write: Callable[[Any, Sequence[Any]], list[Any]],
        *,
        after: Callable[[], object],
        wait: Callable[[int], float] = lambda together: 0.0,
    ) -> None:
        self._write = write
        self._after = after
        self._wait = wait
        self._together = 0
        self._lock = threading.Lock()
        self._queue: deque[_Post] = deque()
        self._led = False
        self._connection: psycopg.Connection[Any] | None = None

    def put(self, rows: Sequence[Any]) -> list[Any]:
        """
        The result of each row, in order, once committed; a row that PostgreSQL will not take is `Refused`.

        Fault 503 when nothing was written, or when it is not known whether it was: sending again is safe in both.
        """
        if not rows:
            return []
        post = _Post(rows)
        with self._lock:
            self._queue.append(post)
            leads = not self._led
            self._led = True
        if leads or self._waited(post):
            self._lead()
        if post.error is not None:
            raise post.error
        assert post.results is not None
        return post.results

    def _waited(self, post: _Post) -> bool:
        """Wait for the post's turn; whether it is to lead."""
        if not post.turn.acquire(timeout=PATIENCE_SECONDS):
            with self._lock:
                if post in self._queue and not post.leads:
                    self._queue.remove(post)
                    raise unavailable("The database takes too long.")
            if not post.leads and not post.turn.acquire(timeout=PATIENCE_SECONDS):
                raise unavailable("The database takes too long; it is not known whether this was stored.")
        return post.leads and not post.done

    def _lead(self) -> None:
        """Commit one group, the leader's own post first in it, and hand the lead on."""
        group: list[_Post] = []
        if (seconds := self._wait(self._together)) > 0:
            time.sleep(seconds)
        with self._lock:
            size = 0
            while self._queue and (not group or size + len(self._queue[0].rows) <= GROUP):
                group.append(self._queue.popleft())
                size += len(group[-1].rows)
        self._together = len(group)
        try:
            self._serve(group)
        finally:
            with self._lock:
                heir = self._queue[0] if self._queue else None
                self._led = heir is not None
                if heir is not None:
                    heir.leads = True
            for post in group:
                if not post.done:
                    post.error = unavailable("This could not be stored.")
                post.turn.release()
            if heir is not None:
                heir.turn.release()

    def _serve(self, group: list[_Post]) -> None:
        try:
            self._commit(group)
        except InDoubt:
            log.warning("a commit is in doubt")
            _fail(group, "The connection to the database was lost; it is not known whether this was stored.")
        except Away as error:
            log.warning("signals cannot be stored: %s", error)
            _fail(group, "The database cannot be reached.")
        except Exception as error:
            if len(group) > 1:
                for post in group:
                    self._serve([post])
            elif len(group[0].rows) > 1:
                self._serve_rows(group[0])
            elif isinstance(error, UNSTORABLE):
                log.warning("an event was refused: %s", error)
                group[0].results = [Refused("The event cannot be stored.", "Send plainer text and numbers.")]
            else:
                log.exception("an event could not be stored")
                _fail(group, "This could not be stored.")

    def _serve_rows(self, post: _Post) -> None:
        results: list[Any] = []
        for row in post.rows:
            alone = _Post([row])
            self._serve([alone])
            if alone.results is None:
                post.error = alone.error
                return
            results += alone.results
        post.results = results

    def _commit(self, group: list[_Post]) -> None:
        rows = [row for post in group for row in post.rows] if len(group) > 1 else group[0].rows
        try:
            results = self._transact(rows)
        except _Stale:
            results = self._transact(rows)
        self._after()
        at = 0
        for post in group:
            post.results = results[at : at + len(post.rows)]
            at += len(post.rows)

    def _transact(self, rows: Sequence[Any]) -> list[Any]:
        fresh = self._connection is None or self._connection.closed
        try:
            if fresh:
                self._connection = connect(statement_timeout="5s")
            assert self._connection is not None
            self._connection.execute("BEGIN")
            with self._connection.cursor(binary=True) as cursor:
                results = self._write(cursor, rows)
        except psycopg.OperationalError as error:
            lost = self._connection is None or self._connection.broken
            self._give_up()
            if not lost and (error.sqlstate or "08")[:2] not in PASSING:
                raise
            raise (_Stale if lost and not fresh else Away)(str(error)) from error
        except BaseException:
            self._give_up()
            raise
        self._settle()
        return results

    def _settle(self) -> None:
        assert self._connection is not None
        try:
            self._connection.execute("COMMIT")
        except psycopg.Error as error:
            lost = self._connection.broken
            self._give_up()
            if lost:
                raise InDoubt from error
            raise

    def _give_up(self) -> None:
        """End the transaction, or the connection if that is no longer to be had."""
        if self._connection is None:
            return
        try:
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()
            self._connection = None


class _Stale(Exception):
    """The connection had been lost before anything was committed on it."""


def _fail(group: list[_Post], what: str) -> None:
    for post in group:
        post.error = unavailable(what)


class Nudge:
    """
    Calls `call` after `give`, in a thread of its own: who gives never waits for Redis.

    At once when nothing was called lately, and at most every `pause` seconds.
    """

    def __init__(self, call: Callable[[], object], *, pause: float = 0.005) -> None:
        self._pause = pause
        self._call = call
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def give(self) -> None:
        """Never raises, never waits."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="nudge", daemon=True)
            self._thread.start()
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._call()
            except Exception:
                log.exception("a wake-up failed")
            time.sleep(self._pause)
