"""What a browser answers to a passkey's challenge, read so that nothing it may hold is worse than wrong."""

import logging
from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as allauth
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

log = logging.getLogger(__name__)

REFUSED = "That passkey could not be used here. Try again, or use another way."


def guarded(read: Callable[[], Any]) -> Any:
    """What `read` makes of a browser's answer; ValidationError for whatever it can't make sense of."""
    try:
        return read()
    except ValidationError as fault:
        log.info("a passkey was refused: %s", type(fault.__cause__ or fault).__name__)
        raise
    except Exception as fault:  # a stranger's CBOR and JSON, parsed by libraries that raise what they like
        log.info("a passkey was refused: %s", type(fault).__name__)
        raise ValidationError(REFUSED) from fault


class Answer(forms.JSONField):
    """What the script put into the form."""

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput, error_messages={"required": REFUSED, "invalid": REFUSED})

    def to_python(self, value: Any) -> Any:
        return guarded(lambda: super(Answer, self).to_python(value))


class LoginForm(allauth.LoginWebAuthnForm):
    """A passkey instead of e-mail and password."""

    credential = Answer()

    def clean_credential(self) -> Authenticator:
        return _used(guarded(super().clean_credential))


class SecondStepForm(allauth.AuthenticateWebAuthnForm):
    """A passkey after the password."""

    credential = Answer()

    def clean_credential(self) -> Authenticator:
        return _used(guarded(super().clean_credential))


class ConfirmForm(allauth.ReauthenticateWebAuthnForm):
    """A passkey to confirm with."""

    credential = Answer()

    def clean_credential(self) -> Authenticator:
        return _used(guarded(super().clean_credential))


class AddForm(forms.Form):
    """A new passkey: its name and the browser's answer."""

    name = forms.CharField(max_length=60, label="Name", help_text="So that you know it again, such as “MacBook”.")
    credential = Answer()


def possible(request: HttpRequest) -> bool:
    """Whether browsers let passkeys be used at this address: over https, or at localhost, never at a bare IP."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return (request.is_secure() or host == "localhost") and not host.replace(".", "").isdigit() and "[" not in host


def _used(kept: Any) -> Authenticator:
    found: Authenticator = kept
    return found
