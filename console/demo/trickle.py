"""The trickle: demo signals through the real intake, at a gentle rate, for as long as the demo workspace is there."""

import base64
import heapq
import json
import logging
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError, connection

from agents.models import DeadLetter, Source
from approvals.models import Approval
from console.demo.stories import Sent, Teller

log = logging.getLogger(__name__)

WARM_UP = 80
"""Signals at once at the start, so that every page has something to show."""
BRISK, CALM = (3.0, 8.0), (12.0, 40.0)
"""Seconds between two signals: in the first half hour, and after it."""
BRISK_SECONDS = 1800.0
BURST_EVERY = (180.0, 420.0)
BURST = (6, 14)
MOST_WAITING = 12
"""Questions in the Inbox beyond which nothing more is told that would add to them."""
MOST_DEAD = 8
LOOK_EVERY = 30.0
PATH = {"segment": "/v1/batch", "cloudevents": "/in/{}", "json": "/in/{}"}
TYPE = {"segment": "application/json", "cloudevents": "application/cloudevents+json", "json": "application/json"}


@dataclass
class Trickle:
    """Posts to the intake at `url`. `stopping` is asked before each wait and each signal."""

    url: str
    stopping: Callable[[], bool]
    rng: random.Random = field(default_factory=random.Random)
    keys: dict[str, str] = field(default_factory=dict)
    due: list[tuple[float, int, Sent]] = field(default_factory=list)
    sent: int = 0

    def run(self, *, signals: int | None = None) -> int:
        """
        Go on until `stopping`, or until `signals` are sent; how many were.

        Without a demo workspace it waits for one, looking every LOOK_EVERY seconds; given `signals` it ends.
        """
        teller, began = Teller(self.rng), time.monotonic()
        burst_at = began + self.rng.uniform(*BURST_EVERY)
        warm = 0 if self._has_signals() else WARM_UP
        while not self.stopping() and (signals is None or self.sent < signals):
            if not self._is_there():
                if signals is not None:
                    break
                self._wait(LOOK_EVERY)
                continue
            now = time.monotonic()
            count = 1
            if now > burst_at:
                burst_at = now + self.rng.uniform(*BURST_EVERY)
                count = self.rng.randint(*BURST)
            count, warm = max(count, warm), 0
            for _ in range(count if signals is None else min(count, signals - self.sent)):
                self._tell(teller)
                self._wait(0.05)
            self._report()
            pace = BRISK if now - began < BRISK_SECONDS else CALM
            self._wait(self.rng.uniform(*pace) if signals is None else 0.05)
        return self.sent

    def _has_signals(self) -> bool:
        """Whether the demo has begun before."""
        return _asked("SELECT EXISTS (SELECT FROM agents_signal WHERE is_demo ORDER BY id DESC LIMIT 1)")

    def _is_there(self) -> bool:
        try:
            self.keys = dict(Source.objects.filter(is_demo=True, is_active=True).values_list("slug", "key"))
        except OperationalError:
            connection.close()
            self.keys = {}
        return bool(self.keys)

    def _tell(self, teller: Teller) -> None:
        waiting = Approval.objects.filter(state="waiting")[: MOST_WAITING + 1].count()
        dead = DeadLetter.objects.filter(state="open")[: MOST_DEAD + 1].count()
        sent = teller.tell(may_ask=waiting < MOST_WAITING, may_be_misread=dead < MOST_DEAD)
        if sent.source not in self.keys:
            return
        self.sent += 1
        if (
            self._post(sent.source, PATH[sent.format].format(sent.source), sent.body, TYPE[sent.format])
            and sent.outcome
        ):
            at = time.monotonic() + self.rng.uniform(20, 240)
            heapq.heappush(self.due, (at, self.sent, sent))

    def _report(self) -> None:
        """Feed back the outcomes whose time has come; those of signals that nobody handled are refused."""
        while self.due and self.due[0][0] < time.monotonic() and not self.stopping():
            _, _, sent = heapq.heappop(self.due)
            assert sent.outcome is not None
            kind, value = sent.outcome
            body = {"signal": sent.signal, "kind": kind, "value": value}
            self._post(sent.source, f"/in/{sent.source}/outcomes", body, "application/json")

    def _post(self, source: str, path: str, body: Any, content_type: str) -> bool:
        """Whether it was taken. What goes wrong is logged: the next one may fare better."""
        key = self.keys.get(source, "")
        basic = base64.b64encode(f"{key}:".encode()).decode()
        headers = {"Content-Type": content_type, "Authorization": f"Basic {basic}"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310
                return True
        except urllib.error.HTTPError as answer:
            if answer.code != 422:
                log.warning("a demo signal was not taken: %s", answer)
        except OSError as error:
            log.info("the intake does not answer: %s", error)
        return False

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))


def _asked(sql: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return bool(cursor.fetchone()[0])
