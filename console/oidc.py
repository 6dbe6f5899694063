"""
Sign-in with a company's own OpenID Connect provider, by configuration (`SIGNALBOX_OIDC_…`).

The provider must vouch for the e-mail, and the e-mail be of an allowed domain. Someone who is here already by that
e-mail is linked, once, and told; someone new is let in only where a role for newcomers is configured. ID tokens are
checked by signature, issuer, audience and time however they came.
"""

from typing import Any
from urllib.parse import urlencode

import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from agents.changes.person import create_person
from approvals.models import Person
from console import security
from console.env import OIDC_ID, Oidc

log = structlog.get_logger(__name__)
ACTOR = "worker:sign-in"


def provider_name() -> str:
    """What the button says; "" while no provider is configured."""
    return settings.ENV.oidc.name if settings.ENV.oidc else ""


def is_linked(person: Person) -> bool:
    """Whether the person has signed in with the provider."""
    return bool(settings.ENV.oidc) and SocialAccount.objects.filter(user=person).exists()


def configured() -> Oidc:
    """The provider; only where there is one."""
    oidc: Oidc | None = settings.ENV.oidc
    if oidc is None:
        raise OAuth2Error("no provider is configured")
    return oidc


def button(then: str, *, again: bool = False) -> dict[str, str]:
    """What a page needs to offer the provider on the way to `then`; `again` has it ask who they are anew."""
    if not settings.ENV.oidc:
        return {}
    query = {**({"next": then} if then else {}), **({"again": "1"} if again else {})}
    address = reverse("openid_connect_login", args=[OIDC_ID])
    return {"provider": provider_name(), "provider_url": f"{address}?{urlencode(query)}" if query else address}


class Provider(OpenIDConnectOAuth2Adapter):
    """The conversation with the provider, stricter than allauth's own."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """Its metadata, which must be that of the configured issuer."""
        config: dict[str, Any] = super().openid_config
        if str(config["issuer"]).rstrip("/") != configured().issuer:
            raise OAuth2Error(f"the metadata is of the issuer {config['issuer']}")
        return config

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Only an ID token that holds counts; userinfo may add to it, if it is of the same subject."""
        given = kwargs["response"].get("id_token")
        if not given:
            raise OAuth2Error("no ID token came")
        claims = jwtkit.verify_and_decode(
            credential=given,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )
        if "email" not in claims and "userinfo_endpoint" in self.openid_config:
            more = self._fetch_user_info(token.token)
            if more.get("sub") != claims["sub"]:
                raise OAuth2Error("userinfo is of another subject")
            claims = {**more, **claims}
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        path = reverse("openid_connect_callback", args=[self.provider_id])
        return f"{settings.ENV.base_url}{path}" if settings.ENV.base_url else request.build_absolute_uri(path)


class Adapter(DefaultSocialAccountAdapter):
    """Who may come in by the provider."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Check, link or make the person; else back to sign-in with why."""
        claims = sociallogin.account.extra_data.get("id_token", {})
        sociallogin.account.extra_data = {}
        email = str(claims.get("email") or "").strip()
        why = _refused(claims, email)
        if why:
            raise refusal(request, why)
        if sociallogin.is_existing:
            sociallogin.account.save()
            return
        try:
            person = _person(claims, email)
        except ValidationError as fault:
            raise refusal(request, "Your provider says too little, or what can't be taken.") from fault
        if person is None:
            raise refusal(request, f"Nobody here has the e-mail {email}. Ask an admin to invite you.")
        if not person.is_active:
            raise refusal(request, "This sign-in is closed. Ask an admin.")
        _link(sociallogin, person)

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        log.warning("oidc_failed", error=str(error), why=str(exception or "")[:300])
        raise refusal(request, f"{provider_name()} did not let you in, or its answer does not hold. Try again.")


def _refused(claims: dict[str, Any], email: str) -> str:
    if not email or claims.get("email_verified") not in (True, "true"):
        return f"{provider_name()} does not vouch for your e-mail."
    if email.rpartition("@")[2].lower() not in configured().domains:
        return "Your e-mail is of a domain that may not sign in here."
    return ""


def _person(claims: dict[str, Any], email: str) -> Person | None:
    found = Person.objects.filter(email__iexact=email, is_demo=False).first()
    if found or not configured().role:
        return found
    name = str(claims.get("name") or email.partition("@")[0])[:120]
    with transaction.atomic():
        made = create_person(actor=ACTOR, email=email, name=name, role=configured().role)
        made.set_unusable_password()
        made.save(update_fields=["password"])
    return made


def _link(sociallogin: SocialLogin, person: Person) -> None:
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        sociallogin.user = sociallogin.account.user = person
        sociallogin.account.save()
        security.note("person.linked", person, actor=person.actor, provider=provider_name())


def refusal(request: HttpRequest, why: str) -> ImmediateHttpResponse:
    """Back to sign-in, saying why."""
    messages.error(request, why)
    answer: HttpResponse = redirect("sign-in")
    return ImmediateHttpResponse(answer)
