"""Boundaries that do not go live at once: proposed to a second person, or set for a time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from agents import access
from agents.changes.policy import (
    PublishedSince,
    SecondPersonNeeded,
    change_of,
    check_base,
    check_reason,
    compile_known,
    locked,
    needs_second,
    publish_policy,
)
from agents.models import Agent, Policy
from agents.models.proposal import PolicyProposal
from agents.rules.errors import SpecError
from approvals.models import Person
from approvals.moments import ahead
from audit.entries import Line, record

log = logging.getLogger(__name__)

ACTOR = "worker:watchdog"
State = PolicyProposal.State


class Decided(Exception):
    """Someone was first: the proposal is no longer open, `proposal` says what became of it."""

    def __init__(self, proposal: PolicyProposal) -> None:
        self.proposal = proposal
        super().__init__(f"It is {proposal.get_state_display().lower()} already.")


def put_forward(
    agent: Agent,
    *,
    person: Person,
    spec: dict[str, Any],
    reason: str,
    base: int | None = None,
    go_live_at: datetime | None = None,
) -> Policy | PolicyProposal:
    """
    What a person wants in force: the policy, published, where it needs nobody else and no time is set; else a proposal.

    PermissionDenied, SpecError, PublishedSince and ValidationError as `publish_policy`; ValidationError too for a
    moment that is past or more than a year ahead, and while another proposal is open.
    """
    access.require(person, access.PUBLISH, agent)
    check_reason(reason)
    boundaries = compile_known(spec)
    if go_live_at is not None:
        try:
            ahead(go_live_at)
        except ValueError as fault:
            raise ValidationError({"go_live_at": str(fault)}) from None
    with transaction.atomic():
        agent = locked(agent)
        current = check_base(agent, spec, base)
        second = needs_second(agent, change_of(agent, boundaries))
        if not second and go_live_at is None:
            return publish_policy(agent, actor=person.actor, spec=spec, reason=reason, base=base, person=person)
        if (other := agent.proposals.filter(state__in=PolicyProposal.OPEN).first()) is not None:
            raise ValidationError(
                f"{other.proposed_by} has boundaries waiting for it: have those decided or taken back first."
            )
        proposal = PolicyProposal.objects.create(
            agent=agent,
            base=current.version if current else 0,
            spec=spec,
            reason=reason.strip(),
            widens=second,
            proposed_by=person,
            go_live_at=go_live_at,
            state=State.PROPOSED if second else State.SCHEDULED,
        )
        verb = "policy.proposed" if second else "policy.scheduled"
        _record(verb, proposal, person.actor, before=proposal.base, why=proposal.reason, **_at(proposal))
    return proposal


def confirm(pk: int, *, person: Person) -> PolicyProposal:
    """
    Say yes, as the second person: it goes live at once, or is set for its time where that is still ahead.

    PermissionDenied for whoever proposed it or may not publish; Decided when someone was first; SpecError when what
    it names is gone; ValidationError when who proposed it may no longer publish.
    """
    with _open(pk, person) as proposal:
        if proposal.state != State.PROPOSED:
            raise Decided(proposal)
        if proposal.proposed_by == person:
            raise PermissionDenied("You proposed it: someone else who may publish has to confirm it.")
        if not access.may(proposal.proposed_by, access.PUBLISH, proposal.agent):
            raise ValidationError(f"{proposal.proposed_by} may no longer publish here: decline it.")
        proposal.decided_by, proposal.decided_at = person, timezone.now()
        _record("policy.confirmed", proposal, person.actor, **_at(proposal))
        if proposal.go_live_at is not None and proposal.go_live_at > timezone.now():
            compile_known(proposal.spec)
            proposal.state = State.SCHEDULED
            proposal.save(update_fields=["state", "decided_by", "decided_at"])
        else:
            _live(proposal, actor=person.actor)
    return proposal


def decline(pk: int, *, person: Person, why: str) -> PolicyProposal:
    """Say no, with a reason. Decided when someone was first; PermissionDenied; ValidationError without a reason."""
    if not why.strip():
        raise ValidationError({"why": "Say why, for who proposed it."})
    return _close(pk, person, State.DECLINED, "policy.declined", why)


def cancel(pk: int, *, person: Person, why: str = "") -> PolicyProposal:
    """Take back what waits or is set for a time. Decided when it is live or closed already; PermissionDenied."""
    return _close(pk, person, State.CANCELLED, "policy.cancelled", why)


def open_proposal(agent: Agent) -> PolicyProposal | None:
    """What waits for a second person or for its time, with its people; None."""
    open_ = PolicyProposal.objects.filter(agent=agent, state__in=PolicyProposal.OPEN)
    return open_.select_related("proposed_by", "decided_by").first()


def put_due_live(now: datetime | None = None) -> int:
    """Put live what is set for a moment that has come, each by itself, checked again; how many went live."""
    due = PolicyProposal.objects.filter(state=State.SCHEDULED, go_live_at__lte=now or timezone.now())
    went = 0
    for pk in due.order_by("go_live_at", "pk").values_list("pk", flat=True)[:100]:
        try:
            went += _put_live(pk)
        except Exception:
            log.exception("boundaries could not go live", extra={"proposal": pk})
    return went


def _put_live(pk: int) -> bool:
    with transaction.atomic():
        proposal = _locked(pk)
        if proposal.state != State.SCHEDULED:
            return False
        gone = [
            one
            for one in (proposal.proposed_by, proposal.decided_by)
            if one is not None and not access.may(one, access.PUBLISH, proposal.agent)
        ]
        if gone:
            return _lapse(proposal, f"{gone[0]} may no longer publish here.")
        try:
            with transaction.atomic():
                _live(proposal, actor=ACTOR)
        except SpecError as error:
            return _lapse(proposal, f"It no longer holds: {error.faults[0].what}. {error.faults[0].mend}.")
        except PublishedSince as error:
            return _lapse(proposal, f"Version {error.policy.version} was published meanwhile.")
        except ValidationError as error:
            return _lapse(proposal, " ".join(error.messages))
        except SecondPersonNeeded:
            return _ask_second(proposal)
    return True


def _live(proposal: PolicyProposal, *, actor: str) -> None:
    """Publish it. The proposal is live before `publish_policy` looks for others to overtake."""
    proposal.state = State.LIVE
    proposal.save(update_fields=["state", "decided_by", "decided_at"])
    proposal.policy = publish_policy(
        proposal.agent,
        actor=actor,
        spec=proposal.spec,
        reason=proposal.reason,
        base=proposal.base,
        person=proposal.proposed_by,
        confirmed_by=proposal.decided_by,
    )
    proposal.save(update_fields=["policy"])
    whose = proposal.proposed_by.actor
    stead = {} if whose == actor else {"behalf": whose}
    _record("policy.live", proposal, actor, version=proposal.policy.version, **stead)


def _lapse(proposal: PolicyProposal, why: str) -> bool:
    proposal.state, proposal.said, proposal.decided_at = State.STALE, why, proposal.decided_at or timezone.now()
    proposal.save(update_fields=["state", "said", "decided_at"])
    _record("policy.overtaken", proposal, ACTOR, why=why)
    return False


def _ask_second(proposal: PolicyProposal) -> bool:
    """The agent sends things by now, so that it needs a second person."""
    proposal.state, proposal.widens, proposal.go_live_at = State.PROPOSED, True, None
    proposal.save(update_fields=["state", "widens", "go_live_at"])
    _record("policy.proposed", proposal, ACTOR, before=proposal.base, why=proposal.reason)
    return False


def _close(pk: int, person: Person, state: str, verb: str, why: str) -> PolicyProposal:
    with _open(pk, person) as proposal:
        if not proposal.is_open or (state == State.DECLINED and proposal.state != State.PROPOSED):
            raise Decided(proposal)
        proposal.state, proposal.said = state, why.strip()
        if state == State.DECLINED:
            proposal.decided_by = person
        proposal.decided_at = timezone.now()
        proposal.save(update_fields=["state", "said", "decided_by", "decided_at"])
        _record(verb, proposal, person.actor, **({"why": proposal.said} if proposal.said else {}))
    return proposal


@contextmanager
def _open(pk: int, person: Person) -> Iterator[PolicyProposal]:
    """A transaction with the proposal in hand, it and its agent locked; PermissionDenied for who may not publish."""
    with transaction.atomic():
        proposal = _locked(pk)
        access.require(person, access.PUBLISH, proposal.agent)
        yield proposal


def _locked(pk: int) -> PolicyProposal:
    """Agent first, then proposal, as publishing does."""
    agent = locked(Agent(pk=PolicyProposal.objects.values_list("agent", flat=True).get(pk=pk)))
    people = ("proposed_by", "decided_by")
    proposal = PolicyProposal.objects.select_for_update(of=("self",)).select_related(*people).get(pk=pk)
    proposal.agent = agent
    return proposal


def _at(proposal: PolicyProposal) -> dict[str, str]:
    return {"at": proposal.go_live_at.isoformat(timespec="seconds")} if proposal.go_live_at else {}


def _record(verb: str, proposal: PolicyProposal, actor: str, **detail: Any) -> None:
    record(Line(verb, f"proposal:{proposal.pk}", actor, agent=proposal.agent.slug, detail=detail))
