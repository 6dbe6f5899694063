"""Signing in as a browser does: the forms, one after the other."""

import re
import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings
from django.test import Client
from django.utils.html import strip_tags

from console import step_up
from tests.conftest import PASSWORD

SECRET = re.compile(r"<pre[^>]*>([A-Z2-7 ]+)</pre>")


def sign_in(client: Client, person: Any, password: str = PASSWORD, **extra: Any) -> Any:
    """Post the sign-in form; the answer."""
    return client.post("/sign-in", {"username": person.email, "password": password}, **extra)


def fresh(client: Client, person: Any) -> Client:
    """Signed in with the password just now, so that no step-up is asked."""
    answer = sign_in(client, person)
    assert answer.status_code == 302, answer.content
    return client


def stale(client: Client, person: Any) -> Client:
    """Signed in, but so long ago that a step-up is asked."""
    client.force_login(person)
    session = client.session
    session[step_up.SIGNED_IN] = time.time() - settings.STEP_UP_SECONDS - 1
    session.save()
    return client


def code_of(secret: str, *, steps: int = 0) -> str:
    """What an authenticator app shows, `steps` half minutes from now."""
    return format_hotp_value(hotp_value(secret.replace(" ", ""), int(time.time()) // 30 + steps))


def set_up_app(client: Client) -> str:
    """Set an authenticator app up, signed in and fresh; its secret."""
    found = SECRET.search(client.get("/settings/sign-in/app").content.decode())
    assert found
    answer = client.post("/settings/sign-in/app", {"code": code_of(found[1], steps=-1)})
    assert answer.status_code == 303, strip_tags(answer.content.decode())
    return found[1].replace(" ", "")


def recovery_codes(client: Client) -> list[str]:
    """The codes that are shown."""
    return re.findall(r"\b(\d{4} \d{4})\b", client.get("/settings/sign-in/codes").content.decode())
