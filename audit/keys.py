"""Keys of the record: Ed25519 in C2SP's signed-note encodings.

The signing key lives in one file under `settings.VAR`, made at first start, readable by its owner alone; the database
holds public keys only, so whoever can write the database cannot sign.
"""

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

_ED25519 = b"\1"


class KeyFormatError(ValueError):
    """Text that is no key in C2SP's encoding."""


class Verifier(NamedTuple):
    """A public key with its name. `key_id` is C2SP's 4-byte hint, not proof of anything."""

    name: str
    key_id: bytes
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read `<name>+<hex key id>+<base64 key>`; KeyFormatError otherwise, or when the id is not the key's."""
        try:
            name, hint, encoded = vkey.strip().split("+", 2)
            key = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise KeyFormatError(f"not a verifier key: {vkey!r}") from error
        if not name or key[:1] != _ED25519 or len(key) != 33 or hint != key_id(name, key[1:]).hex():
            raise KeyFormatError(f"not an Ed25519 verifier key: {vkey!r}")
        return cls(name, bytes.fromhex(hint), key[1:])

    @property
    def vkey(self) -> str:
        """The key as text, which is not secret."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` over `message` is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key with its name."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes_raw()
        self.verifier = Verifier(name, key_id(name, public), public)

    @property
    def name(self) -> str:
        """The key's name, which is the origin of the checkpoints it signs."""
        return self.verifier.name

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        return self._private.sign(message)

    @classmethod
    def make(cls, name: str) -> "Signer":
        """A new key."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read what `secret` gave; KeyFormatError otherwise."""
        try:
            head, form, name, hint, encoded = text.strip().split("+", 4)
            key = base64.b64decode(encoded, validate=True)
            if (head, form, key[:1]) != ("PRIVATE", "KEY", _ED25519):
                raise ValueError("another kind of key")
            signer = cls(name, key[1:])
        except ValueError as error:
            raise KeyFormatError("the signing key's file holds no Ed25519 key in C2SP's encoding") from error
        if hint != signer.verifier.key_id.hex():
            raise KeyFormatError("the signing key's id is not its own")
        return signer

    def secret(self) -> str:
        """The private key as text, for its file."""
        seed = base64.b64encode(_ED25519 + self._private.private_bytes_raw()).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{seed}\n"


def key_id(name: str, public: bytes) -> bytes:
    """C2SP's key id of an Ed25519 key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def key_file() -> Path:
    """Where the signing key lives."""
    return Path(settings.VAR) / "keys" / "seal.key"


def signer(conn: Any) -> Signer:
    """This installation's signer: made, mode 0600, when there is none; its public key written to `audit_key`.

    A new key keeps the name that the database's record already has. OSError when the file cannot be read or made.
    """
    path = key_file()
    if not path.exists():
        known = conn.execute("select vkey from audit_key order by at limit 1").fetchone()
        name = Verifier.parse(known[0]).name if known else f"signalbox/{secrets.token_hex(4)}"
        write_once(path, Signer.make(name).secret())
    made = Signer.parse(path.read_text())
    conn.execute("insert into audit_key (vkey) values (%s) on conflict do nothing", [made.verifier.vkey])
    return made


def write_once(path: Path, text: str) -> None:
    """Write a private file whole or not at all; a file that is there already wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
