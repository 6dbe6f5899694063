"""Rendering: one step of a play into one action with a frozen payload, and the question where the boundaries ask."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from agents.brains.contract import Thought
from agents.loop.judged import facts_for
from agents.registry import AgentNow, PlayNow, Snapshot, StepNow
from agents.rules.binding import bind
from agents.rules.boundaries import Decision
from agents.rules.brief import brief
from agents.rules.canonical import canonical_bytes, identity_hash
from agents.rules.deadlines import deadlines
from agents.unsubscribe import unsubscribe_url
from approvals.questions import Question
from audit.entries import Line
from audit.persons import Personal

ACTOR = "worker:loop"


class Heard(NamedTuple):
    """One claimed signal, in the order of decide's CLAIM."""

    id: UUID
    source: int
    external_id: str
    type: str
    occurred_at: datetime
    received_at: datetime
    account: str
    account_name: str
    person: str
    email: str
    contact: bytes | None
    region: int
    segment: int
    fields: dict[str, Any]
    payload: bytes
    is_demo: bool


class ActionRow(NamedTuple):
    """A row of agents_action, in the order of decide's ACTIONS."""

    id: UUID
    run: UUID
    agent: int
    play: int
    play_version: int
    step: str
    connection: int
    policy: int
    region: int
    segment: int
    account: str
    contact: bytes | None
    target: str
    payload: bytes
    payload_hash: bytes
    state: str
    why: str
    not_before: datetime
    approval: UUID | None
    permitted_by: str
    received_at: datetime
    created_at: datetime
    settled_at: datetime | None
    is_demo: bool
    undo_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Handling:
    """What is known when an agent has decided to act on a signal."""

    signal: Heard
    agent: AgentNow
    now: Snapshot
    play: PlayNow
    decision: Decision
    thought: Thought
    document: dict[str, Any]
    run: UUID
    at: datetime

    def about(self, contact: bytes | None) -> "Handling":
        """The same, decided anew where it reaches somebody else than the signal's person and the boundaries ask who."""
        if contact == self.signal.contact or not self.agent.policy.reads_people:
            return self
        facts = facts_for(self.signal, self.agent, self.now, self.play, self.thought.confidence_pct, self.at)
        person = contact.hex() if contact else ""
        return replace(self, decision=self.agent.policy.decide(replace(facts, person=person)))

    @property
    def context(self) -> dict[str, Any]:
        """What a play's templates may use: the document and what the agent made of it."""
        return {
            **self.document,
            "score": self.thought.score,
            "confidence": self.thought.confidence_pct,
            "hits": [r["key"] for r in self.thought.reasons if r["outcome"] == "matched" and r["weight"]],
            "play": self.play.slug,
            "run": {"id": str(self.run)},
            "agent": {
                "name": self.agent.name,
                "owner": self.agent.owner_name,
                "owner_email": self.agent.owner_email,
            },
        }


class Rendered(NamedTuple):
    """An action, its question if one is asked, and the verb and detail of its entry if it has one of its own yet."""

    action: ActionRow
    question: Question | None
    verb: str
    detail: dict[str, Any]

    def line(self, run: Line) -> Line:
        """Its entry, from that of its run."""
        return run._replace(verb=self.verb, subject=f"action:{self.action.id}", detail=self.detail)


