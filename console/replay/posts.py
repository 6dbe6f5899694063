"""Posting to a source's intake over one connection that is kept; sent again where that is safe, since ids are known."""

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

TIMEOUT = 60.0
PATIENCE = 60.0
"""Seconds of nothing but “later” and silence after which it gives up; it does at once where nothing ever answered."""
LATER = (429, 502, 503, 504)
RECEIPTS = (200, 202, 422)


class Unanswered(Exception):
    """The intake does not answer, or not with what was asked; the message says why, and how to mend it."""


class Interrupted(Exception):
    """Whoever started it asked to stop while it waited to send again."""


@dataclass(slots=True)
class Receipt:
    """What became of the items of one or more posts. `refused`: place among them, what is wrong, how to mend it."""

    accepted: int = 0
    duplicate: int = 0
    dead: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, other: "Receipt", *, at: int = 0) -> None:
        """Count in another one, whose items stand from place `at` on."""
        self.accepted += other.accepted
        self.duplicate += other.duplicate
        self.dead += other.dead
        self.refused += [(place + at, what, how) for place, what, how in other.refused]


class Intake:
    """The intake of the source `slug` at `url`. `stopping` is asked while it waits."""

    def __init__(self, url: str, slug: str, key: str, *, stopping: Callable[[], bool]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unanswered(f"{url!r} is no address: give one such as http://127.0.0.1:8000.")
        made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = made(parts.hostname, parts.port, timeout=TIMEOUT)
        self._url = url
        self._path = f"{parts.path.rstrip('/')}/in/{slug}"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._stopping = stopping
        self._answered = 0.0

    def post(self, items: list[Any], *, to: str = "") -> Receipt:
        """
        Send `items` in one post, or in several when that is too large.

        Unanswered when it is turned away, or nothing answers for PATIENCE seconds; Interrupted.
        """
        status, raw = self._answer(orjson.dumps(items), self._path + to)
        if status == 413 and len(items) > 1:
            half = len(items) // 2
            receipt = self.post(items[:half], to=to)
            receipt.add(self.post(items[half:], to=to), at=half)
            return receipt
        try:
            said = orjson.loads(raw)
            if status in RECEIPTS:
                refused = [(one["index"], one["what"], one["how"]) for one in said["refused"]]
                return Receipt(said["accepted"], said["duplicate"], said["dead"], refused)
            error = said["error"]
            if status == 413:
                return Receipt(refused=[(0, error["what"], error["how"])])
            raise Unanswered(f"{self._url} turned it away: {error['what']} {error['how']}")
        except (orjson.JSONDecodeError, KeyError, TypeError) as fault:
            raise Unanswered(f"{self._url} answered {status}, but not as an intake does: check --url.") from fault

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _answer(self, body: bytes, path: str) -> tuple[int, bytes]:
        """The first answer that is not for later."""
        pause, since = 0.0, max(self._answered, time.monotonic())
        while True:
            try:
                self._connection.request("POST", path, body, self._headers)
                answer = self._connection.getresponse()
                status, headers, raw = answer.status, answer.headers, answer.read()
                if status not in LATER:
                    self._answered = time.monotonic()
                    return status, raw
                self._answered = self._answered or since
                why, wait = f"it answers {status}", _seconds(headers.get("Retry-After"), pause)
            except (OSError, http.client.HTTPException) as fault:
                self._connection.close()
                why, wait = str(fault) or type(fault).__name__, pause
            if not self._answered or time.monotonic() - since > PATIENCE:
                raise Unanswered(f"{self._url} does not take signals: {why}. Start it with make run, or give --url.")
            self._wait(wait)
            pause = min(max(0.2, pause * 2), 5.0)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopping():
                raise Interrupted
            time.sleep(min(left, 0.2))


def _seconds(said: str | None, otherwise: float) -> float:
    return min(float(said), 30.0) if said and said.isdigit() else otherwise
