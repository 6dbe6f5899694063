"""The Celery application: how workers are wired. A message is only a wake-up; PostgreSQL is the truth."""

import contextlib
import os
from typing import Any

import redis
from celery import Celery
from celery.signals import heartbeat_sent, task_postrun, task_prerun

from audit.carried import carrying
from console import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("signalbox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["agents"])

HEARTBEAT_SECONDS = 15
"""How long a worker counts as alive after it was last heard of."""


_under_way: dict[str, contextlib.ExitStack] = {}


@task_prerun.connect(weak=False)
def take_up(task_id: str, **_: Any) -> None:
    """Log and record under the task's id, cut short: twelve digits tell one from another."""
    under = _under_way[task_id] = contextlib.ExitStack()
    request_id = task_id.replace("-", "")[-12:]
    under.enter_context(logs.bound(request_id=request_id))
    under.enter_context(carrying(request_id))


@task_postrun.connect(weak=False)
def lay_down(task_id: str, **_: Any) -> None:
    """It is over."""
    if under := _under_way.pop(task_id, None):
        under.close()


@heartbeat_sent.connect(weak=False)
def say_alive(sender: Any, **kwargs: Any) -> None:
    """Renew this worker's key in Redis, its queues in it, which `/health/ready` looks for."""
    from console.health import BEAT_OF_WORKER

    with contextlib.suppress(redis.RedisError):
        queues = ",".join(app.amqp.queues.consume_from)
        _heartbeats().set(BEAT_OF_WORKER + sender.eventer.hostname, queues, ex=HEARTBEAT_SECONDS)


def _heartbeats() -> redis.Redis:
    global _client
    if _client is None:
        _client = redis.Redis.from_url(app.conf.broker_url, socket_timeout=1, socket_connect_timeout=1, retry=None)
    return _client


_client: redis.Redis | None = None
