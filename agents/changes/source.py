"""Changes of a source: its settings, key, signing secrets and mapping. Secrets never stand in the record."""

import base64
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from agents.changes.seen import changed, check
from agents.loop.sources import load_scopes
from agents.models import Source
from agents.rules.errors import SpecError
from agents.rules.mapping import compile_mapping
from agents.rules.mapping_defaults import DEFAULTS
from audit.entries import Line, record

SETTINGS = ("name", "rate_limit", "signed_only", "is_active")
MOST_SECRETS = 8


def new_key() -> str:
    """A write key nobody has guessed: 192 bits."""
    return f"sbk_{secrets.token_urlsafe(24)}"


def new_secret() -> str:
    """A Standard Webhooks signing secret: "whsec_" and 24 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def settings_of(source: Source) -> dict[str, Any]:
    """What `change_source` changes."""
    return {name: getattr(source, name) for name in SETTINGS}


def create_source(*, actor: str, slug: str, name: str, rate_limit: int = 0, is_demo: bool = False) -> Source:
    """A new source with a key of its own and the default mapping. ValidationError by field."""
    source = Source(slug=slug, name=name, key=new_key(), rate_limit=rate_limit, is_demo=is_demo)
    source.full_clean()
    with transaction.atomic():
        source.save()
        _record("source.created", source, actor, **changed({}, settings_of(source)))
    return source


def change_source(source: Source, *, actor: str, seen: str = "", **settings: Any) -> Source:
    """Change name, rate limit, whether it takes signed requests only, or any at all. ChangedSince; ValidationError."""
    with transaction.atomic():
        source = _locked(source)
        before = settings_of(source)
        check(seen, before, subject=f"source:{source.slug}")
        for name, value in settings.items():
            setattr(source, name, value)
        source.full_clean()
        if source.signed_only and not source.secrets.get("signing"):
            raise ValidationError({"signed_only": "Add a signing secret first: without one nothing could come in."})
        detail = changed(before, settings_of(source))
        if detail:
            source.save(update_fields=list(settings))
            _record("source.changed", source, actor, **detail)
    return source


def set_mapping(source: Source, *, mapping: dict[str, Any], actor: str, seen: str = "") -> Source:
    """
    Put a mapping in force for what comes in from now on.

    SpecError lists all that is wrong with it, or the regions and segments that it names and nobody knows; ChangedSince.
    """
    with connection.cursor() as wrapped:
        scopes = load_scopes(wrapped.cursor)
    for format in DEFAULTS:
        compiled = compile_mapping(mapping, format=format, regions=scopes.regions, segments=scopes.segments)
        if compiled.warnings:
            raise SpecError.of(compiled.warnings)
    with transaction.atomic():
        source = _locked(source)
        check(seen, source.mapping, subject=f"source:{source.slug}")
        detail = changed(source.mapping, mapping)
        if detail:
            source.mapping = mapping
            source.save(update_fields=["mapping"])
            _record("source.mapped", source, actor, **detail)
    return source


def renew_key(source: Source, *, actor: str) -> Source:
    """Another key; the one before stops at once."""
    with transaction.atomic():
        source = _locked(source)
        source.key = new_key()
        source.save(update_fields=["key"])
        _record("source.key_renewed", source, actor)
    return source


def add_secret(source: Source, *, actor: str, secret: str = "") -> str:
    """One more signing secret beside those in force: the sender's own, or a new one. Returns it. ValidationError."""
    secret = secret.strip() or new_secret()
    if not secret.isascii() or not secret.isprintable() or " " in secret or not 8 <= len(secret) <= 512:
        raise ValidationError({"secret": "A signing secret is 8 to 512 ASCII characters without spaces."})
    with transaction.atomic():
        source = _locked(source)
        signing = signing_secrets(source)
        if secret in signing:
            raise ValidationError({"secret": "This secret is in force already."})
        if len(signing) >= MOST_SECRETS:
            raise ValidationError(
                {"secret": f"{MOST_SECRETS} secrets are in force: remove one that is no longer used."}
            )
        _keep(source, [*signing, secret])
        _record("source.secret_added", source, actor, secrets=len(signing) + 1)
    return secret


def drop_secret(source: Source, *, actor: str, ending: str) -> bool:
    """Take the signing secret that ends so out of force; False when there is none. ValidationError for the last of a
    source that takes signed requests only."""
    with transaction.atomic():
        source = _locked(source)
        signing = signing_secrets(source)
        left = [secret for secret in signing if secret[-6:] != ending]
        if len(left) == len(signing):
            return False
        if source.signed_only and not left:
            raise ValidationError(
                "This source takes signed requests only: add the new secret before the last one goes."
            )
        _keep(source, left)
        _record("source.secret_removed", source, actor, secrets=len(left))
    return True


def signing_secrets(source: Source) -> list[str]:
    """The signing secrets in force. KeyMissing when no configured key opens them."""
    kept = source.secrets.get("signing") or []
    return [kept] if isinstance(kept, str) else list(kept)


def _locked(source: Source) -> Source:
    return Source.objects.select_for_update().get(pk=source.pk)


def _keep(source: Source, signing: list[str]) -> None:
    source.secrets = {**source.secrets, "signing": signing} if signing else {}
    source.save(update_fields=["secrets_sealed"])


def _record(verb: str, source: Source, actor: str, **detail: Any) -> None:
    record(Line(verb, f"source:{source.slug}", actor, detail=detail))
