"""Secrets at rest: MultiFernet under the keys of `SIGNALBOX_ENCRYPTION_KEYS`, the first of which encrypts."""

from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class KeyMissing(Exception):
    """No configured key opens this secret."""

    def __str__(self) -> str:
        return "No key in SIGNALBOX_ENCRYPTION_KEYS opens its secrets; put the old key back, last."


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


def seal(value: dict[str, Any]) -> str:
    """Encrypt a JSON object under the first key; an empty one stays empty."""
    return _keys().encrypt(orjson.dumps(value)).decode() if value else ""


def open_sealed(token: str) -> dict[str, Any]:
    """Decrypt what `seal` gave; raises KeyMissing when no key fits."""
    if not token:
        return {}
    try:
        value: dict[str, Any] = orjson.loads(_keys().decrypt(token.encode()))
    except InvalidToken as error:
        raise KeyMissing(
            "No key in SIGNALBOX_ENCRYPTION_KEYS opens this secret; put the old key back, last."
        ) from error
    return value


def reseal(token: str) -> str:
    """The same secret under the first key: the step that lets an old key go."""
    return _keys().rotate(token.encode()).decode() if token else ""
