"""Whether a request may bring signals in: by the source's key, or by a Standard Webhooks signature."""

import base64
import binascii
import hmac
from typing import Any
from urllib.parse import parse_qs

from agents.loop.sources import KnownSource
from console.intake.answers import Fault, unavailable
from console.intake.body import Body
from console.intake.formats import signatures
from console.intake.sources import sources

HOW = "Send the source's key as Authorization: Bearer <key>, or X-Signalbox-Key: <key>."


def named(slug: str) -> KnownSource:
    """The source of an address. Fault 404."""
    found = sources.named(slug)
    if found is None:
        raise Fault(404, f"There is no source {slug[:80]!r}.", where="the address", how="Post to /in/<source's slug>.")
    return found


def keyed(key: str) -> KnownSource:
    """The source of a write key. Fault 401."""
    found = sources.keyed(key) if key else None
    if found is None:
        raise Fault(401, "The write key is not known.", where="header Authorization", how="Use a source's key.")
    return found


def given_key(environ: dict[str, Any]) -> str:
    """The key a request carries: bearer, basic (as user), X-Signalbox-Key, ?key= or ?access_token=; "" when none."""
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return str(value.strip())
    if scheme.lower() == "basic":
        return _user(value.strip())
    if key := environ.get("HTTP_X_SIGNALBOX_KEY", "").strip():
        return str(key)
    query = environ.get("QUERY_STRING", "")
    if "key=" in query or "access_token=" in query:
        asked = parse_qs(query, max_num_fields=20) if query.count("&") < 20 else {}
        return (asked.get("key") or asked.get("access_token") or [""])[0]
    return ""


def check_key(source: KnownSource, environ: dict[str, Any]) -> KnownSource:
    """The source, as it is now, if an unsigned request may bring signals to it. Fault 401."""
    key = given_key(environ)
    if _fits(source, key):
        return source
    renewed = sources.again(source)
    if renewed is not None and _fits(renewed, key):
        return renewed
    if source.row.signed_only:
        raise Fault(
            401, "This source takes signed requests only.", where="header webhook-signature", how="Sign the request."
        )
    what = "The key is not this source's." if key else "There is no key."
    raise Fault(401, what, where="header Authorization", how=HOW, headers=(("WWW-Authenticate", "Bearer"),))


def check_signature(source: KnownSource, environ: dict[str, Any], body: Body) -> str:
    """The webhook-id of a signed request. Fault 401; 503 when the secrets cannot be opened here."""
    bodies = [body.plain] if body.plain is body.wire else [body.plain, body.wire]
    try:
        return _verified(source, environ, bodies)
    except Fault:
        now = sources.again(source)
        if now is None:
            raise
        return _verified(now, environ, bodies)


def check_active(source: KnownSource) -> None:
    """Fault 403 for a source that is switched off."""
    if not source.row.is_active:
        raise Fault(403, "This source is switched off.", where="the source", how="Switch it on under Sources.")


def _verified(source: KnownSource, environ: dict[str, Any], bodies: list[bytes]) -> str:
    secrets = source.signing
    if secrets is None:
        raise unavailable("The signing secrets cannot be opened.", seconds=60)
    return signatures.verify(environ, bodies, secrets)


def _fits(source: KnownSource, key: str) -> bool:
    return not source.row.signed_only and hmac.compare_digest(source.row.key.encode(), key.encode(errors="replace"))


def _user(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode(errors="replace").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
