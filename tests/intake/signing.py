"""Signing as a sender does, written from the specification apart from what verifies."""

import base64
import hashlib
import hmac
import time


def signed(secret, body, *, id="msg_1", shift=0):
    """The three headers of Standard Webhooks for `body`, stamped `shift` seconds from now."""
    key = secret.encode() if " " in secret else base64.b64decode(secret.removeprefix("whsec_"))
    moment = int(time.time()) + shift
    digest = hmac.new(key, f"{id}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(moment),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
