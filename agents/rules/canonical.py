"""The bytes that are hashed, and the keyed hash that stands for a person."""

from __future__ import annotations

import hashlib
import unicodedata
from contextlib import suppress
from typing import Any

import orjson
import rfc8785

from agents.rules.text import ascii_domain

EXACT = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def canonical_bytes(payload: Any) -> bytes:
    """RFC 8785 bytes of JSON data. ValueError for what JSON can't carry exactly: an integer beyond 2^53 (send it as
    text), NaN, a lone surrogate, a key that is not text."""
    try:
        return orjson.dumps(payload, option=EXACT) if _plain(payload) else rfc8785.dumps(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not exact JSON: {error}") from error


def payload_hash(payload: dict[str, Any]) -> bytes:
    """sha256 of the payload's RFC 8785 bytes (32 bytes)."""
    return hashlib.sha256(canonical_bytes(payload)).digest()


def identity_hash(key: bytes, who: str) -> bytes:
    """16 bytes that stand for a person: keyed BLAKE2b of the e-mail or name after NFKC, case folding and strip; an
    e-mail's domain in ASCII, as mail goes there.

    `key` is 1 to 64 secret bytes; ValueError for an empty or longer one, so that no hash is ever unkeyed.
    """
    if not key:
        raise ValueError("identity_hash needs a key")
    plain = unicodedata.normalize("NFKC", who).strip()
    normal = unicodedata.normalize("NFKC", plain.casefold()).strip()
    domain = plain.rpartition("@")[2]
    if "@" in plain and not domain.isascii():
        with suppress(ValueError):
            normal = f"{normal.rpartition('@')[0]}@{ascii_domain(domain)}"
    return hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=16, key=key).digest()


def _plain(value: Any) -> bool:
    """Whether orjson writes exactly the bytes of RFC 8785: no floats, and keys whose order is the same in UTF-16."""
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and key.isascii() and _plain(member) for key, member in value.items())
    if kind is list:
        return all(map(_plain, value))
    return kind is str or kind is int or kind is bool or value is None
