"""What stands against an action at the gate, pauses apart: all that was true when it was decided must be true still."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from agents.access.gate import allowed
from agents.access.reach import Reach
from agents.access.roles import RESEND
from agents.loop import past
from agents.loop.answered import MISSING, Yeses, without_yes, yeses
from agents.loop.claim import Claimed
from agents.loop.past import Past
from agents.models.scope import UNASSIGNED
from agents.registry import AgentNow, PlayNow, Snapshot
from agents.rules.boundaries import Decision
from agents.rules.facts import facts_of
from agents.rules.hours import quiet_until, time_zone

GMT = ZoneInfo("UTC")
SUPPRESSED = "SELECT contact FROM agents_donotcontact WHERE contact = ANY(%s::bytea[])"


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says of the claimed: what was answered, people not to be contacted, and what those runs were
    decided on whose boundaries are asked again."""

    now: Snapshot
    clock: datetime
    yeses: Yeses
    suppressed: set[bytes]
    runs: dict[UUID, Past]
    undoing: dict[int, Reach]
    """Where each of those who take something back may do so now."""


def known(cursor: Any, now: Snapshot, clock: datetime, claimed: list[Claimed]) -> Known:
    """Read it in a statement a kind, and none where nothing is to be known."""
    suppressed = _fetch(cursor, SUPPRESSED, [action.contact for action in claimed if action.contact])
    again = [action for action in claimed if _asked_again(now, action)]
    fields = any(now.agents[action.agent].policy.reads_fields for action in again)
    return Known(
        now,
        clock,
        yeses(cursor, claimed),
        {bytes(contact) for (contact,) in suppressed},
        past.these(cursor, [action.run for action in again], fields=fields),
        allowed(cursor, {by for action in claimed if (by := _undone_by(action))}, RESEND),
    )


def _undone_by(action: Claimed) -> int | None:
    """The id of the person who takes something back by it."""
    kind, _, id_ = action.permitted_by.partition(":")
    return int(id_) if action.undo_of is not None and kind == "person" else None


def _without_leave(known: Known, action: Claimed) -> str:
    where = {"agent": action.agent, "region": action.region, "segment": action.segment}
    by = _undone_by(action)
    if by is None or (by in known.undoing and known.undoing[by].holds(**where)):
        return ""
    return "Whoever asked to take it back no longer may."


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
        return _without_leave(known, action)
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
        return without_yes(known.yeses, action, agent, connection) or _beyond(known, action, agent, play)
    if agent.stage == "supervised":
        return "The agent asks for everything since; send it again to have it decided anew."
    return _beyond(known, action, agent, play)


def _beyond(known: Known, action: Claimed, agent: AgentNow, play: PlayNow) -> str:
    """Boundaries published since have the last word, and so have those that speak of hours or people: alone, or asking
    by the clause that was answered."""
    if agent.policy_id == action.policy and not agent.policy.timely:
        return ""
    decision = _decide_again(known, action, agent, play)
    question = known.yeses.questions.get(action.approval, MISSING) if action.approval else None
    answered = question is not None and decision.clause == question.clause
    if decision.verdict == "alone" or (decision.verdict == "ask" and answered):
        return ""
    since = "The agent's boundaries changed since" if agent.policy_id != action.policy else "At this moment"
    return f"{since}: {decision.why}. Send it again to have it decided anew."


def _decide_again(known: Known, action: Claimed, agent: AgentNow, play: PlayNow) -> Decision:
    region, segment = known.now.regions[action.region], known.now.segments[action.segment].code
    facts = known.runs[action.run].facts if action.run in known.runs else facts_of({})
    return agent.policy.decide(
        replace(
            facts,
            play=play.slug,
            region=None if region.code == UNASSIGNED else region.code,
            segment=None if segment == UNASSIGNED else segment,
            risk=play.risk,
            stage=agent.stage,
            age_minutes=max(0.0, (known.clock - action.received_at).total_seconds() / 60),
            account=action.account,
            person=action.contact.hex() if action.contact else "",
            reversible=play.reversible,
            at=known.clock,
            zone=facts.zone or region.time_zone,
        )
    )


def quiet(known: Known, action: Claimed) -> tuple[str, datetime] | None:
    """
    Why it waits, and until when, where quiet hours hold for its recipient now; None when nothing is quiet.

    By the recipient's own time zone where the run knows it, else the region's. What is taken back does not wait.
    """
    agent = known.now.agents.get(action.agent)
    if agent is None or action.undo_of is not None or not agent.policy.limits.quiet:
        return None
    run = known.runs.get(action.run)
    zone = (time_zone(run.facts.zone) if run else None) or time_zone(known.now.regions[action.region].time_zone) or GMT
    until = quiet_until(agent.policy.limits.quiet, known.clock, zone)
    if until is None:
        return None
    return f"Quiet hours where the recipient is, until {until.astimezone(zone):%a %H:%M} ({zone.key}).", until


def _asked_again(now: Snapshot, action: Claimed) -> bool:
    agent = now.agents.get(action.agent)
    if agent is None or action.undo_of is not None:
        return False
    return agent.policy_id != action.policy or agent.policy.timely or bool(agent.policy.limits.quiet)


def _fetch(cursor: Any, sql: str, keys: list[Any]) -> list[tuple[Any, ...]]:
    return cursor.execute(sql, [keys]).fetchall() if keys else []
