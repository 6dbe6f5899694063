"""Publishing a policy: a new numbered version, in force from the moment it is published."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents import access
from agents.models import Agent, Play, Policy, Region, Segment
from agents.models.policy import SENDING
from agents.models.proposal import PolicyProposal
from agents.redecide import redecide
from agents.rules.boundaries import Policy as Boundaries
from agents.rules.boundaries import compile_policy
from agents.rules.errors import SpecError
from agents.rules.widening import Change, compare
from approvals.models import Person
from audit.entries import Line, record


class PublishedSince(Exception):
    """Someone published `policy` after the version this one was made from."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        super().__init__(f"Version {policy.version} was published since.")


class SecondPersonNeeded(Exception):
    """It widens what an agent at work does alone, as `change` says, and nobody else has confirmed it."""

    def __init__(self, change: Change) -> None:
        self.change = change
        super().__init__("It widens what the agent does alone: a second person has to confirm it.")


def compile_known(spec: Any) -> Boundaries:
    """The compiled policy, every play, region and segment it names known here; SpecError lists all that is wrong."""
    return compile_policy(
        spec,
        plays=set(Play.objects.values_list("slug", flat=True)),
        regions=set(Region.objects.values_list("code", flat=True)),
        segments=set(Segment.objects.values_list("code", flat=True)),
    )


def change_of(agent: Agent, new: Boundaries) -> Change:
    """
    What `new` would change in what the agent does alone, against the version in force and the newest one that two
    people stand behind (where none does, against doing nothing). One statement beside `agent.policy`.
    """
    vouched = (
        Policy.objects.filter(Q(widens=False) | Q(confirmed_by__isnull=False), agent=agent).order_by("-version").first()
    )
    first = compare(_readable(agent.policy), new)
    if vouched == agent.policy:
        return first
    second = compare(_readable(vouched), new)
    return Change(tuple(dict.fromkeys([*first.wider, *second.wider])), first.narrower)


def needs_second(agent: Agent, change: Change) -> bool:
    """Whether a second person has to confirm it before the agent obeys it: it widens, and the agent sends things."""
    return change.widens and agent.stage in SENDING


def publish_policy(
    agent: Agent,
    *,
    actor: str,
    spec: dict[str, Any],
    reason: str,
    base: int | None = None,
    person: Person | None = None,
    confirmed_by: Person | None = None,
) -> Policy:
    """
    Publish `spec` as the agent's next version, with a reason; the agent obeys it from this commit on.

    `base` is the version it was made from (0: none): PublishedSince when that is no longer the one in force. SpecError
    lists all that is wrong; ValidationError without a reason, or when nothing would change. Where it widens and the
    agent sends things, SecondPersonNeeded unless `confirmed_by` is someone else than `person`. A proposal that was
    open is stale after it, and what waits is decided again.
    """
    check_reason(reason)
    boundaries = compile_known(spec)
    with transaction.atomic():
        agent = locked(agent)
        current = check_base(agent, spec, base)
        change = change_of(agent, boundaries)
        alone = confirmed_by is None or confirmed_by == person
        if alone and needs_second(agent, change):
            raise SecondPersonNeeded(change)
        policy = Policy.objects.create(
            agent=agent,
            version=next_version(agent),
            spec=spec,
            reason=reason.strip(),
            published_by=person,
            widens=change.widens,
            stage=agent.stage,
            confirmed_by=None if alone else confirmed_by,
            confirmed_at=None if alone else timezone.now(),
        )
        agent.policy = policy
        agent.save(update_fields=["policy"])
        record(
            Line(
                "policy.published",
                f"policy:{agent.slug}@{policy.version}",
                actor,
                agent=agent.slug,
                detail={
                    "version": policy.version,
                    "before": current.version if current else 0,
                    "why": policy.reason,
                    "widens": change.widens,
                    **({"by": person.actor} if person and person.actor != actor else {}),
                    **({"second": policy.confirmed_by.actor} if policy.confirmed_by else {}),
                },
            )
        )
        _overtake(agent, policy, actor)
        redecide(agent, policy, actor=actor)
    return policy


def confirm_version(policy: Policy, *, person: Person) -> Policy:
    """
    Stand behind a version that one person published while its agent sent nothing, so that it may be autonomous.

    PermissionDenied for whoever published it or may not publish; ValidationError when it needs nobody, or no longer.
    """
    with transaction.atomic():
        agent = locked(policy.agent)
        access.require(person, access.PUBLISH, agent)
        policy = Policy.objects.select_related("published_by").get(pk=policy.pk)
        if policy.vouched or agent.policy_id != policy.pk:
            raise ValidationError(f"Version {policy.version} needs no second person now.")
        if policy.published_by == person:
            raise PermissionDenied("You published it: someone else who may publish has to confirm it.")
        policy.confirmed_by, policy.confirmed_at = person, timezone.now()
        policy.save(update_fields=["confirmed_by", "confirmed_at"])
        subject = f"policy:{agent.slug}@{policy.version}"
        record(Line("policy.confirmed", subject, person.actor, agent=agent.slug, detail={"version": policy.version}))
    return policy


def locked(agent: Agent) -> Agent:
    """The agent with its policy, its row locked until the commit: publishing, proposing and confirming take turns."""
    return Agent.objects.select_for_update(of=("self",)).select_related("policy__published_by").get(pk=agent.pk)


def check_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": "Say why, for whoever asks later."})


def check_base(agent: Agent, spec: Any, base: int | None) -> Policy | None:
    """The version in force; PublishedSince when it is not `base`, ValidationError when it is `spec` already."""
    current = agent.policy
    if base is not None and current is not None and current.version != base:
        raise PublishedSince(current)
    if current is not None and current.spec == spec:
        raise ValidationError({"reason": f"Nothing differs from version {current.version}, which is in force."})
    return current


def next_version(agent: Agent) -> int:
    """The number that the agent's next version gets."""
    last = Policy.objects.filter(agent=agent).order_by("-version").values_list("version", flat=True).first()
    return (last or 0) + 1


def _readable(policy: Policy | None) -> Boundaries | None:
    """None for a version that no longer compiles: what it allowed can't be told, so it counts as nothing."""
    try:
        return compile_policy(policy.spec) if policy else None
    except SpecError:
        return None


def _overtake(agent: Agent, policy: Policy, actor: str) -> None:
    """Proposals made from what was in force until now are stale."""
    for one in PolicyProposal.objects.filter(agent=agent, state__in=PolicyProposal.OPEN).select_for_update():
        one.state, one.decided_at = PolicyProposal.State.STALE, timezone.now()
        one.said = f"Version {policy.version} was published meanwhile."
        one.save(update_fields=["state", "decided_at", "said"])
        record(Line("policy.overtaken", f"proposal:{one.pk}", actor, agent=agent.slug, detail={"why": one.said}))
