"""The address in every mail under which its reader is put on the do-not-contact list."""

from django.conf import settings
from django.core.signing import BadSignature, Signer

SALT = "signalbox.unsubscribe"


def unsubscribe_url(contact: bytes) -> str:
    """Absolute, and valid for ever; it carries the keyed hash of the person, not the address."""
    return f"{settings.BASE_URL}/unsubscribe/{Signer(salt=SALT).sign(contact.hex())}"


def contact_of(token: str) -> bytes | None:
    """The keyed hash that `token` was made for; None when it was not made here."""
    try:
        return bytes.fromhex(Signer(salt=SALT).unsign(token))
    except (BadSignature, ValueError):
        return None
