"""Changes of a connection: its configuration, its secrets, what it may reach, on or off; and trying it out."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents.changes.seen import changed, check
from agents.connectors import Answer, ConfigError, Verdict
from agents.connectors import registry as connectors
from agents.models import Connection
from agents.registry import make_connector
from agents.sealed import KeyMissing
from audit.entries import Line, record

TEST_SECONDS = 10.0
HIDDEN = ("pairs", "long", "json")
"""Kinds of fields whose values may hold what the record should not: it says only that they changed."""


def shown(connection: Connection) -> dict[str, Any]:
    """What `change_connection` changes, but for the secrets."""
    return {
        "name": connection.name,
        "is_active": connection.is_active,
        "config": connection.config,
        "allowed_hosts": connection.allowed_hosts,
        "secrets": connection.secrets_sealed,
    }


def create_connection(
    *,
    actor: str,
    slug: str,
    name: str,
    kind: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    allowed_hosts: Sequence[str] = (),
    is_demo: bool = False,
) -> Connection:
    """A new way out. ValidationError by field, of its connector's too. `allowed_hosts` is for admins to give."""
    one = Connection(slug=slug, name=name, kind=kind, is_demo=is_demo)
    one.config, one.allowed_hosts = dict(config), list(allowed_hosts)
    one.secrets = dict(secrets or {})
    _check(one)
    with transaction.atomic():
        one.save()
        _record("connection.created", one, actor, {"kind": kind, **_difference({}, _written(one), [])})
    return one


def change_connection(
    connection: Connection,
    *,
    actor: str,
    name: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, str],
    is_active: bool,
    allowed_hosts: Sequence[str] | None = None,
    forget: Sequence[str] = (),
    seen: str = "",
) -> Connection:
    """
    Configure it anew; questions that were asked under the old configuration are asked again.

    `secrets` holds new ones only, `forget` names those to drop, the others stay; `allowed_hosts` None leaves them, and
    else is for admins to give. A secret goes nowhere but where it was given for: another host needs it anew.
    ChangedSince; ValidationError by field.
    """
    with transaction.atomic():
        one = Connection.objects.select_for_update().get(pk=connection.pk)
        check(seen, shown(one), subject=f"connection:{one.slug}")
        before, where = _written(one), _goes_to(one.config)
        kept = {key: value for key, value in one.secrets.items() if key not in forget}
        one.name, one.config, one.is_active = name, dict(config), is_active
        if allowed_hosts is not None:
            one.allowed_hosts = list(allowed_hosts)
        if stale := [key for key in kept if key not in secrets] if where != _goes_to(one.config) else []:
            says = "It was given for another host: give it again for this one, or remove it."
            raise ValidationError(dict.fromkeys(stale, says))
        one.secrets = {**kept, **secrets}
        _check(one)
        detail = _difference(before, _written(one), sorted({*secrets, *forget}))
        if detail:
            one.save(update_fields=["name", "config", "is_active", "allowed_hosts", "secrets_sealed"])
            _record("connection.changed", one, actor, detail)
    return one


def switch(connection: Connection, *, actor: str, on: bool) -> Connection:
    """On, or off: then what is due through it is refused at the gate and can be sent again later."""
    with transaction.atomic():
        one = Connection.objects.select_for_update().get(pk=connection.pk)
        if one.is_active != on:
            one.is_active = on
            one.save(update_fields=["is_active"])
            _record("connection.changed", one, actor, changed({"is_active": not on}, {"is_active": on}))
    return one


def try_out(connection: Connection, *, actor: str) -> Answer:
    """Whether the way out works, by its connector's harmless check, within TEST_SECONDS; its health says so after."""
    answer = _ask(connection)
    now = timezone.now()
    works = answer.verdict is Verdict.DELIVERED
    health: dict[str, Any] = {"last_ok_at": now} if works else {"last_failed_at": now}
    if not works:
        health["last_error"] = answer.detail[:500]
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(**health)
        result = "it works" if works else "it does not work"
        _record("connection.tested", connection, actor, {"result": result, "ms": answer.ms})
    return answer


def _ask(connection: Connection) -> Answer:
    try:
        connector = make_connector(connection.kind, connection.config, connection.secrets, connection.allowed_hosts)
    except (ConfigError, KeyMissing) as error:
        return Answer(Verdict.FAILED, None, str(error), 0)

    async def ask() -> Answer:
        try:
            async with asyncio.timeout(TEST_SECONDS):
                return await connector.test()
        except TimeoutError:
            return Answer(Verdict.UNKNOWN, None, f"no answer within {TEST_SECONDS:g} s", int(TEST_SECONDS * 1000))
        finally:
            await connector.close()

    return asyncio.run(ask())


def _check(one: Connection) -> None:
    """ValidationError by field: the model's, and every problem of its connector."""
    one.full_clean(exclude=["secrets_sealed"])
    try:
        make_connector(one.kind, one.config, one.secrets, one.allowed_hosts)
    except ConfigError as error:
        found: dict[str, list[str]] = {}
        for problem in error.problems:
            place = "allowed_hosts" if problem.place.startswith("allowed host") else problem.place
            named = f"{problem.place}: " if place == "allowed_hosts" else ""
            found.setdefault(place, []).append(f"{named}{problem.says}. {problem.mend}")
        raise ValidationError(found) from error


def _goes_to(config: Mapping[str, Any]) -> str:
    """The host that secrets are given for."""
    url = urlsplit(str(config.get("base_url") or ""))
    return f"{url.scheme}//{url.netloc}" if url.netloc else str(config.get("host") or "")


def _written(one: Connection) -> dict[str, Any]:
    return {"name": one.name, "is_active": one.is_active, "allowed_hosts": one.allowed_hosts, **one.config}


def _difference(before: dict[str, Any], after: dict[str, Any], secrets: list[str]) -> dict[str, Any]:
    """An entry's detail: what changed, but of fields that may hold a secret only that they did."""
    hidden = {field.name for kind in connectors.values() for field in kind.fields if field.kind in HIDDEN}
    differing = sorted(n for n in hidden if before.get(n) != after.get(n)) + secrets
    plain = changed(*({k: v for k, v in values.items() if k not in hidden} for values in (before, after)))
    return {**plain, **({"hidden": differing} if differing else {})}


def _record(verb: str, one: Connection, actor: str, detail: Mapping[str, Any]) -> None:
    record(Line(verb, f"connection:{one.slug}", actor, detail=detail))
