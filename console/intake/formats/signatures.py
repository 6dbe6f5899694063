"""
Standard Webhooks, verifying: https://github.com/standard-webhooks/standard-webhooks, version 1.

`v1` is HMAC-SHA256 under a shared secret ("whsec_" and base64), `v1a` Ed25519 under a public key ("whpk_" and base64).
Any secret in force and any signature in the header may match, so that secrets can be rotated.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from console.intake.answers import Fault

TOLERANCE_SECONDS = 300
MAX_SIGNATURES = 20
HEADERS = ("HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_WEBHOOK_SIGNATURE")


def is_signed(environ: dict[str, Any]) -> bool:
    """Whether the request claims to be signed: one of the three headers is enough to have it verified."""
    return any(header in environ for header in HEADERS)


def verify(environ: dict[str, Any], bodies: Sequence[bytes], secrets: Sequence[str]) -> str:
    """
    The webhook-id of a request of which one of `bodies` (as it travelled, inflated) carries a valid signature.

    Fault 401 when a header is missing or malformed, the clock is off by more than TOLERANCE_SECONDS either way, or no
    signature fits any secret.
    """
    id, timestamp, signatures = (environ.get(header, "").strip() for header in HEADERS)
    for name, value in (("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures)):
        if not value:
            raise _fault(
                "The signature is incomplete.", f"header {name}", "Send webhook-id, -timestamp and -signature."
            )
    if len(id) > 256 or not id.isascii() or not id.isprintable():
        raise _fault("The webhook-id is not usable.", "header webhook-id", "Send at most 256 ASCII characters.")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise _fault("The timestamp is not one.", "header webhook-timestamp", "Send seconds since 1970.")
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        raise _fault(
            f"The timestamp is more than {TOLERANCE_SECONDS} s off.", "header webhook-timestamp", "Set the clock."
        )
    if not secrets:
        raise _fault(
            "This source has no signing secret.", "header webhook-signature", "Add the sender's secret to the source."
        )
    given = [part.split(",", 1) for part in signatures.split(" ")[:MAX_SIGNATURES] if "," in part]
    for body in bodies:
        signed = b"%s.%s.%s" % (id.encode(), timestamp.encode(), body)
        if any(_fits(version, _decode(text), signed, secrets) for version, text in given):
            return id
    raise _fault("No signature fits.", "header webhook-signature", "Sign the body as sent, with a secret in force.")


def _fits(version: str, signature: bytes, signed: bytes, secrets: Sequence[str]) -> bool:
    if version == "v1":
        keys = [key for secret in secrets for key in _keys(secret)]
        matches = [hmac.compare_digest(hmac.digest(key, signed, sha256), signature) for key in keys]
        return any(matches)
    return version == "v1a" and any(_ed25519(secret, signature, signed) for secret in secrets)


@lru_cache(maxsize=256)
def _keys(secret: str) -> tuple[bytes, ...]:
    """The HMAC keys a secret may stand for; one without prefix may be base64 or plain text."""
    if secret.startswith(("whpk_", "whsk_")):
        return ()
    decoded = _decode(secret.removeprefix("whsec_"))
    return tuple(key for key in (decoded, b"" if secret.startswith("whsec_") else secret.encode()) if key)


def _ed25519(secret: str, signature: bytes, signed: bytes) -> bool:
    if not secret.startswith("whpk_"):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(_decode(secret.removeprefix("whpk_"))).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _fault(what: str, where: str, how: str) -> Fault:
    return Fault(401, what, where=where, how=how)
