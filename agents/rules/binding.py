"""What a yes binds: one hash over all that must still be true when the action is sent."""

from __future__ import annotations

import hashlib

SEPARATOR = b"\x1f"


def bind(*, payload_hash: bytes, connection: str, target: str, play: str, clause: str, needed: int = 1) -> bytes:
    """SHA-256 over payload, connection as configured, target, play with version, the clause that asked, and how many
    persons it asks."""
    parts = [payload_hash.hex(), connection, target, play, clause]
    if needed > 1:
        parts.append(str(needed))
    return hashlib.sha256(SEPARATOR.join(hashlib.sha256(part.encode()).digest() for part in parts)).digest()
