"""A person's own sign-in: second steps, recovery codes, passkeys, and where they are signed in."""

import base64

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from agents import sealed
from console import oidc, passkeys, second_step, security, sessions, sign_in_rules, step_up
from console.typed import counted
from console.views import page
from console.views.page import signed_in

NEW_APP = "new_app"
KEEP_CODES = "Keep your recovery codes where you find them without your phone: each gets you in once."


class AppForm(forms.Form):
    code = second_step.code_field("The code it shows")


@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    context = {
        "steps": second_step.of(person),
        "sessions": sessions.of(person, request),
        "possible": passkeys.possible(request),
        "provider": oidc.provider_name() if oidc.is_linked(person) else "",
        "needed": sign_in_rules.asks(person),
    }
    return page.render(request, "me/security.html", context)


@never_cache
@step_up.required("to set up an authenticator app")
def add_app(request: HttpRequest) -> HttpResponse:
    """A new secret as QR code and text; it is taken up once the app gives the right code."""
    person = signed_in(request)
    form = AppForm(request.POST or None)
    secret = sealed.open_sealed(request.session.get(NEW_APP, "")).get("secret", "")
    if request.method == "POST" and secret and form.is_valid():
        try:
            made = second_step.add_app(person, secret=secret, code=form.cleaned_data["code"])
        except ValidationError as error:
            form.add_error("code" if hasattr(error, "error_dict") else None, error.messages)
        else:
            del request.session[NEW_APP]
            messages.success(request, f"Your authenticator app is set up. {KEEP_CODES if made else ''}".strip())
            return page.redirect(request, "recovery-codes" if made else "security")
    if request.method == "GET" or not secret:
        secret = generate_totp_secret()
        request.session[NEW_APP] = sealed.seal({"secret": secret})
    url = get_adapter().build_totp_url(person, secret)
    picture = base64.b64encode(get_adapter().build_totp_svg(url).encode()).decode()
    context = {"form": form, "picture": f"data:image/svg+xml;base64,{picture}", "secret": _in_fours(secret)}
    return page.render(request, "me/app.html", context, status=422 if form.errors else 200)


def _in_fours(text: str) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


@never_cache
@step_up.required("to see your recovery codes")
def codes(request: HttpRequest) -> HttpResponse:
    """The codes that are left; a POST makes new ones."""
    person = signed_in(request)
    if request.method == "POST":
        try:
            second_step.new_codes(person)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return page.redirect(request, "security")
        messages.success(request, "These are your new recovery codes. Those before no longer work.")
        return page.redirect(request, "recovery-codes")
    kept = second_step.of(person).codes
    left = kept.wrap().get_unused_codes() if kept else []
    return page.render(request, "me/codes.html", {"codes": [f"{code[:4]} {code[4:]}" for code in left]})


@never_cache
@step_up.required("to add a passkey")
def add_passkey(request: HttpRequest) -> HttpResponse:
    """The script asks the browser for a passkey and sends what it answers."""
    person = signed_in(request)
    form = passkeys.AddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = passkeys.guarded(lambda: second_step.add_passkey(person, **given))
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"“{given['name']}” is set up. {KEEP_CODES if made else ''}".strip())
            return page.redirect(request, "recovery-codes" if made else "security")
    context = {
        "form": form,
        "options": webauthn.begin_registration(person, True),
        "possible": passkeys.possible(request),
    }
    return page.render(request, "me/passkey.html", context, status=422 if form.errors else 200)


@require_POST
@step_up.required("to remove it", back="security")
def remove_step(request: HttpRequest, pk: int) -> HttpResponse:
    person = signed_in(request)
    kept = get_object_or_404(Authenticator.objects.exclude(type=second_step.CODES), user=person, pk=pk)
    try:
        second_step.remove(person, kept, needed=sign_in_rules.asks(person))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, "It is removed: it no longer gets anyone in.")
    return page.redirect(request, "security")


@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """`session` names one; without it all but this one end."""
    person = signed_in(request)
    others = UserSession.objects.filter(user=person).exclude(session_key=request.session.session_key)
    named = request.POST.get("session", "")
    chosen = others.filter(pk=counted(named)) if named else others
    with transaction.atomic():
        ended = sessions.end(chosen)
        if ended:
            security.note("person.session_ended", person, actor=person.actor, count=ended)
    messages.success(request, "Signed out there." if ended else "It was signed out already.")
    return page.redirect(request, "security")
