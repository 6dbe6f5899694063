"""A play's steps as they would be sent for one signal, member by member, with what is missing named. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.models import Run
from agents.registry import HTML_FIELDS
from agents.rehearsal import Past
from agents.rules.errors import SpecError
from agents.rules.templates import MissingField, RenderError, compile_payload


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a payload: its value, or else which field is `missing`, or why it is `wrong`."""

    name: str
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


def context_of(past: Past, *, play: str, owner: str, owner_email: str) -> dict[str, Any]:
    """What templates may use for a signal: as its run had it, or else with plausible figures and the given owner."""
    run = Run.objects.filter(signal_id=past.signal.pk).select_related("agent__owner").order_by("-id").first()
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
    steps: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], context: Mapping[str, Any]
) -> list[Previewed]:
    """Each step rendered on `context`; `kinds` are the connections there are, slug → kind. Never raises for steps."""
    return [
        Previewed(
            str(step.get("key") or "step"),
            str(step.get("connection") or ""),
            [_member(name, member, kinds, step, context) for name, member in (step.get("payload") or {}).items()],
        )
        for step in steps
    ]


def _member(
    name: str, member: Any, kinds: Mapping[str, str], step: Mapping[str, Any], context: Mapping[str, Any]
) -> Member:
    kind = kinds.get(str(step.get("connection")), "")
    try:
        made = compile_payload({name: member}, where=name, html=[name] if name in HTML_FIELDS.get(kind, ()) else [])
        return Member(name, made.render(context)[name])
    except MissingField as error:
        return Member(name, missing=error.name)
    except RenderError as error:
        return Member(name, wrong=error.what)
    except SpecError as error:
        return Member(name, wrong=f"{error.faults[0].what}. {error.faults[0].mend}")
