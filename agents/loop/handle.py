"""Handling: what one agent makes of one signal, as rows to write. The database is `decide`'s business."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings

from agents.brains.contract import Thought
from agents.brains.scorecard import ScorecardBrain
from agents.registry import AgentNow, PlayNow, Snapshot, StepNow
from agents.rules.binding import bind
from agents.rules.boundaries import Decision, Facts
from agents.rules.canonical import canonical_bytes, identity_hash
from agents.rules.scopes import UNASSIGNED
from agents.unsubscribe import unsubscribe_url
from approvals.questions import Question
from audit.entries import Line
from audit.ids import new_ids

BRAIN = ScorecardBrain()
ACTOR = "worker:loop"
ASK_HOURS = 24
"""How long a question waits before it expires."""


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


class RunRow(NamedTuple):
    """A row of agents_run, in the order of decide's RUNS."""

    id: UUID
    signal: UUID
    agent: int
    region: int
    segment: int
    play: int | None
    policy: int
    account: str
    contact: bytes | None
    score: int
    confidence: int
    reasons: str
    verdict: str
    clause: str
    why: str
    shadow: bool
    brain: str
    received_at: datetime
    decided_at: datetime
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


@dataclass(slots=True)
class Handled:
    """Everything to be written, gathered over a batch."""

    runs: list[RunRow] = field(default_factory=list)
    actions: list[ActionRow] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def document_of(signal: Heard, now: Snapshot, history: Mapping[str, Any]) -> dict[str, Any]:
    """What scorecards, conditions and templates read: {"signal", "account", "history"}."""
    region, segment = now.regions[signal.region].code, now.segments[signal.segment].code
    payload = orjson.loads(signal.payload)
    return {
        "signal": {
            **signal.fields,
            "id": signal.external_id,
            "type": signal.type,
            "at": signal.occurred_at.isoformat(),
            "account": signal.account,
            "account_name": signal.account_name or None,
            "person": signal.person or None,
            "email": signal.email or None,
            "region": region,
            "segment": segment,
            "payload": payload,
        },
        "account": {"key": signal.account, "name": signal.account_name or signal.account},
        "history": history,
    }


def handle(
    out: Handled, signal: Heard, agent: AgentNow, now: Snapshot, document: dict[str, Any], *, at: datetime
) -> tuple[UUID, Thought]:
    """Score one signal for one agent, decide, and render what follows into `out`; the run's id and its thought."""
    thought = BRAIN.decide(document, scorecard=agent.scorecard, choices=agent.choices)
    play = now.plays.get(thought.play) if thought.play else None
    run, *ids = new_ids(1 + 2 * len(play.steps) if play else 1)
    region, segment = now.regions[signal.region].code, now.segments[signal.segment].code
    decision = _decide(signal, agent, thought, play, region, segment, at)
    first = len(out.actions)
    if play is not None and decision is not None and decision.verdict != "never":
        context = {**document, "score": thought.score, "confidence": thought.confidence_pct, "play": play.slug}
        context["agent"] = {"name": agent.name, "owner": agent.owner_name, "owner_email": agent.owner_email}
        context["hits"] = [reason["key"] for reason in thought.reasons if reason["outcome"] == "matched"]
        context["run"] = {"id": str(run)}
        for step in play.steps:
            _act(out, signal, agent, play, step, decision, thought, context, now, run, ids, at)
    out.runs.append(_run(signal, agent, play, thought, decision, run, at))
    line = Line(
        verb="run.decided",
        subject=f"run:{run}",
        actor=ACTOR,
        agent=agent.slug,
        run=run,
        region=region,
        segment=segment,
        account=signal.account,
        detail={
            "signal": str(signal.id),
            "score": thought.score,
            "confidence": thought.confidence_pct,
            "play": f"{play.slug}@{play.version}" if play else None,
            "verdict": decision.verdict if decision else "none",
            "shadow": agent.stage == "shadow",
            "clause": decision.clause if decision else "",
            "policy": agent.policy_version,
            "brain": f"{thought.brain}@{thought.version}",
            "actions": [str(action.id) for action in out.actions[first:]],
        },
    )
    out.lines.append(line)
    for action in out.actions[first:]:
        if action.state == "waiting":
            out.lines.append(
                line._replace(
                    verb="action.asked",
                    subject=f"action:{action.id}",
                    detail={"clause": decision.clause if decision else "", "approval": str(action.approval)},
                )
            )
        elif action.state == "failed":
            out.lines.append(
                line._replace(verb="action.failed", subject=f"action:{action.id}", detail={"why": action.why})
            )
    return run, thought


def _decide(
    signal: Heard, agent: AgentNow, thought: Thought, play: PlayNow | None, region: str, segment: str, at: datetime
) -> Decision | None:
    if play is None:
        return None
    return agent.policy.decide(
        Facts(
            play=play.slug,
            region=None if region == UNASSIGNED else region,
            segment=None if segment == UNASSIGNED else segment,
            confidence_pct=thought.confidence_pct,
            risk=play.risk,
            stage=agent.stage,
            age_minutes=max(0.0, (at - signal.received_at).total_seconds() / 60),
        )
    )


