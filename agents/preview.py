"""A play's steps as they would be sent for one signal, member by member, with what is missing named. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.connectors import registry as connectors
from agents.models import Connection, Run
from agents.registry import ESCAPED
from agents.rehearsal import Past
from agents.rules.errors import SpecError
from agents.rules.templates import MissingField, RenderError, compile_payload


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a payload: its value, or else which field is `missing`, or why it is `wrong`."""

    name: str
    label: str
    value: Any = None
    missing: str = ""
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Previewed:
    """One step of the play."""

    key: str
    connection: str
    members: list[Member]

    @property
    def missing(self) -> list[str]:
        """The fields that keep it from being sent, each once."""
        return list(dict.fromkeys(member.missing for member in self.members if member.missing))


def context_of(past: Past, run: Run | None, *, play: str, owner: str, owner_email: str) -> dict[str, Any]:
    """What templates may use for a signal: as its `run` had it, or else with plausible figures and the given owner."""
    agent = run.agent if run else None
    return {
        **past.document,
        "score": run.score if run else 75,
        "confidence": run.confidence if run else 70,
        "hits": [one["key"] for one in run.reasons if one["outcome"] == "matched" and one["weight"]] if run else [],
        "play": play,
        "run": {"id": str(run.pk) if run else str(past.signal.pk)},
        "agent": {
            "name": agent.name if agent else "The agent",
            "owner": agent.owner.name if agent and agent.owner else owner,
            "owner_email": agent.owner.email if agent and agent.owner else owner_email,
        },
    }


def preview(
    steps: Sequence[Mapping[str, Any]], connections: Mapping[str, Connection], context: Mapping[str, Any]
) -> list[Previewed]:
    """Each step rendered on `context`, its connection one of `connections` (by slug). Never raises for steps."""
    out = []
    for step in steps:
        to = connections.get(str(step.get("connection") or ""))
        kind = to.kind if to else ""
        members = [
            _member(name, label, member, kind, context) for name, label, member in in_order(step.get("payload"), kind)
        ]
        out.append(Previewed(str(step.get("key") or "step"), to.name if to else "", members))
    return out


def in_order(payload: Mapping[str, Any] | None, kind: str) -> list[tuple[str, str, Any]]:
    """A payload's members as (name, label, value), in the order in which connectors of `kind` ask for them."""
    labels = {field.name: field.label for field in connectors[kind].payload_fields} if kind in connectors else {}
    given = payload or {}
    names = [*(name for name in labels if name in given), *(name for name in given if name not in labels)]
    return [(name, labels.get(name, name), given[name]) for name in names]


def _member(name: str, label: str, member: Any, kind: str, context: Mapping[str, Any]) -> Member:
    try:
        made = compile_payload({name: member}, where=name, escaped=ESCAPED.get(kind))
        return Member(name, label, made.render(context)[name])
    except MissingField as error:
        return Member(name, label, missing=error.name)
    except RenderError as error:
        return Member(name, label, wrong=error.what)
    except SpecError as error:
        return Member(name, label, wrong=f"{error.faults[0].what}. {error.faults[0].mend}")