def render(one: Handling, step: StepNow, action: UUID, approval: UUID) -> Rendered:
    """
    Freeze what one step would send, as an action with id `action`: ready, waiting (on the question `approval`), shadow,
    failed before anything is sent, because a field that its template needs is missing, or refused, because whom it
    would reach is on a list of the boundaries.
    """
    contact = one.signal.contact
    try:
        payload = step.payload.render(one.context)
        if step.is_email:
            payload, contact = _addressed(payload, one.agent)
        body = canonical_bytes(payload)
        one = one.about(contact)
    except ValueError as error:
        why = f"Not sent: {error}"
        failed = _row(one, step, action, contact, "", b"{}", sha256(b"{}").digest(), "failed", why, None)
        return Rendered(failed, None, "action.failed", {"why": Personal(contact, why)})
    digest = sha256(body).digest()
    target = _target(payload, step, one.signal)
    if one.decision.verdict == "never":
        why = f"Whom it would reach is somebody else: {one.decision.why}"
        refused = _row(one, step, action, contact, target, body, digest, "refused", why, None)
        return Rendered(refused, None, "action.refused", {"why": why})
    if one.agent.stage == "shadow":
        why = "In shadow: it would have " + ("acted." if one.decision.verdict == "alone" else "asked.")
        return Rendered(_row(one, step, action, contact, target, body, digest, "shadow", why, None), None, "", {})
    if one.decision.verdict == "ask":
        row = _row(one, step, action, contact, target, body, digest, "waiting", one.decision.why, approval)
        detail = {
            "clause": one.decision.clause,
            "approval": str(approval),
            "to": Personal(contact, target),
            "what": Personal(contact, brief(payload)),
        }
        return Rendered(row, _question(one, step, row, payload), "action.asked", detail)
    return Rendered(_row(one, step, action, contact, target, body, digest, "ready", "", None), None, "", {})


def _addressed(payload: dict[str, Any], agent: AgentNow) -> tuple[dict[str, Any], bytes]:
    """A mail answers to the owner and can be unsubscribed from; its contact is whoever it is addressed to."""
    contact = identity_hash(settings.IDENTITY_KEY, str(payload.get("to", "")))
    return {"reply_to": agent.owner_email, "unsubscribe_url": unsubscribe_url(contact), **payload}, contact


def _target(payload: dict[str, Any], step: StepNow, signal: Heard) -> str:
    to = payload.get("to")
    return str(to) if to else f"{signal.account_name or signal.account} through {step.connection.slug}"


def _row(
    one: Handling, step: StepNow, action: UUID, contact: bytes | None, target: str, body: bytes, digest: bytes,
    state: str, why: str, approval: UUID | None,
) -> ActionRow:  # fmt: skip
    return ActionRow(
        action,
        one.run,
        one.agent.id,
        one.play.id,
        one.play.version,
        step.key,
        step.connection.id,
        one.agent.policy_id,
        one.signal.region,
        one.signal.segment,
        one.signal.account,
        contact,
        target,
        body,
        digest,
        state,
        why,
        one.at + timedelta(minutes=step.delay_minutes),
        approval,
        f"clause:{one.decision.clause}",
        one.signal.received_at,
        one.at,
        one.at if state in ("failed", "refused", "shadow") else None,
        one.signal.is_demo,
    )


def _question(one: Handling, step: StepNow, row: ActionRow, payload: dict[str, Any]) -> Question:
    region, segment = one.now.regions[row.region], one.now.segments[row.segment]
    assert row.approval is not None
    next_at, warn_at, expires_at = deadlines(region.calendar, one.at)
    return Question(
        row.approval,
        f"action:{row.id}",
        {
            "agent": one.agent.name,
            "play": one.play.name,
            "play_version": one.play.version,
            "step": step.key,
            "connection": step.connection.slug,
            "target": row.target,
            "payload": payload,
            "account": one.signal.account_name or one.signal.account,
            "account_key": one.signal.account,
            "person": one.signal.person,
            "score": one.thought.score,
            "confidence": one.thought.confidence_pct,
            "reasons": one.thought.reasons[:12],
            "clause": one.decision.clause,
            "why": one.decision.why,
            "policy": one.agent.policy_version,
            "signal_type": one.signal.type,
            "signal_at": one.signal.received_at.isoformat(),
            "run": str(one.run),
            "region": region.name,
            "segment": segment.name,
        },
        bind(
            payload_hash=row.payload_hash,
            connection=step.connection.fingerprint,
            target=row.target,
            play=f"{row.play}@{row.play_version}",
            clause=one.decision.clause,
            needed=one.decision.approvers,
        ),
        one.agent.slug,
        region.code,
        segment.code,
        one.play.risk,
        one.at,
        expires_at,
        one.decision.approvers,
        one.decision.editable,
        warn_at,
        next_at,
    )
