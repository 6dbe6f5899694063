"""Wrong settings, as numbered system checks (signalbox.E001 …), each with a hint."""

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

SECRETS = (8, 9, 10)


def _errors(numbers_of_secrets: bool) -> list[CheckMessage]:
    return [
        Error(problem.message, hint=problem.hint, id=f"signalbox.E{problem.number:03}")
        for problem in settings.ENV.problems
        if (problem.number in SECRETS) is numbers_of_secrets
    ]


@register(Tags.compatibility)
def environment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Name every variable of the environment that could not be used."""
    return _errors(numbers_of_secrets=False)


@register(Tags.security, deploy=True)
def secrets(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to deploy with secrets that are missing or short."""
    return _errors(numbers_of_secrets=True)


@register(Tags.security)
def var_folder(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The var folder must be ours to write, and its secrets nobody else's to read."""
    found: list[CheckMessage] = []
    var = settings.VAR
    if var.exists() and not os.access(var, os.W_OK | os.X_OK):
        found.append(
            Error(f"{var} cannot be written.", hint="Change its owner, or set SIGNALBOX_VAR.", id="signalbox.E011")
        )
    kept = var / "secrets.json"
    if kept.exists() and kept.stat().st_mode & 0o077:
        found.append(Error(f"{kept} can be read by others.", hint=f"chmod 600 '{kept}'", id="signalbox.E019"))
    return found
