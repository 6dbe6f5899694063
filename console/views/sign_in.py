"""Signing in and out, and getting a password back."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator

from approvals.models import Person, Role
from audit.entries import Line, record

LANDING: dict[str, str] = {Role.REP: "/inbox", Role.OWNER: "/agents?owner=me"}


def note(verb: str, person: Any, **detail: Any) -> None:
    """One line in the record of what a person did with their own account, in the transaction of the change."""
    record(Line(verb, person.actor, person.actor, detail=detail))


class SignInForm(AuthenticationForm):
    """E-mail and password. One answer for every wrong pair, so that nobody learns who is here."""

    error_messages = {
        "invalid_login": "That e-mail and password do not belong together. Passwords mind upper and lower case.",
        "inactive": "That e-mail and password do not belong together. Passwords mind upper and lower case.",
    }

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "E-mail"
        self.fields["username"].widget.attrs.update({"type": "email", "autocomplete": "username", "inputmode": "email"})


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

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            note("person.signed_in", self.request.user)
        return response

    def get_default_redirect_url(self) -> str:
        return LANDING.get(getattr(self.request.user, "role", ""), "/")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(nobody_yet=not Person.objects.exists(), **kwargs)


class SignOut(auth.LogoutView):
    """POST only; then the sign-in page."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic():
            if request.user.is_authenticated:
                note("person.signed_out", request.user)
            return super().post(request, *args, **kwargs)


class PasswordChange(auth.PasswordChangeView):
    template_name = "sign_in/password.html"
    success_url = reverse_lazy("settings")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            note("person.changed", form.user, fields=["password"])
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
            note("person.changed", form.user, fields=["password"])
        messages.success(self.request, "Your new password is set.")
        return response
