"""Signing in: the second step after the password, and a passkey instead of it."""

from typing import Any

from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.webauthn.internal import flows
from allauth.mfa.webauthn.views import LoginWebAuthnView
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console import lockout, passkeys, second_step


@method_decorator(sensitive_post_parameters(), name="dispatch")
class Code(AuthenticateView):
    """A code of the app, a recovery code or a passkey, after the right password. Wrong codes lock it."""

    template_name = "sign_in/code.html"

    def form_valid(self, form: Any) -> HttpResponse:
        if isinstance(form, second_step.CodeForm):
            lockout.forget(lockout.CODE, form.user.pk)
        answer: HttpResponse = super().form_valid(form)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        steps = second_step.of(self.stage.login.user)
        return {**super().get_context_data(**kwargs), "steps": steps, "possible": passkeys.possible(self.request)}


@method_decorator([login_not_required, never_cache], name="dispatch")
class Passkey(LoginWebAuthnView):
    """GET gives the script its challenge; POST signs in. No second step follows: the passkey checked the person."""

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(self.request, passkeys.REFUSED)
        return redirect("sign-in")

    def form_valid(self, form: Any) -> HttpResponse:
        kept = form.cleaned_data["credential"]
        login = Login(user=kept.user, redirect_url=get_next_redirect_url(self.request))
        answer: HttpResponse = flows.perform_passwordless_login(self.request, kept, login)
        return answer
