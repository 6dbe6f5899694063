"""Changes of a play. Each that alters what it does makes the next version; what is under way keeps the one it has."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from agents.changes.seen import ChangedSince, changed
from agents.connectors import registry as connectors
from agents.models import Connection, Play, PlayVersion
from agents.registry import ESCAPED
from agents.rules.errors import Faults
from agents.rules.templates import compile_payload
from approvals.models import Person
from audit.entries import Line, record

KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MOST_STEPS = 20
LONGEST_DELAY = 90 * 24 * 60
"""Minutes: 90 days."""
HIGHEST_COST = 1_000_000
OURS = frozenset({"unsubscribe_url"})
"""Members of a payload that Signalbox alone sets."""

Step = Mapping[str, Any]


def check_steps(steps: Sequence[Step], kinds: Mapping[str, str]) -> None:
    """SpecError with every fault at steps[n].key, .connection, .delay_minutes, .cost, .payload.<member> or .undo.
    `kinds`: the connections there are, slug → kind."""
    faults = Faults()
    if not steps:
        faults.add("steps", "a play without a step does nothing", "Add one")
    if len(steps) > MOST_STEPS:
        faults.add("steps", f"more than {MOST_STEPS} steps", "Make it two plays")
    keys: set[str] = set()
    for n, step in enumerate(steps):
        where, key = f"steps[{n}]", str(step.get("key") or "")
        if not KEY.fullmatch(key):
            faults.add(f"{where}.key", "a key has lower-case letters, digits, - and _", "Write one such as intro")
        elif key in keys:
            faults.add(f"{where}.key", "another step has this key", "Give each its own")
        keys.add(key)
        delay = step.get("delay_minutes")
        if not isinstance(delay, int) or not 0 <= delay <= LONGEST_DELAY:
            faults.add(f"{where}.delay_minutes", "it is no number of minutes up to 90 days", "Write 0 for at once")
        cost = step.get("cost") or 0
        if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= HIGHEST_COST:
            faults.add(f"{where}.cost", "it is no cost from 0 up", "Write what one costs, such as 0.05")
        kind = kinds.get(str(step.get("connection") or ""))
        if kind not in connectors:
            faults.add(f"{where}.connection", "there is no such connection", "Choose one")
            continue
        _check_payload(step, kind, where, faults)
    faults.raise_any()


def _check_payload(step: Step, kind: str, where: str, faults: Faults) -> None:
    asks = {field.name: field for field in connectors[kind].payload_fields if field.name not in OURS}
    payload = step.get("payload") or {}
    for name in sorted(payload.keys() - asks.keys()):
        faults.add(f"{where}.payload.{name}", f"a step through {kind} has no {name}", f"Use {', '.join(asks)}")
    for name, field in asks.items():
        if field.required and payload.get(name) in (None, ""):
            faults.add(f"{where}.payload.{name}", "it is missing", f"Give the {field.label.lower()}")
    if not payload:
        faults.add(f"{where}.payload", "there is nothing to send", f"Give at least one of {', '.join(asks)}")
    for name, member in payload.items():
        with faults.gather():
            compile_payload({name: member}, where=f"{where}.payload", escaped=ESCAPED.get(kind))
    if step.get("undo") is not None:
        with faults.gather():
            compile_payload(step["undo"], where=f"{where}.undo", escaped=ESCAPED.get(kind))


def kinds() -> dict[str, str]:
    """The connections there are: slug → kind."""
    return dict(Connection.objects.values_list("slug", "kind"))


def create_play(
    *,
    actor: str,
    slug: str,
    name: str,
    risk: str,
    steps: Sequence[Step],
    purpose: str = "",
    is_demo: bool = False,
    person: Person | None = None,
) -> Play:
    """A new play at version 1, made by `person`. SpecError for its steps, ValidationError by field for the rest."""
    check_steps(steps, kinds())
    play = Play(slug=slug, name=name, purpose=purpose, risk=risk, steps=list(steps), is_demo=is_demo)
    play.edited_by = person
    play.full_clean()
    with transaction.atomic():
        play.save()
        _keep_version(play)
        detail = {"version": 1, **changed({}, _parts(play))}
        record(Line("play.created", f"play:{slug}", actor, detail=detail))
    return play


def change_play(
    play: Play,
    *,
    actor: str,
    name: str,
    purpose: str,
    risk: str,
    steps: Sequence[Step],
    is_active: bool,
    version: int | None = None,
    person: Person | None = None,
) -> Play:
    """
    Change it; the next version, made by `person`, where name, risk or a step differs.

    `version` is the one that the person was shown: ChangedSince when there is another by now. SpecError for its steps,
    ValidationError by field for the rest.
    """
    check_steps(steps, kinds())
    with transaction.atomic():
        play = Play.objects.select_for_update().get(pk=play.pk)
        if version is not None and version != play.version:
            raise ChangedSince(f"play:{play.slug}")
        before = _parts(play)
        acts = (play.name, play.risk, play.steps)
        play.name, play.purpose, play.risk = name, purpose, risk
        play.steps, play.is_active = list(steps), is_active
        play.full_clean()
        detail = changed(before, _parts(play))
        if detail:
            if (play.name, play.risk, play.steps) != acts:
                play.version += 1
                play.edited_by = person
                _keep_version(play)
            play.save()
            record(Line("play.changed", f"play:{play.slug}", actor, detail={"version": play.version, **detail}))
    return play


def _keep_version(play: Play) -> None:
    PlayVersion.objects.create(play=play, version=play.version, name=play.name, risk=play.risk, steps=play.steps)


def _parts(play: Play) -> dict[str, Any]:
    return {name: getattr(play, name) for name in ("name", "purpose", "risk", "is_active", "steps")}
