"""API tokens: made, shown once, found by their keyed hash, revoked. Who asks with one, and what it lets them do."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import authentication, exceptions

from agents import access
from approvals.models import ApiToken, Person
from audit.entries import Line, record
from console import lockout, security

VERBS = (access.SEE, access.PAUSE, access.TAKE, access.RESEND)
"""What a token may be given. Approving stays with people who are signed in."""
LONGEST_DAYS = 365
SHAPE = re.compile(r"sb_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
UNKNOWN = "unknown"


def make(
    person: Person,
    *,
    name: str,
    verbs: Sequence[str],
    expires_at: datetime,
    actor: str,
    agents: Sequence[str] = (),
    regions: Sequence[str] = (),
    segments: Sequence[str] = (),
) -> tuple[ApiToken, str]:
    """A token that acts in the person's name, and its text, which is nowhere else. ValueError: a verb or time amiss."""
    if not verbs or set(verbs) - set(VERBS):
        raise ValueError(f"A token may be given some of {', '.join(VERBS)}.")
    if not timezone.now() < expires_at <= timezone.now() + timedelta(days=LONGEST_DAYS, hours=1):
        raise ValueError(f"A token expires within {LONGEST_DAYS} days.")
    while True:
        prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        text = f"sb_{prefix}_{secret}"
        try:
            with transaction.atomic():
                token = ApiToken.objects.create(
                    person=person, name=name, prefix=prefix, digest=_digest(text), verbs=list(verbs),
                    agents=list(agents), regions=list(regions), segments=list(segments), expires_at=expires_at,
                )  # fmt: skip
                _note("token.created", token, actor=actor, verbs=list(verbs), until=f"{expires_at:%Y-%m-%d}")
        except IntegrityError:
            if not ApiToken.objects.filter(prefix=prefix).exists():
                raise
            continue
        return token, text


def revoke(token: ApiToken, *, actor: str) -> bool:
    """Stop it at once; False if it was revoked before."""
    with transaction.atomic():
        if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return False
        _note("token.revoked", token, actor=actor)
    return True


def _note(verb: str, token: ApiToken, *, actor: str, **detail: Any) -> None:
    said = {"name": token.name, "prefix": f"sb_{token.prefix}", "person": token.person.actor, **detail}
    record(Line(verb, f"token:{token.pk}", actor, detail=said))
    security.tell(
        token.person, verb, by=actor, **{key: said[key] for key in ("name", "prefix")}, until=said.get("until")
    )


def find(text: str) -> ApiToken | None:
    """The token whose text this is, whatever its state; None for what is no token's."""
    shape = SHAPE.fullmatch(text)
    kept = ApiToken.objects.select_related("person").filter(prefix=shape[1]).first() if shape else None
    return kept if kept and hmac.compare_digest(bytes(kept.digest), _digest(text)) else None


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), key=settings.IDENTITY_KEY, digest_size=32, person=b"api-token").digest()


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer sb_…`. 401 for a token that does not work, 429 once too many wrong ones were tried."""

    def authenticate(self, request: Any) -> tuple[Person, ApiToken] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        kind, _, text = header.partition(" ")
        if kind.lower() != "bearer":
            raise exceptions.AuthenticationFailed("Send “Authorization: Bearer” and the token.")
        return self._person(request._request, text.strip())

    def _person(self, request: HttpRequest, text: str) -> tuple[Person, ApiToken]:
        token = find(text)
        shape = SHAPE.fullmatch(text)
        known = shape and (token or ApiToken.objects.filter(prefix=shape[1]).exists())
        key = shape[1] if shape and known else UNKNOWN
        locked = lockout.locked(request, lockout.TOKEN, key)
        if not locked and token is None:
            locked = lockout.wrong(request, lockout.TOKEN, key)
        request.axes_locked_out = False  # type: ignore[attr-defined]
        if locked:
            raise exceptions.Throttled(
                settings.AXES_COOLOFF_TIME.total_seconds(), "Too many wrong tokens came from here."
            )
        if token is None:
            raise exceptions.AuthenticationFailed("This token is not known here.")
        if token.state() != "works":
            why = "has expired" if token.state() == "expired" else "was revoked"
            raise exceptions.AuthenticationFailed(f"The token “{token.name}” {why}.")
        if not token.person.is_active:
            raise exceptions.AuthenticationFailed("The sign-in of this token's person is closed.")
        self._used(token)
        return token.person, token

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="Signalbox"'

    def _used(self, token: ApiToken) -> None:
        now = timezone.now()
        if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
