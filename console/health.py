"""Is it alive, and is it ready: for load balancers, monitors and the supervisor. Says nothing that is secret."""

import time
from collections.abc import Callable
from functools import cache

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agents.tasks import SWEPT, SWEPT_SECONDS
from audit import outlets, seal

BEAT_OF_WORKER = "signalbox:worker:"
"""Prefix of the Redis keys that living workers renew; see `console.celery`."""
SEALER_LATE = 30.0
"""Seconds behind at which the sealer no longer counts as working."""


class NotReady(Exception):
    """A dependency does not serve; the message says how, without addresses or secrets."""


@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers at all; asks nothing of anyone."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 if every dependency serves, else 503; each is named with `ok`, `ms` and, if not ok, `why`."""
    found = {name: _asked(question) for name, question in QUESTIONS.items()}
    fine = all(each["ok"] for each in found.values())
    return JsonResponse({"status": "ok" if fine else "not ready", "checks": found}, status=200 if fine else 503)


def _asked(question: Callable[[], str]) -> dict[str, object]:
    begun = time.perf_counter()
    try:
        note, ok = question(), True
    except NotReady as fault:
        note, ok = str(fault), False
    except Exception as fault:  # the answer must name the dependency, whatever its library raises
        note, ok = type(fault).__name__, False
    answer: dict[str, object] = {"ok": ok, "ms": round((time.perf_counter() - begun) * 1000, 1)}
    return answer | ({("note" if ok else "why"): note} if note else {})


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


@cache
def _expected() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.nodes)


def _migrations() -> str:
    missing = _expected() - set(MigrationRecorder(connection).applied_migrations())
    if missing:
        raise NotReady(f"{len(missing)} not applied")
    return ""


def _redis() -> str:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()
    return ""


def _workers() -> str:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        keys = sorted(client.scan_iter(f"{BEAT_OF_WORKER}*", count=1000))
        queues = client.mget(keys) if keys else []
    if not any(b"loop" in (served or b"").split(b",") for served in queues):
        raise NotReady("no worker of the queue loop has been heard of in the last 15 s")
    return ", ".join(key.decode().removeprefix(BEAT_OF_WORKER) for key in keys)


def _sweeper() -> str:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        left = client.ttl(SWEPT)
    if left < 0:
        raise NotReady(f"nothing was swept in the last {SWEPT_SECONDS} s: beat or its worker is away")
    return f"swept {SWEPT_SECONDS - left} s ago"


def _sealer() -> str:
    with connection.cursor() as cursor:
        sealer = seal.health(cursor)
        stuck = len(outlets.failing(cursor, longer_than=outlets.LATE))
    if not sealer.alive or sealer.behind > SEALER_LATE:
        raise NotReady(f"{'late' if sealer.alive else 'not running'}, {sealer.behind:.1f} s behind")
    return f"{sealer.behind:.1f} s behind" + (f", {stuck} outlets take no checkpoints" if stuck else "")


QUESTIONS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "workers": _workers,
    "sweeper": _sweeper,
    "sealer": _sealer,
}
