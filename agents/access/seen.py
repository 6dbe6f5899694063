"""What a person sees: the one narrowing that feeds lists, counts, search, streams and exports alike."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from agents.access.reach import Reach, reach
from agents.access.roles import SEE
from agents.models import (
    Account,
    Action,
    Agent,
    Attempt,
    Connection,
    ContactLock,
    Incident,
    Metric,
    Outcome,
    Page,
    Pause,
    Play,
    PlayVersion,
    Policy,
    PolicyDraft,
    PolicyProposal,
    Region,
    Route,
    Run,
    Segment,
    Signal,
)
from agents.rules.scopes import lineage
from approvals.models import Approval, Person
from audit.models import Entry

Rows = TypeVar("Rows", bound=QuerySet[Any])
TREES = ("agent", "region", "segment")


def visible(person: Any, queryset: Rows) -> Rows:
    """
    The rows that `person` sees: all of them where their role holds everywhere, else those in reach of their grants.

    Of a model that no rule here names (sources, dead letters, the do-not-contact list) they see none. Sets on columns,
    no call per row; at most the one statement of `reach`, and two more for plays and connections.
    """
    reached = reach(person, SEE)
    if reached.everywhere:
        return queryset
    return queryset.filter(narrowing(person, reached, queryset.model))


def sees_kind(person: Any, model: type[Model]) -> bool:
    """Whether there is any point in showing a list of this model to `person`."""
    return reach(person, SEE).everywhere or model in RULES


def narrowing(person: Any, reached: Reach, model: type[Model]) -> Q:
    """What of the model is in reach."""
    rule = RULES.get(model)
    return rule(reached) if rule else Q(pk=person.pk) if model is Person else Q(pk__in=())


def _itself(noun: str) -> Callable[[Reach], Q]:
    return lambda reached: Q(pk__in=reached.ids(noun))


def _columns(*nouns: str, before: str = "") -> Callable[[Reach], Q]:
    return lambda reached: reached.q(*nouns, before=before)


def _texts(reached: Reach) -> Q:
    return reached.q(*TREES, suffix="")


def _heard(**link: Any) -> Callable[[Reach], Q]:
    """By its region and segment, or since an agent in reach made a run of it."""

    def rule(reached: Reach) -> Q:
        scoped = reached.q("region", "segment")
        agents = reached.ids("agent")
        return scoped | Q(Exists(Run.objects.filter(agent_id__in=agents, **link))) if agents else scoped

    return rule


def _pauses(reached: Reach) -> Q:
    """Those of what is in reach or lies above it, or is used there; and of everything, which holds that too."""
    whole = Q(agent=None, region=None, segment=None)
    found = whole & Q(play=None, connection=None) | reached.q("agent")
    if reached.ids("agent"):
        found |= whole & (Q(play__slug__in=_chosen(reached)) | Q(connection__slug__in=_used(reached)))
    for noun in ("region", "segment"):
        found |= Q(**{f"{noun}__code__in": {above for code in reached.codes(noun) for above in lineage(code)}})
    return found


def _chosen(reached: Reach) -> set[str]:
    """Slugs of the plays that an agent in reach may choose."""
    choices = Agent.objects.filter(pk__in=reached.ids("agent")).values_list("choices", flat=True)
    return {choice.get("play") or "" for several in choices for choice in several}


def _used(reached: Reach) -> set[str]:
    """Slugs of the connections that those plays go through."""
    plays = Play.objects.filter(slug__in=_chosen(reached)).values_list("steps", flat=True)
    return {step.get("connection") or "" for steps in plays for step in steps}


RULES: dict[type[Model], Callable[[Reach], Q]] = {
    Agent: _itself("agent"),
    Region: _itself("region"),
    Segment: _itself("segment"),
    Run: _columns(*TREES),
    Action: _columns(*TREES),
    Attempt: _columns(*TREES, before="action__"),
    Outcome: _columns(*TREES, before="run__"),
    Signal: _heard(signal_id=OuterRef("pk")),
    Account: _heard(account=OuterRef("key")),
    Approval: _texts,
    Entry: _texts,
    Pause: _pauses,
    Policy: _columns("agent"),
    PolicyDraft: _columns("agent"),
    PolicyProposal: _columns("agent"),
    Metric: _columns("agent"),
    Route: _columns("agent"),
    Incident: lambda reached: reached.q("agent") | Q(connection__slug__in=_used(reached)),
    ContactLock: _columns("agent"),
    Page: _columns("agent", before="incident__"),
    Play: lambda reached: Q(slug__in=_chosen(reached)),
    PlayVersion: lambda reached: Q(play__slug__in=_chosen(reached)),
    Connection: lambda reached: Q(slug__in=_used(reached)),
}
"""How each noun belongs to agents, regions and segments. Whoever adds a model that does adds its rule."""
