"""A person's second steps: an authenticator app, recovery codes, passkeys. allauth keeps and checks them.

Every change is in the record and in a mail to the person, and asks for a fresh step-up first (the views see to it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.internal.flows import delete_dangling_recovery_codes
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from approvals.models import Person
from console import lockout, security, sessions

APP, CODES, PASSKEY = (
    Authenticator.Type.TOTP.value,
    Authenticator.Type.RECOVERY_CODES.value,
    Authenticator.Type.WEBAUTHN.value,
)
NAMES = {APP: "an authenticator app", CODES: "recovery codes", PASSKEY: "a passkey"}
WRONG_CODE = "That code is not right, or was used already. Wait for the next one and try again."


@dataclass(frozen=True)
class Steps:
    """What a person has set up."""

    app: Authenticator | None
    codes: Authenticator | None
    passkeys: tuple[Authenticator, ...]

    @property
    def any(self) -> bool:
        """Whether signing in takes a second step; recovery codes alone are none."""
        return bool(self.app or self.passkeys)

    @property
    def codes_left(self) -> int:
        return len(self.codes.wrap().get_unused_codes()) if self.codes else 0


def of(person: Person) -> Steps:
    """The second steps of a person, passkeys oldest first."""
    found = list(Authenticator.objects.filter(user=person).order_by("pk"))
    one = {kept.type: kept for kept in found}
    return Steps(one.get(APP), one.get(CODES), tuple(kept for kept in found if kept.type == PASSKEY))


def check_code(person: Person, code: str) -> Authenticator | None:
    """
    Which of a person's authenticator app and recovery codes this code is right for; None for neither.

    Each code is right once: the app's by the time step it stands for, under a lock, so that it holds across processes.
    """
    code = code.replace(" ", "").replace("-", "")
    with transaction.atomic():
        for kept in Authenticator.objects.select_for_update().filter(user=person).exclude(type=PASSKEY):
            kept.user = person
            if _uses_app_code(kept, code) if kept.type == APP else kept.wrap().validate_code(code):
                kept.refresh_from_db(fields=["data"])
                if kept.type == CODES:
                    security.note("person.code_used", person, actor=person.actor, left=of(person).codes_left)
                return kept
    return None


def _uses_app_code(kept: Authenticator, code: str) -> bool:
    step = _step_of(decrypt(kept.data["secret"]), code)
    if step is None or step <= kept.data.get("last_step", 0):
        return False
    kept.data["last_step"] = step
    kept.save(update_fields=["data"])
    return True


def _step_of(secret: str, code: str) -> int | None:
    steps = yield_hotp_counters_from_time()
    return next((step for step in steps if format_hotp_value(hotp_value(secret, step)) == code), None)


class CodeForm(AuthenticateForm):
    """The code of an app or a recovery code, after the password. 11 wrong ones lock this step for the person."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = code_field("Code")

    def clean_code(self) -> str:
        request: HttpRequest = context.request
        if lockout.locked(request, lockout.CODE, self.user.pk):
            raise ValidationError("Too many wrong codes.")
        code = str(self.cleaned_data["code"])
        kept = check_code(self.user, code)
        if kept is None:
            lockout.wrong(request, lockout.CODE, self.user.pk)
            raise ValidationError(WRONG_CODE)
        self.authenticator = kept
        return code


def code_field(label: str) -> forms.CharField:
    """A field for a code of six or eight digits."""
    attributes = {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
    return forms.CharField(label=label, max_length=20, widget=forms.TextInput(attrs=attributes))


def add_app(person: Person, *, secret: str, code: str) -> bool:
    """Take this app up, once it gives the right code; whether recovery codes were made with it. ValidationError."""
    step = _step_of(secret, code.replace(" ", ""))
    if step is None:
        raise ValidationError({"code": WRONG_CODE})
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        if of(person).app:
            raise ValidationError("You already have an authenticator app. Remove it first.")
        kept = TOTP.activate(person, secret).instance
        kept.data["last_step"] = step
        kept.save(update_fields=["data"])
        return _added(person, APP)


def add_passkey(person: Person, *, name: str, credential: Mapping[str, Any]) -> bool:
    """Take up the passkey a browser answered the challenge with; whether recovery codes were made. ValidationError."""
    webauthn.parse_registration_response(credential)
    webauthn.complete_registration(dict(credential))
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        webauthn.WebAuthn.add(person, name, dict(credential))
        return _added(person, PASSKEY)


def remove(person: Person, kept: Authenticator, *, needed: bool) -> None:
    """Take an app or a passkey away; with the last, which stays where one is `needed`, go the recovery codes."""
    with transaction.atomic():
        others = Authenticator.objects.select_for_update().filter(user=person).exclude(type=CODES).exclude(pk=kept.pk)
        if needed and not others:
            raise ValidationError("Your role needs a second step: set up another before you remove this one.")
        what = kept.type
        kept.delete()
        delete_dangling_recovery_codes(person)
        security.note("person.step_removed", person, actor=person.actor, what=NAMES[what])


def new_codes(person: Person) -> list[str]:
    """Ten fresh recovery codes; those before stop working. ValidationError without an app or a passkey."""
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        if not of(person).any:
            raise ValidationError("Recovery codes stand in for an authenticator app or a passkey. Set up one first.")
        Authenticator.objects.filter(user=person, type=CODES).delete()
        codes = RecoveryCodes.activate(person).get_unused_codes()
        security.note("person.codes_made", person, actor=person.actor)
    return codes


def reset(person: Person, *, actor: str) -> int:
    """An admin takes all second steps away, as when a phone is lost, and with them every session; how many steps."""
    with transaction.atomic():
        count = Authenticator.objects.filter(user=person).exclude(type=CODES).count()
        gone, _ = Authenticator.objects.filter(user=person).delete()
        if gone:
            sessions.void(person)
            security.note("person.steps_reset", person, actor=actor, count=count)
    return count


def _added(person: Person, kind: str) -> bool:
    made = of(person).codes is None
    if made:
        RecoveryCodes.activate(person)
    security.note("person.step_added", person, actor=person.actor, what=NAMES[kind])
    return made
