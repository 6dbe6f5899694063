"""Celery tasks: each parses, looks up and makes one call. A message is only a wake-up; PostgreSQL is the truth."""

import asyncio
import contextlib
import logging
import mmap
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import redis
from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings

from agents import grant_mail, telling, watchdog
from agents.changes.proposal import put_due_live
from agents.loop.act import Drain
from agents.loop.hot import hot

log = logging.getLogger(__name__)

SWEPT, SWEPT_SECONDS = "signalbox:swept", 30
"""Redis key that is there for so long after a sweep."""
PENDING = "signalbox:wake"
"""Set while a wake-up is on its way, so that one is enough for all who want one."""
PENDING_SECONDS = 2
"""A wake-up lost with the child that had it keeps others from waking anybody for so long."""
QUIET_SECONDS = 1.0
"""After Redis failed, nobody tries to wake anybody for so long; the sweeper makes up for it."""

INDEX_SECONDS = 8.0
"""For one task to index the record in, so that a long catching up leaves room for others."""

STOPS = (signal.SIGTERM, signal.SIGQUIT)

_redis: redis.Redis | None = None
_quiet_until = 0.0
_loop: asyncio.AbstractEventLoop | None = None


_stopping = mmap.mmap(-1, 1)
"""Not 0 when the worker is asked to stop: one byte shared with its children, who start nothing more and settle what is
in flight. No lock goes with it, so a child killed while it looks leaves nobody waiting."""


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _stopping[0] = 1


@worker_ready.connect
def _stop_gently_first(**_: Any) -> None:
    """Let the first SIGQUIT do what SIGTERM does, as what is in flight is soon settled; Celery would sleep its whole
    soft shutdown timeout. The next SIGQUIT is Celery's."""
    if threading.current_thread() is not threading.main_thread():
        return
    gently, ordinary = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGQUIT)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGQUIT, ordinary)
        if callable(gently):
            gently(number, frame)

    signal.signal(signal.SIGQUIT, stop)


def stopping() -> bool:
    """Whether this worker was asked to stop."""
    return _stopping[0] != 0


@contextmanager
def _finishing() -> Iterator[Callable[[], bool]]:
    """
    Let this process be ended by STOPS only once nothing is in flight; yields whether that was asked.

    A stop of the whole process group (systemd's way, or the terminal's) reaches children too, and would leave what
    they send unknown.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    ordinary = {number: signal.signal(number, lambda got, _: asked.append(got)) for number in STOPS}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in ordinary.items():
            signal.signal(number, handler)
        if asked:
            os.kill(os.getpid(), asked[0])


def wake() -> bool:
    """
    See that some worker soon looks for work; False when Redis is away (then the sweeper will).

    Never raises and takes 50 ms at most, then nothing for a second: losing Redis costs latency and nothing else.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        if _client().set(PENDING, b"1", nx=True, ex=PENDING_SECONDS):
            work.apply_async(retry=False)
        return True
    except Exception as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("could not wake a worker: %s", error)
        return False


@shared_task(name="agents.tasks.work")
def work() -> None:
    """Decide and act until nothing is left; whoever is woken after this began gets a task of its own."""
    global _loop
    _forget_wake()
    if _loop is None:
        _loop = asyncio.new_event_loop()
    with _finishing() as asked:
        if _loop.run_until_complete(Drain(hot, stopping=lambda: stopping() or asked()).run()):
            wake()


@shared_task(name="agents.tasks.sweep")
def sweep() -> None:
    """Find what stalled and set it moving again; SWEPT says that beat and its worker live."""
    if watchdog.sweep():
        wake()
    with contextlib.suppress(redis.RedisError):
        _client().set(SWEPT, b"1", ex=SWEPT_SECONDS)


@shared_task(name="agents.tasks.page")
def page() -> None:
    """Tell whoever is next of each incident that nobody took."""
    watchdog.page()


@shared_task(name="agents.tasks.tell")
def tell() -> None:
    """Mail people what waits for them, and what they were granted that ends soon."""
    telling.tell_due()
    grant_mail.tell_due()


@shared_task(name="agents.tasks.publish")
def publish() -> None:
    """Put boundaries live whose set time has come."""
    if put_due_live():
        wake()


@shared_task(name="agents.tasks.housekeep")
def housekeep() -> None:
    """Months of growing tables ahead; counters that are over."""
    watchdog.housekeep()


@shared_task(name="agents.tasks.index")
def index() -> None:
    """Index what was sealed since, a piece at a time until nothing is left or it took INDEX_SECONDS."""
    end = time.monotonic() + INDEX_SECONDS
    while watchdog.index_record() and time.monotonic() < end:
        pass


@shared_task(name="agents.tasks.verify")
def verify() -> None:
    """Verify what of the record is new, and a share of the old."""
    watchdog.verify_record()


def _client() -> redis.Redis:
    global _redis
    if _redis is None:
        _redis = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=0.05, socket_connect_timeout=0.05, health_check_interval=30
        )
    return _redis


def _forget_wake() -> None:
    try:
        _client().delete(PENDING)
    except redis.RedisError as error:
        log.warning("could not clear the wake-up: %s", error)
