"""The Celery application: how workers are wired. A message is only a wake-up; PostgreSQL is the truth."""

import contextlib
import os
from typing import Any

import redis
from celery import Celery
from celery.signals import heartbeat_sent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("signalbox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["agents"])

HEARTBEAT_SECONDS = 15
"""How long a worker counts as alive after it was last heard of."""


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
