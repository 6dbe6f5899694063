"""
Too many wrong tries lock, whatever was tried: kept in PostgreSQL by axes, told in the record.

A password is locked for the address that tried it, so that a stranger keeps nobody from a pause. What comes after the
password (a code, showing again who one is) is locked for the person, from wherever it is tried: whoever gets that far
already knows the password. A passkey can't be guessed, so it still lets its owner in. A token is locked by its prefix,
for the address that tried it.
"""

from collections.abc import Mapping
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.db import transaction
from django.http import HttpRequest

from approvals.models import Person
from audit.entries import Line, record
from console import security

CODE = "code"
AGAIN = "again"
TOKEN = "token"  # noqa: S105
ANYWHERE = (CODE, AGAIN)
"""What is locked for the person, from any address."""
WHAT = {CODE: "code", AGAIN: "confirmation"}
"""What was tried, in a word; else a password."""


def parameters(request_or_attempt: Any, credentials: Mapping[str, Any] | None = None) -> list[Any]:
    """For axes: which tries count together."""
    name = (credentials or {}).get("username") or getattr(request_or_attempt, "username", None) or ""
    return ["username"] if name.partition(":")[0] in ANYWHERE else [["username", "ip_address"]]


def locked(request: HttpRequest, kind: str, key: object) -> bool:
    """Whether this may not even be tried now; if so the answer becomes the page that says so (429)."""
    credentials = _credentials(kind, key)
    if AxesProxyHandler.is_allowed(request, credentials):
        return False
    request.axes_locked_out, request.axes_credentials = True, credentials  # type: ignore[attr-defined]
    return True


def wrong(request: HttpRequest, kind: str, key: object) -> bool:
    """Count a wrong try; whether it was the one that locks. The answer is then 429."""
    AxesProxyHandler.user_login_failed(sender=kind, credentials=_credentials(kind, key), request=request)
    return bool(getattr(request, "axes_locked_out", False))


def forget(kind: str, key: object) -> None:
    """Start counting again: it was right."""
    AxesProxyHandler.reset_attempts(username=f"{kind}:{key}")


def note_lock(sender: Any, *, request: HttpRequest, username: str | None, **kwargs: Any) -> None:
    """One entry and one mail when the lock falls, none for tries while it stands, and none of what is nobody's."""
    tries = getattr(request, "axes_failures_since_start", None)
    kind, _, key = (username or "").partition(":")
    if not tries or kind == TOKEN:
        return
    known = {"pk": key} if kind in ANYWHERE else {"email": username}
    if person := Person.objects.filter(**known).first():
        with transaction.atomic():
            what = WHAT.get(kind, "password")
            record(Line("person.locked", person.actor, "worker:sign-in", detail={"tries": tries, "what": what}))
            security.tell(person, "person.locked", what=what)


def _credentials(kind: str, key: object) -> dict[str, str]:
    return {"username": f"{kind}:{key}"}
