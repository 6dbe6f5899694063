"""Programs with tokens."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.api import tokens


@pytest.fixture
def token() -> Callable[..., str]:
    """`token(person, "see", "pause", regions=["emea"])`: the text of a new token."""

    def make(person: Any, *verbs: str, days: float = 30, **narrowed: Any) -> str:
        expires = timezone.now() + timedelta(days=days)
        given = {"name": "CI", "verbs": verbs or ("see",), "expires_at": expires, "actor": person.actor}
        return tokens.make(person, **given, **narrowed)[1]

    return make


@pytest.fixture
def api() -> Callable[[str], Client]:
    """`api(text)`: a client that sends the token."""
    return lambda text: Client(headers={"Authorization": f"Bearer {text}", "Accept": "application/json"})
