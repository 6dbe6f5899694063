"""Copies of checkpoints beyond this machine: object stores, collectors, and witnesses that co-sign.

What is configured gets the newest checkpoint every few seconds, by a thread of the sealer's own: an outlet that fails
is tried again, a little later each time, and never holds up sealing. How each stands is in `audit_outlet`.
"""

import base64
import logging
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import psycopg
from django.conf import settings

from audit import proofs, stores
from audit.standalone import Key, Note, Refused
from audit.tiles import TileError

EVERY = 2.0
"""Seconds between two checkpoints to one outlet while entries keep coming."""
SLOWEST = 60.0
"""Seconds between two tries of an outlet that fails, at most."""
TIMEOUT = 10.0
LONGEST = 1 << 16
LATE = 900.0
"""Seconds of failing after which an outlet is an incident."""

log = logging.getLogger(__name__)

_FORM = re.compile(
    r"(PUT|POST) (https?://\S+)|(WITNESS) (https?://\S+) (\S+)"
    r"|(PUT) (s3://[a-z0-9.-]+(?:/(?!\.\.?(?:/|$))[\w{}!*'().=+-]+)+)"
)
_STANDS = """
insert into audit_outlet (target, size, at, failing_since, error)
values (%(target)s, %(size)s, case when %(error)s = '' then clock_timestamp() end,
    case when %(error)s <> '' then clock_timestamp() end, %(error)s)
on conflict (target) do update set size = greatest(audit_outlet.size, excluded.size),
    at = coalesce(excluded.at, audit_outlet.at), error = excluded.error,
    failing_since = case when excluded.error <> '' then coalesce(audit_outlet.failing_since, clock_timestamp()) end
"""


class OutletError(RuntimeError):
    """Why an outlet did not take a checkpoint, without secrets."""


