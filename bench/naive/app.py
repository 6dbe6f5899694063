"""
The same work as most teams would write it: a view that saves the signal and queues one Celery task, which then goes
through the ORM a row at a time and posts with requests. Environment: DATABASE_URL, REDIS_URL, RECEIVER.
"""

import json
import os
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import django
from django.conf import settings

_url = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _url.path.lstrip("/"),
            "USER": _url.username or "",
            "PASSWORD": _url.password or "",
            "HOST": dict(parse_qsl(_url.query)).get("host") or _url.hostname or "",
            "PORT": str(_url.port or ""),
            "CONN_MAX_AGE": 600,
        }
    },
)
django.setup()

import requests  # noqa: E402
from celery import Celery  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402, F401
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

from bench import work  # noqa: E402


class Row(models.Model):
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        app_label = "naive"


class Rule(Row):
    name = models.CharField(max_length=64)
    active = models.BooleanField(default=True)


class Play(Row):
    slug = models.CharField(max_length=64, unique=True)
    paused = models.BooleanField(default=False)
    budget = models.BigIntegerField(default=10**9)
    spent = models.BigIntegerField(default=0)


class Signal(Row):
    external_id = models.CharField(max_length=80, unique=True)
    account = models.CharField(max_length=80, db_index=True)
    payload = models.JSONField()
    status = models.CharField(max_length=20, default="new", db_index=True)


class Score(Row):
    signal = models.ForeignKey(Signal, models.CASCADE)
    score = models.IntegerField()
    confidence = models.IntegerField()
    hits = models.JSONField()


class Decision(Row):
    signal = models.ForeignKey(Signal, models.CASCADE)
    play = models.ForeignKey(Play, models.CASCADE)
    allowed = models.BooleanField()
    reason = models.CharField(max_length=200)


class Approval(Row):
    decision = models.ForeignKey(Decision, models.CASCADE)
    state = models.CharField(max_length=20, default="pending")


class Execution(Row):
    decision = models.ForeignKey(Decision, models.CASCADE)
    request = models.JSONField()
    status_code = models.IntegerField(null=True)
    finished = models.DateTimeField(null=True)


class Audit(Row):
    signal = models.ForeignKey(Signal, models.CASCADE)
    stage = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)


MODELS = (Rule, Play, Signal, Score, Decision, Approval, Execution, Audit)
celery = Celery("naive", broker=os.environ["REDIS_URL"])
celery.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


@celery.task(name="process_signal")
def process_signal(pk: int) -> None:
    signal = Signal.objects.get(pk=pk)
    rules = set(Rule.objects.filter(active=True).values_list("name", flat=True))
    score, confidence, slug, alone, body = work.expected(signal.payload)
    assert body["hits"] <= rules
    body["hits"] = sorted(body["hits"])
    Score.objects.create(signal=signal, score=score, confidence=confidence, hits=body["hits"])
    Audit.objects.create(signal=signal, stage="scored", detail={"score": score})
    play = Play.objects.get(slug=slug)
    Audit.objects.create(signal=signal, stage="play", detail={"play": slug})
    with transaction.atomic():
        locked = Play.objects.select_for_update().get(pk=play.pk)
        allowed = not locked.paused and locked.spent < locked.budget
        if allowed:
            locked.spent += 1
            locked.save()
    decision = Decision.objects.create(signal=signal, play=play, allowed=allowed, reason="ok" if allowed else "budget")
    Audit.objects.create(signal=signal, stage="policy", detail={"allowed": allowed})
    if not (allowed and alone):
        Approval.objects.create(decision=decision)
        signal.status = "waiting"
        signal.save()
        return
    execution = Execution.objects.create(decision=decision, request=body)
    response = requests.post(os.environ["RECEIVER"], json=body, timeout=10)
    execution.status_code, execution.finished = response.status_code, timezone.now()
    execution.save()
    signal.status = "done"
    signal.save()
    Audit.objects.create(signal=signal, stage="executed", detail={"status": response.status_code})


@csrf_exempt
def receive(request: HttpRequest) -> JsonResponse:
    body: dict[str, Any] = json.loads(request.body)
    signal, new = Signal.objects.get_or_create(
        external_id=body["id"], defaults={"account": body["account"], "payload": body}
    )
    if new:
        process_signal.delay(signal.pk)
    return JsonResponse({"id": signal.pk}, status=202)


urlpatterns = [path("in", receive)]
application = get_wsgi_application()
