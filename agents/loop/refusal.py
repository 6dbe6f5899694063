"""What stands against an action at the gate, pauses apart: all that was true when it was decided must be true still."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from agents.loop.claim import Claimed
from agents.models.scope import UNASSIGNED
from agents.registry import AgentNow, ConnectionNow, PlayNow, Snapshot
from agents.rules.binding import bind
from agents.rules.boundaries import Decision, Facts

APPROVALS = "SELECT id, state, binding, question->>'clause' FROM approvals_approval WHERE id = ANY(%s::uuid[])"
SUPPRESSED = "SELECT contact FROM agents_donotcontact WHERE contact = ANY(%s::bytea[])"
CONFIDENCE = "SELECT id, confidence FROM agents_run WHERE id = ANY(%s::uuid[])"


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says of the claimed: approvals' (state, binding, clause), people not to be contacted, and the
    confidence of those runs whose agent's policy is another since."""

    now: Snapshot
    clock: datetime
    approvals: dict[UUID, tuple[str, bytes, str]]
    suppressed: set[bytes]
    confidence: dict[UUID, int]


def known(cursor: Any, now: Snapshot, clock: datetime, claimed: list[Claimed]) -> Known:
    """Read it in a statement a kind, and none where nothing is to be known."""
    approvals = _fetch(cursor, APPROVALS, [action.approval for action in claimed if action.approval])
    suppressed = _fetch(cursor, SUPPRESSED, [action.contact for action in claimed if action.contact])
    confidence = _fetch(cursor, CONFIDENCE, [action.run for action in claimed if _under_another(now, action)])
    return Known(
        now,
        clock,
        {id_: (state, bytes(binding), clause) for id_, state, binding, clause in approvals},
        {bytes(contact) for (contact,) in suppressed},
        dict(confidence),
    )


def refusal(known: Known, action: Claimed) -> str:
    """Why it may not go, or nothing. In words: they are shown and recorded. Never raises."""
    now = known.now
    connection = now.connections.get(action.connection)
    if connection is None or connection.fault:
        return connection.fault if connection else "The connection is gone."
    if sha256(action.payload).digest() != bytes(action.payload_hash):
        return "The payload is not what was decided: its hash differs."
    if action.contact in known.suppressed:
        return "The person is on the do-not-contact list."
    if action.undo_of is not None:
        return ""
    agent = now.agents.get(action.agent)
    if agent is None:
        return now.faults.get(f"agent:{action.agent}", "The agent is retired, or back in draft.")
    if agent.stage == "shadow":
        return "The agent is in shadow: it sends nothing."
    play = now.plays_by_id.get(action.play)
    if play is None:
        return "The play is switched off or faulty."
    if play.version != action.play_version:
        return "The play was changed since; send it again to have it decided anew."
    age = agent.policy.limits.max_signal_age_minutes
    if age is not None and known.clock - action.received_at > timedelta(minutes=age):
        return f"The signal is older than the {age} minutes in which it is worth acting on."
    if action.approval is not None:
        return _without_yes(known, action, connection) or _beyond(known, action, agent, play)
    if agent.stage == "supervised":
        return "The agent asks for everything since; send it again to have it decided anew."
    return _beyond(known, action, agent, play)


def _without_yes(known: Known, action: Claimed, connection: ConnectionNow) -> str:
    assert action.approval is not None
    state, binding, clause = known.approvals.get(action.approval, ("missing", b"", ""))
    if state != "approved":
        return f"Its approval is {state}."
    if binding != binding_of(action, connection, clause):
        return "What was approved is not what would be sent."
    return ""


def _beyond(known: Known, action: Claimed, agent: AgentNow, play: PlayNow) -> str:
    """Boundaries published since have the last word: alone, or asking by the clause that was answered."""
    if agent.policy_id == action.policy:
        return ""
    decision = _decide_again(known, action, agent, play)
    answered = action.approval is not None and decision.clause == known.approvals[action.approval][2]
    if decision.verdict == "alone" or (decision.verdict == "ask" and answered):
        return ""
    return f"The agent's boundaries changed since: {decision.why}. Send it again to have it decided anew."


def _decide_again(known: Known, action: Claimed, agent: AgentNow, play: PlayNow) -> Decision:
    region, segment = known.now.regions[action.region].code, known.now.segments[action.segment].code
    return agent.policy.decide(
        Facts(
            play=play.slug,
            region=None if region == UNASSIGNED else region,
            segment=None if segment == UNASSIGNED else segment,
            confidence_pct=known.confidence.get(action.run, 0),
            risk=play.risk,
            stage=agent.stage,
        )
    )


def _under_another(now: Snapshot, action: Claimed) -> bool:
    agent = now.agents.get(action.agent)
    return agent is not None and agent.policy_id != action.policy and action.undo_of is None


def binding_of(action: Claimed, connection: ConnectionNow, clause: str) -> bytes:
    """The hash that a yes binds: payload, connection as configured, target, play's version and clause."""
    return bind(
        payload_hash=bytes(action.payload_hash),
        connection=connection.fingerprint,
        target=action.target,
        play=f"{action.play}@{action.play_version}",
        clause=clause,
    )


def _fetch(cursor: Any, sql: str, keys: list[Any]) -> list[tuple[Any, ...]]:
    return cursor.execute(sql, [keys]).fetchall() if keys else []