class Outlet(NamedTuple):
    """Where checkpoints go: `how` is PUT, POST or WITNESS. `{size}` in the address stands for the checkpoint's size."""

    how: str
    url: str
    vkey: str = ""

    @classmethod
    def parse(cls, text: str) -> "Outlet":
        """Read "PUT https://…", "PUT s3://…", "POST https://…" or "WITNESS https://… VKEY"; ValueError otherwise."""
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not PUT, POST or WITNESS and an address: {text!r}")
        how, url, *vkey = filter(None, match.groups())
        try:
            if vkey and Key(vkey[0]).kind != b"\4":
                raise ValueError("the key of a record, not of a witness")
        except Refused as error:
            raise ValueError(str(error)) from error
        return cls(how, url, *vkey)

    @property
    def target(self) -> str:
        """What people and the database see of it: no password, no query."""
        parts = urlsplit(self.url)
        return f"{self.how} {parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """What an outlet points to instead is not where checkpoints were told to go."""


_opener = urllib.request.build_opener(_NoRedirects)


class Failing(NamedTuple):
    """An outlet that did not take the newest checkpoint."""

    target: str
    seconds: float
    error: str


def configured() -> list[Outlet]:
    """The outlets that the environment names."""
    return [Outlet.parse(text) for text in settings.CHECKPOINT_OUTLETS]


def failing(cursor: Any, *, longer_than: float = 0.0) -> list[Failing]:
    """The outlets that have failed for longer than so many seconds; `cursor` is Django's or psycopg's."""
    cursor.execute(
        "select target, extract(epoch from clock_timestamp() - failing_since)::float8, error from audit_outlet"
        " where failing_since < clock_timestamp() - %s * interval '1 second' order by target",
        [longer_than],
    )
    return [Failing(*row) for row in cursor.fetchall()]


class Sender:
    """The thread that carries checkpoints out; a context. Without outlets it does nothing at all."""

    def __init__(self, connect: Callable[[], Any], outlets: Sequence[Outlet]) -> None:
        self._connect, self._outlets = connect, outlets
        self._news, self._newest, self._ended = threading.Condition(), (0, ""), False
        self._thread = threading.Thread(target=self._work, name="outlets", daemon=True)

    def __enter__(self) -> Self:
        if self._outlets:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._ended = True
            self._news.notify()
        if self._outlets:
            self._thread.join(2 * TIMEOUT)

    def offer(self, size: int, note: str) -> None:
        """Have this checkpoint carried out next, instead of any before it that was not yet. Returns at once."""
        with self._news:
            self._newest = size, note
            self._news.notify()

    def _work(self) -> None:
        due = dict.fromkeys(self._outlets, 0.0)
        pause = dict.fromkeys(self._outlets, EVERY)
        taken = dict.fromkeys(self._outlets, 0)
        while True:
            with self._news:
                size, note = self._newest
                open_ = [outlet for outlet in self._outlets if note and taken[outlet] != size]
                if self._ended:
                    return
                now = time.monotonic()
                first = min((due[outlet] for outlet in open_), default=None)
                if first is None or first > now:
                    self._news.wait(None if first is None else first - now)
                    continue
            for outlet in (one for one in open_ if due[one] <= now):
                error = self._carry(outlet, size, note)
                pause[outlet] = min(SLOWEST, pause[outlet] * 2) if error else EVERY
                due[outlet] = time.monotonic() + pause[outlet]
                taken[outlet] = taken[outlet] if error else size

    def _carry(self, outlet: Outlet, size: int, note: str) -> str:
        """Bring the checkpoint to one outlet and write down how that went; what went wrong, "" when nothing did."""
        error = ""
        try:
            with self._connect() as conn:
                try:
                    deliver(conn, outlet, size, note)
                except (OutletError, OSError, HTTPException, ValueError, TileError, Refused) as fault:
                    error = str(fault)[:300] or type(fault).__name__
                conn.execute(_STANDS, {"target": outlet.target, "size": 0 if error else size, "error": error})
        except psycopg.Error as fault:
            error = str(fault)
        except Exception as fault:
            log.exception("an outlet failed in a way nobody thought of")
            error = type(fault).__name__
        if error:
            log.warning("the checkpoint of %d entries did not get to %s: %s", size, outlet.target, error)
        return error


def deliver(conn: Any, outlet: Outlet, size: int, note: str) -> None:
    """Bring one checkpoint to one outlet; OutletError or OSError when it was not taken.

    A witness's cosignature is checked and kept in `audit_cosignature`.
    """
    if outlet.how != "WITNESS":
        url = outlet.url.replace("{size}", str(size))
        if url.startswith("s3:"):
            stores.write(url, note.encode(), seconds=TIMEOUT)
            return
        status, body, _ = _send(outlet.how, url, note.encode())
        if not 200 <= status < 300:
            raise OutletError(f"answered {status}: {body[:80]!r}")
        return
    row = conn.execute("select size from audit_outlet where target = %s", [outlet.target]).fetchone()
    old = row[0] if row and row[0] <= size else 0
    status, body, kind = _ask_witness(conn, outlet, old, size, note)
    if status == 409 and kind == "text/x.tlog.size" and body.strip().isdecimal() and int(body) != old:
        if int(body) > size:
            raise OutletError(
                f"the witness has seen {int(body):,} entries, this record has {size:,}: if it was restored from a "
                "backup, the witness's keeper has to reset it"
            )
        status, body, _ = _ask_witness(conn, outlet, int(body), size, note)
    if status != 200:
        said = "refused: it has seen another record" if status in (409, 422) else f"answered {status}: {body[:80]!r}"
        raise OutletError(f"the witness {said}")
    key = Key(outlet.vkey)
    for line in body.splitlines(keepends=True):
        if line.startswith(f"\N{EM DASH} {key.name} ") and key.signed(Note(note + line)) is not None:
            conn.execute(
                "insert into audit_cosignature (size, witness, line) values (%s, %s, %s) on conflict do nothing",
                [size, key.name, line],
            )
            return
    raise OutletError("the witness answered without a cosignature of the key configured")


def _ask_witness(conn: Any, outlet: Outlet, old: int, size: int, note: str) -> tuple[int, str, str]:
    url = f"{outlet.url.rstrip('/')}/add-checkpoint"
    return _send("POST", url, proofs.consistency(conn, old, size, note).encode())


def _send(method: str, url: str, body: bytes) -> tuple[int, str, str]:
    """The answer's status, text and content type, whatever the status. Name and password in the address are sent as
    such; redirects are not followed."""
    parts = urlsplit(url)
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    if parts.username:
        secret = base64.b64encode(f"{parts.username}:{parts.password or ''}".encode()).decode()
        headers["Authorization"] = f"Basic {secret}"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = urllib.request.Request(bare, data=body, headers=headers, method=method)  # noqa: S310
    try:
        with _opener.open(request, timeout=TIMEOUT) as answer:
            return answer.status, answer.read(LONGEST).decode(errors="replace"), answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(LONGEST).decode(errors="replace"), error.headers.get_content_type()