def _run(
    signal: Heard, agent: AgentNow, play: PlayNow | None, thought: Thought, decision: Decision | None, run: UUID,
    at: datetime,
) -> RunRow:  # fmt: skip
    why = decision.why if decision else thought.why
    if thought.play and play is None:
        why = f"The play “{thought.play}” is switched off or faulty."
    return RunRow(
        run,
        signal.id,
        agent.id,
        signal.region,
        signal.segment,
        play.id if play else None,
        agent.policy_id,
        signal.account,
        signal.contact,
        thought.score,
        thought.confidence_pct,
        orjson.dumps(thought.reasons).decode(),
        decision.verdict if decision else "none",
        decision.clause if decision else "",
        why,
        agent.stage == "shadow",
        f"{thought.brain}@{thought.version}",
        signal.received_at,
        at,
        signal.is_demo,
    )


def _act(
    out: Handled, signal: Heard, agent: AgentNow, play: PlayNow, step: StepNow, decision: Decision, thought: Thought,
    context: dict[str, Any], now: Snapshot, run: UUID, ids: list[UUID], at: datetime,
) -> None:  # fmt: skip
    """Render one step and put its action, in the state that the decision asks for, into `out`."""
    action, approval = ids.pop(), None
    state, why, settled = ("ready", "", None)
    contact = signal.contact
    try:
        payload = step.payload.render(context)
        if step.is_email:
            payload, contact = _addressed(payload, agent)
        body = canonical_bytes(payload)
    except ValueError as error:
        payload, body, state, why, settled = {}, b"{}", "failed", f"Not sent: {error}", at
    digest = sha256(body).digest()
    target = _target(payload, step, signal)
    if state == "ready" and agent.stage == "shadow":
        state, why, settled = (
            "shadow",
            "In shadow: it would have " + ("acted." if decision.verdict == "alone" else "asked."),
            at,
        )
    elif state == "ready" and decision.verdict == "ask":
        state, why, approval = "waiting", decision.why, ids.pop()
        out.questions.append(
            _question(
                signal, agent, play, step, decision, thought, payload, digest, target, now, run, action, approval, at
            )
        )
    out.actions.append(
        ActionRow(
            action,
            run,
            agent.id,
            play.id,
            play.version,
            step.key,
            step.connection.id,
            agent.policy_id,
            signal.region,
            signal.segment,
            signal.account,
            contact,
            target,
            body,
            digest,
            state,
            why,
            at + timedelta(minutes=step.delay_minutes),
            approval,
            f"clause:{decision.clause}",
            signal.received_at,
            at,
            settled,
            signal.is_demo,
        )
    )


def _addressed(payload: dict[str, Any], agent: AgentNow) -> tuple[dict[str, Any], bytes]:
    """A mail answers to the owner and can be unsubscribed from; its contact is whoever it is addressed to."""
    to = str(payload.get("to", ""))
    contact = identity_hash(settings.IDENTITY_KEY, to)
    return {"reply_to": agent.owner_email, "unsubscribe_url": unsubscribe_url(contact), **payload}, contact


def _target(payload: dict[str, Any], step: StepNow, signal: Heard) -> str:
    to = payload.get("to")
    return str(to) if to else f"{signal.account_name or signal.account} through {step.connection.slug}"


def _question(
    signal: Heard, agent: AgentNow, play: PlayNow, step: StepNow, decision: Decision, thought: Thought,
    payload: dict[str, Any], digest: bytes, target: str, now: Snapshot, run: UUID, action: UUID, approval: UUID,
    at: datetime,
) -> Question:  # fmt: skip
    region, segment = now.regions[signal.region], now.segments[signal.segment]
    return Question(
        approval,
        f"action:{action}",
        {
            "play": play.name,
            "play_version": play.version,
            "step": step.key,
            "connection": step.connection.slug,
            "target": target,
            "payload": payload,
            "account": signal.account_name or signal.account,
            "person": signal.person,
            "score": thought.score,
            "confidence": thought.confidence_pct,
            "reasons": thought.reasons[:12],
            "clause": decision.clause,
            "why": decision.why,
            "policy": agent.policy_version,
            "signal_type": signal.type,
            "signal_at": signal.received_at.isoformat(),
            "run": str(run),
            "agent": agent.name,
            "region": region.name,
            "segment": segment.name,
        },
        bind(
            payload_hash=digest,
            connection=step.connection.fingerprint,
            target=target,
            play=f"{play.id}@{play.version}",
            clause=decision.clause,
        ),
        agent.slug,
        region.code,
        segment.code,
        play.risk,
        at,
        at + timedelta(hours=ASK_HOURS),
    )
