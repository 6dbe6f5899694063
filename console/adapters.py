"""How allauth signs people in here: by e-mail, nobody signs themselves up, and every sign-in is in the record."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from agents import sealed
from approvals.models import Person, Role
from audit.entries import Line, record
from console import lockout
from console.views import page

LANDING: dict[str, str] = {Role.REP: "/inbox", Role.OWNER: "/agents?owner=me"}
"""Where a person starts who asked for no page; everyone else on Home."""


class AccountAdapter(DefaultAccountAdapter):
    """No sign-up, no mails and messages of allauth's own; each sign-in is recorded in its own transaction."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        """After the way in only the second step; nothing is mailed to get in."""
        return ["allauth.mfa.stages.AuthenticateStage"]

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Our views ask `step_up.fresh` themselves."""
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our views say what happened."""

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return LANDING.get(getattr(request.user, "role", ""), "/")

    def is_safe_url(self, url: str) -> bool:
        """Only a path of ours is gone on to; allauth's own fails on what can't be read."""
        return page.is_path(url)

    def get_client_ip(self, request: HttpRequest) -> str:
        return str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        raise PermissionDenied("This sign-in is closed. Ask an admin.")

    def login(self, request: HttpRequest, user: Any) -> None:
        """Sign in and write down by which ways, in one transaction."""
        ways = [way(seen) for seen in get_authentication_records(request, user)]
        with transaction.atomic():
            super().login(request, user)
            record(Line("person.signed_in", user.actor, user.actor, detail={"by": ways}))
        lockout.forget(lockout.CODE, user.pk)


def way(seen: dict[str, Any]) -> str:
    """A way of showing who one is, in a word: password, totp, recovery_codes, webauthn, provider."""
    return {"mfa": str(seen.get("type")), "socialaccount": "provider"}.get(str(seen["method"]), str(seen["method"]))


class SecondStepAdapter(DefaultMFAAdapter):
    """Secrets of second steps are sealed under `SIGNALBOX_ENCRYPTION_KEYS`."""

    def encrypt(self, text: str) -> str:
        return sealed.seal({"secret": text})

    def decrypt(self, encrypted_text: str) -> str:
        return str(sealed.open_sealed(encrypted_text)["secret"])

    def _get_site_name(self) -> str:
        return "Signalbox"

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        person: Person = user
        return {"id": str(person.pk).encode(), "display_name": person.name, "name": person.email}
