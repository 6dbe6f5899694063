"""Confirming: showing again who one is, with password, code or passkey, before what matters most."""

from typing import Any

from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from approvals.models import Person
from console import lockout, oidc, passkeys, second_step, step_up
from console.views import page
from console.views.page import signed_in

LOCKED = "Too many wrong tries."


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password", "autofocus": True}),
    )


class CodeForm(forms.Form):
    code = second_step.code_field("Code of your app, or a recovery code")


@never_cache
@sensitive_post_parameters()
def confirm(request: HttpRequest) -> HttpResponse:
    """Which ways the person has; after the right one, back to `next` with word that nothing was done yet."""
    person = signed_in(request)
    steps = second_step.of(person)
    password = PasswordForm(request.POST if "password" in request.POST else None)
    code = CodeForm(request.POST if "code" in request.POST else None)
    passkey = passkeys.ConfirmForm(request.POST if "credential" in request.POST else None, user=person)
    if request.method == "POST" and _confirmed(request, person, password, code, passkey):
        asked = request.session.pop(step_up.PENDING, {})
        said = "Nothing was done yet: press it once more." if asked.get("form") else ""
        messages.success(request, f"Thank you, it is you. {said}".strip())
        return page.back(request, "home")
    if request.method == "GET" and step_up.fresh(request):
        return page.back(request, "home")
    then = page.next_page(request)
    context = {
        "password": password if person.has_usable_password() else None,
        "code": code if steps.app or steps.codes else None,
        "passkey": passkey if steps.passkeys and passkeys.possible(request) else None,
        "options": webauthn.begin_authentication(person) if steps.passkeys else None,
        **(oidc.button(then, again=True) if oidc.is_linked(person) else {}),
        "next": then,
        "what": request.session.get(step_up.PENDING, {}).get("what", ""),
        "minutes": settings.STEP_UP_SECONDS // 60,
    }
    return page.render(request, "sign_in/confirm.html", context, status=422 if request.method == "POST" else 200)


def _confirmed(request: HttpRequest, person: Person, password: Any, code: Any, passkey: Any) -> bool:
    """Whether one of the forms was sent and is right; marks the session then. Wrong passwords and codes are counted."""
    if passkey.is_bound:
        if passkey.is_valid():
            passkey.save()
        return bool(passkey.is_valid())
    form = password if password.is_bound else code
    if not form.is_valid():
        return False
    if lockout.locked(request, lockout.AGAIN, person.pk):
        form.add_error(None, ValidationError(LOCKED))
        return False
    if password.is_bound and person.check_password(form.cleaned_data["password"]):
        step_up.mark(request)
    elif code.is_bound and (kept := second_step.check_code(person, form.cleaned_data["code"])):
        step_up.mark(request, "mfa", type=kept.type, id=kept.pk)
    else:
        lockout.wrong(request, lockout.AGAIN, person.pk)
        wrong = "That password is not right." if password.is_bound else second_step.WRONG_CODE
        form.add_error(None, ValidationError(wrong))
        return False
    lockout.forget(lockout.AGAIN, person.pk)
    return True
