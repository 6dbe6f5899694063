"""
The lean way in: pure WSGI, no Django middleware, success only after the commit.

POST /in/<source>            our JSON, NDJSON, CloudEvents; any of them signed by Standard Webhooks
POST /in/<source>/outcomes   what came of signals
POST /v1/track, /v1/batch …  Segment's and RudderStack's clients, the write key as user
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg

from agents import outcomes
from agents.loop import intake
from agents.loop.envelope import Envelope, Refused, spoilt
from agents.loop.sources import KnownSource
from console.intake import access, body
from console.intake.answers import Answer, Fault, Header, unavailable
from console.intake.commit import Committer, Nudge
from console.intake.formats import cloudevents, documents, ours, segment, signatures
from console.intake.limits import bucket
from console.intake.pace import Pace

log = logging.getLogger(__name__)

PREFIX = "/in/"
ANYWHERE: tuple[Header, ...] = (("Access-Control-Allow-Origin", "*"),)
PREFLIGHT: tuple[Header, ...] = (
    *ANYWHERE,
    ("Access-Control-Allow-Methods", "POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, Content-Encoding"),
    ("Access-Control-Max-Age", "86400"),
)
HELP = (
    'Send POST with a JSON object {"id": "…", "type": "…", "account": "…"}, an array of them, NDJSON or a CloudEvent, '
    "and the source's key as Authorization: Bearer <key>."
)


def _wake() -> None:
    from agents.tasks import wake

    wake()


_pace = Pace(intake.receive)
signals = Committer(_pace.write, after=Nudge(_wake).give, wait=_pace.wait)
outcome_rows = Committer(outcomes.receive, after=lambda: None)


def handles(path: str) -> bool:
    """Whether an address is the intake's."""
    return path.startswith(PREFIX) or path.rstrip("/") in segment.PATHS


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one request for which `handles` is true; JSON always, never an exception."""
    path = environ.get("PATH_INFO", "").rstrip("/")
    ours_ = path.startswith(PREFIX.rstrip("/"))
    try:
        answer = _ours(environ, path) if ours_ else _segment(environ, path)
    except Fault as fault:
        body.drain(environ)
        answer = fault.answer(segment=not ours_)
    except psycopg.OperationalError:
        log.warning("the database cannot be reached")
        answer = unavailable("The database cannot be reached.").answer(segment=not ours_)
    except Exception:
        log.exception("the intake failed")
        answer = Fault(
            500, "Something went wrong here; it is logged.", where="the server", how="Send the same again."
        ).answer(segment=not ours_)
    start_response(answer.status, answer.headers if ours_ else [*answer.headers, *ANYWHERE])
    return [answer.body]


def _ours(environ: dict[str, Any], path: str) -> Answer:
    slug, _, rest = path[len(PREFIX) :].partition("/")
    source = access.named(slug)
    method = environ.get("REQUEST_METHOD", "")
    if method == "OPTIONS":
        return _allowed(environ, source)
    if method != "POST":
        raise Fault(
            405,
            f"{method} is not for this address.",
            where="the method",
            how=HELP,
            headers=(("Allow", "POST, OPTIONS"),),
        )
    if rest not in ("", "outcomes"):
        raise Fault(
            404, "There is nothing here.", where="the address", how=f"Post to /in/{slug} or /in/{slug}/outcomes."
        )
    signed = signatures.is_signed(environ) and (source.signing != () or not access.given_key(environ))
    if not signed:
        source = access.check_key(source, environ)
    access.check_active(source)
    _within_limit(source)
    received = body.read(environ)
    webhook_id = access.check_signature(source, environ, received) if signed else ""
    if rest:
        return _outcomes(source, received.plain)
    content_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if cloudevents.is_cloudevents(environ, content_type):
        parsed = cloudevents.parse(received.plain, environ, content_type=content_type)
    else:
        parsed = ours.parse(received.plain, content_type=content_type, webhook_id=webhook_id)
    return _receipt(_take_in(source, parsed), parsed.note)


def _segment(environ: dict[str, Any], path: str) -> Answer:
    method = environ.get("REQUEST_METHOD", "")
    if method == "OPTIONS":
        return Answer(204, headers=PREFLIGHT[1:])
    if method != "POST":
        raise Fault(
            405,
            f"{method} is not for this address.",
            where="the method",
            how="Send POST.",
            headers=(("Allow", "POST, OPTIONS"),),
        )
    key = access.given_key(environ)
    source = access.keyed(key) if key else None
    if source is not None:
        access.check_active(source)
        _within_limit(source)
    received = body.read(environ)
    if source is None:
        source = access.keyed(segment.write_key(received.plain))
        access.check_active(source)
        _within_limit(source)
    if source.row.signed_only or (signatures.is_signed(environ) and source.signing):
        access.check_signature(source, environ, received)
    call = segment.PATHS[path]
    parsed = segment.parse(received.plain, call=call)
    fates = _take_in(source, parsed)
    if not call:
        fates = _take_in(source, documents.Parsed(_unstorable(parsed, fates)))
    refused = next((fate for fate in fates if isinstance(fate, Refused)), None)
    if refused:
        raise Fault(400, refused.what, where="the call", how=refused.how)
    return Answer(200, {"success": True})


def _unstorable(parsed: documents.Parsed, fates: list[Any]) -> list[Envelope | Refused]:
    """What the database would not take as signals, as what it takes as dead letters."""
    return [
        spoilt(item.format, item.payload.decode(errors="replace"), fate)
        for item, fate in zip(parsed.items, fates, strict=True)
        if isinstance(fate, Refused) and isinstance(item, Envelope)
    ]


def _take_in(source: KnownSource, parsed: documents.Parsed) -> list[Any]:
    """Commit what was parsed; the fate of each, in order."""
    at = datetime.now(UTC)
    rows = [None if isinstance(item, Refused) else intake.understand(source, item, at=at) for item in parsed.items]
    limit = bucket(source.id, source.row.rate_limit)
    if limit is not None:
        limit.take(len(rows))
    results = iter(signals.put([row for row in rows if row is not None]))
    return [item if row is None else next(results) for item, row in zip(parsed.items, rows, strict=True)]


def _outcomes(source: KnownSource, raw: bytes) -> Answer:
    found = documents.read(raw)
    at = datetime.now(UTC)
    items = [outcomes.read(source, item, at=at) for item in documents.events(found.value)]
    results = iter(outcome_rows.put([item for item in items if not isinstance(item, Refused)]))
    return _receipt([item if isinstance(item, Refused) else next(results) for item in items], found.note)


def _receipt(fates: list[Any], note: str) -> Answer:
    """What became of each: 202, or 422 when every one was refused."""
    refused = [
        {"index": place, "what": fate.what, "how": fate.how}
        for place, fate in enumerate(fates)
        if isinstance(fate, Refused)
    ]
    counts = {
        "accepted": fates.count("accepted"),
        "duplicate": fates.count("duplicate"),
        "dead": fates.count("dead") + fates.count("conflict"),
        "refused": refused,
    }
    if note:
        counts["note"] = note
    if refused and len(refused) == len(fates):
        first = refused[0]
        counts["error"] = {"what": first["what"], "where": f"event {first['index']}", "how": first["how"]}
        return Answer(422, counts)
    return Answer(202, counts)


def _allowed(environ: dict[str, Any], source: KnownSource) -> Answer:
    """The handshake of CloudEvents' HTTP webhooks (section 4): whoever has the key may deliver, from anywhere."""
    origin = environ.get("HTTP_WEBHOOK_REQUEST_ORIGIN", "")
    headers: tuple[Header, ...] = (("Allow", "POST, OPTIONS"),)
    if origin and origin.isascii() and origin.isprintable():
        rate = source.row.rate_limit * 60
        headers += (("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", str(rate) if rate else "*"))
    return Answer(200, headers=headers)


def _within_limit(source: KnownSource) -> None:
    limit = bucket(source.id, source.row.rate_limit)
    seconds = limit.wait() if limit is not None else 0
    if seconds:
        raise Fault(
            429,
            f"More than {source.row.rate_limit} signals a second.",
            where="the source",
            how=f"Send the same again in {seconds} s, or have the source's limit raised.",
            headers=(("Retry-After", str(seconds)),),
        )
