"""Drafts of boundaries: what one person has typed for one agent, kept as typed until it is put forward or discarded.

Nothing obeys a draft, so the record does not speak of it; it begins with what is put forward.
"""

from typing import Any

from agents import access
from agents.models import Agent, PolicyDraft
from approvals.models import Person


def draft_of(agent: Agent, person: Person) -> PolicyDraft | None:
    """The person's draft for this agent, if there is one."""
    return PolicyDraft.objects.filter(agent=agent, person=person).first()


def keep_draft(agent: Agent, form: dict[str, Any], *, person: Person) -> None:
    """
    Keep what was typed, however wrong; `base` stays the version it was begun from. PermissionDenied for whoever may
    not publish.
    """
    access.require(person, access.PUBLISH, agent)
    begun = {"form": form, "base": agent.policy.version if agent.policy else 0}
    PolicyDraft.objects.update_or_create(agent=agent, person=person, defaults={"form": form}, create_defaults=begun)


def discard_draft(agent: Agent, *, person: Person) -> None:
    """Forget it."""
    PolicyDraft.objects.filter(agent=agent, person=person).delete()
