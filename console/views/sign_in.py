"""Signing in and out, and getting a password back."""

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator

from approvals.models import Person
from console import lockout, oidc, passkeys, security, step_up
from console.adapters import LANDING
from console.views import page


class SignInForm(AuthenticationForm):
    """E-mail and password. One answer for every wrong pair, so that nobody learns who is here."""

    error_messages = {
        "invalid_login": "That e-mail and password do not belong together. Passwords mind upper and lower case.",
        "inactive": "That e-mail and password do not belong together. Passwords mind upper and lower case.",
    }

    username = forms.EmailField(
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "username webauthn", "inputmode": "email", "autofocus": True}),
    )

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "E-mail"


@method_decorator(login_not_required, name="dispatch")
class SignIn(auth.LoginView):
    """Sign in by e-mail; a rep lands in the Inbox, an owner on their own agents, everyone else on Home."""

    template_name = "sign_in/sign_in.html"
    form_class = SignInForm
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A fragment's request was sent here because its session ended: let the whole page come here instead.
        if getattr(request, "htmx", False) and request.method == "GET":
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return super().dispatch(request, *args, **kwargs)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        return page.next_page(request or self.request)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        person: Any = form.get_user()
        login = Login(user=person, redirect_url=self.get_redirect_url() or None)
        return perform_password_login(self.request, {}, login)

    def get_default_redirect_url(self) -> str:
        return LANDING.get(getattr(self.request.user, "role", ""), "/")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            nobody_yet=not Person.objects.exists(),
            possible=passkeys.possible(self.request),
            **oidc.button(self.get_redirect_url()),
            **kwargs,
        )


class SignOut(auth.LogoutView):
    """POST only; then the sign-in page."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic():
            if request.user.is_authenticated:
                security.note("person.signed_out", request.user, actor=request.user.actor)
            return super().post(request, *args, **kwargs)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        return page.next_page(request or self.request)


class PasswordChangeForm(auth_forms.PasswordChangeForm):
    """Asks for the old password, and counts wrong ones like every other way of showing who one is."""

    def __init__(self, user: Any, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        if lockout.locked(self.request, lockout.AGAIN, self.user.pk):
            raise ValidationError("Too many wrong tries.")
        try:
            old = str(super().clean_old_password())
        except ValidationError:
            lockout.wrong(self.request, lockout.AGAIN, self.user.pk)
            raise
        lockout.forget(lockout.AGAIN, self.user.pk)
        return old


class PasswordChange(auth.PasswordChangeView):
    template_name = "sign_in/password.html"
    form_class = PasswordChangeForm
    success_url = reverse_lazy("settings")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            security.note("person.changed", form.user, actor=form.user.actor, fields=["password"])
        step_up.mark(self.request)
        UserSession.objects.create_from_request(self.request)
        messages.success(self.request, "Your password is changed. Other devices are signed out.")
        return response


@method_decorator(login_not_required, name="dispatch")
class PasswordReset(auth.PasswordResetView):
    """Answers the same whether or not the e-mail is known. The link carries the configured address, not Host."""

    template_name = "sign_in/reset.html"
    extra_email_context = {"base_url": settings.BASE_URL}
    email_template_name = "sign_in/reset_mail.txt"
    subject_template_name = "sign_in/reset_subject.txt"
    success_url = reverse_lazy("password-reset-sent")


@method_decorator(login_not_required, name="dispatch")
class PasswordResetSent(auth.PasswordResetDoneView):
    template_name = "sign_in/reset_sent.html"


@method_decorator(login_not_required, name="dispatch")
class PasswordResetSet(auth.PasswordResetConfirmView):
    """The link of the mail: set a new password once."""

    template_name = "sign_in/reset_set.html"
    success_url = reverse_lazy("sign-in")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            security.note("person.changed", form.user, actor=form.user.actor, fields=["password"])
        messages.success(self.request, "Your new password is set.")
        return response
