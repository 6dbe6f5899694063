"""Handling: what one agent makes of one signal, as rows to write. The database is `decide`'s business."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from agents.brains.contract import Thought
from agents.brains.scorecard import ScorecardBrain
from agents.loop.judged import facts_for
from agents.loop.render import ACTOR, ActionRow, Handling, Heard, Rendered, render
from agents.registry import AgentNow, PlayNow, Snapshot
from agents.rules.boundaries import Decision
from agents.rules.facts import Facts, facts_document
from approvals.questions import Question
from audit.entries import Line
from audit.ids import new_ids
from audit.persons import Personal

BRAIN = ScorecardBrain()


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
    facts: str


@dataclass(slots=True)
class Handled:
    """Everything to be written, gathered over a batch."""

    runs: list[RunRow] = field(default_factory=list)
    actions: list[ActionRow] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def document_of(signal: Heard, now: Snapshot, history: dict[str, Any]) -> dict[str, Any]:
    """What scorecards, conditions and templates read: {"signal", "account", "history"}."""
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
            "region": now.regions[signal.region].code,
            "segment": now.segments[signal.segment].code,
            "payload": orjson.loads(signal.payload),
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
    facts, decision = None, None
    rendered: list[Rendered] = []
    if play is not None:
        facts = facts_for(signal, agent, now, play, thought.confidence_pct, at)
        decision = agent.policy.decide(facts)
        if decision.verdict != "never":
            one = Handling(signal, agent, now, play, decision, thought, document, run, at)
            rendered = [render(one, step, ids.pop(), ids.pop()) for step in play.steps]
    out.runs.append(_run(signal, agent, play, thought, facts, decision, run, at))
    out.actions += [part.action for part in rendered]
    out.questions += [part.question for part in rendered if part.question]
    line = _line(signal, agent, now, play, thought, decision, run, rendered)
    out.lines += [line, *(part.line(line) for part in rendered if part.verb)]
    return run, thought


def decide_play(
    signal: Heard, agent: AgentNow, now: Snapshot, play: PlayNow, confidence_pct: int, at: datetime
) -> Decision:
    """What the agent's boundaries say to this play on this signal, at this moment."""
    return agent.policy.decide(facts_for(signal, agent, now, play, confidence_pct, at))


def _run(
    signal: Heard, agent: AgentNow, play: PlayNow | None, thought: Thought, facts: Facts | None,
    decision: Decision | None, run: UUID, at: datetime,
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
        orjson.dumps(facts_document(facts)).decode() if facts else "{}",
    )


def _line(
    signal: Heard, agent: AgentNow, now: Snapshot, play: PlayNow | None, thought: Thought, decision: Decision | None,
    run: UUID, rendered: list[Rendered],
) -> Line:  # fmt: skip
    return Line(
        verb="run.decided",
        subject=f"run:{run}",
        actor=ACTOR,
        agent=agent.slug,
        run=run,
        region=now.regions[signal.region].code,
        segment=now.segments[signal.segment].code,
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
            "actions": [str(part.action.id) for part in rendered],
            **_whom(signal, rendered),
        },
    )


def _whom(signal: Heard, rendered: list[Rendered]) -> dict[str, Personal]:
    """Whom it is about, and whom else it reaches, where it leads to an action; sealed once for all that follows."""
    if not rendered:
        return {}
    about = f"{signal.person} <{signal.email}>" if signal.person else signal.email
    others = {part.action.contact: part.action.target for part in rendered if part.action.contact != signal.contact}
    return {
        "about": Personal(signal.contact, about),
        **{f"to{n or ''}": Personal(contact, target) for n, (contact, target) in enumerate(others.items())},
    }
