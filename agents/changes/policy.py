"""Publishing a policy: a new numbered version, in force from the moment it is published."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from agents.models import Agent, Play, Policy, Region, Segment
from agents.rules.boundaries import Policy as Boundaries
from agents.rules.boundaries import compile_policy
from audit.entries import Line, record


class PublishedSince(Exception):
    """Someone published `policy` after the version this one was made from."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        super().__init__(f"Version {policy.version} was published since.")


def compile_known(spec: Any) -> Boundaries:
    """The compiled policy, every play, region and segment it names known here; SpecError lists all that is wrong."""
    return compile_policy(
        spec,
        plays=set(Play.objects.values_list("slug", flat=True)),
        regions=set(Region.objects.values_list("code", flat=True)),
        segments=set(Segment.objects.values_list("code", flat=True)),
    )


def publish_policy(
    agent: Agent, *, actor: str, spec: dict[str, Any], reason: str, base: int | None = None, person: Any = None
) -> Policy:
    """
    Publish `spec` as the agent's next version, with a reason; the agent obeys it from this commit on.

    `base` is the version it was made from (0: none): PublishedSince when that is no longer the one in force. SpecError
    lists all that is wrong; ValidationError without a reason, or when nothing would change.
    """
    if not reason.strip():
        raise ValidationError({"reason": "Say why, for whoever asks later."})
    compile_known(spec)
    with transaction.atomic():
        agent = Agent.objects.select_for_update(of=("self",)).select_related("policy__published_by").get(pk=agent.pk)
        current = agent.policy
        if base is not None and current is not None and current.version != base:
            raise PublishedSince(current)
        if current is not None and current.spec == spec:
            raise ValidationError({"reason": f"Nothing differs from version {current.version}, which is in force."})
        last = Policy.objects.filter(agent=agent).order_by("-version").first()
        policy = Policy.objects.create(
            agent=agent,
            version=last.version + 1 if last else 1,
            spec=spec,
            reason=reason.strip(),
            published_by=person,
        )
        agent.policy = policy
        agent.save(update_fields=["policy"])
        record(
            Line(
                "policy.published",
                f"policy:{agent.slug}@{policy.version}",
                actor,
                agent=agent.slug,
                detail={"version": policy.version, "before": current.version if current else 0, "why": policy.reason},
            )
        )
    return policy
