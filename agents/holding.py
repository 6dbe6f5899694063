"""Whom or what a legal hold is on, as it was typed: made the key that `audit.holds` keeps."""

from django.conf import settings

from agents.models import Account, Agent
from agents.rules.canonical import identity_hash
from audit.holds import HoldError


def hold_key(kind: str, typed: str) -> str:
    """The key of a hold; an address becomes its keyed hash. HoldError for an agent or account that there is not."""
    typed = typed.strip()
    if kind == "person" and "@" in typed:
        return identity_hash(settings.IDENTITY_KEY, typed).hex()
    if kind == "agent" and typed and not Agent.objects.filter(slug=typed).exists():
        raise HoldError(f"There is no agent {typed}.")
    if kind == "account" and typed and not Account.objects.filter(key=typed).exists():
        raise HoldError(f"There is no account {typed}.")
    return typed
