"""The accountability sentence: who is accountable, what was done, to whom, why, under what, and who said yes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from agents.models import Action, Run, Signal
from agents.models.action import State
from agents.rules.policy_specs import OWN_IDS
from approvals.models import Approval

HEADLINES = (
    State.UNKNOWN, State.FAILED, State.WAITING, State.SENDING, State.HELD, State.READY, State.REFUSED, State.REJECTED,
    State.EXPIRED, State.DELIVERED, State.SHADOW, State.WITHDRAWN,
)  # fmt: skip
"""Of several steps in different states the first of these is told; the others are counted after it."""
CHANNELS = {"email": "by e-mail", "sandbox": "into the sandbox"}
DID = {
    State.DELIVERED: "sent {what} on {when}",
    State.READY: "is about to send {what}",
    State.SENDING: "is sending {what}",
    State.WAITING: "wants to send {what}",
    State.HELD: "is held back by a pause from sending {what}",
    State.FAILED: "tried to send {what} and failed{why}",
    State.UNKNOWN: "may have sent {what}, nobody knows whether it arrived{why}",
    State.REFUSED: "was refused at the gate when it was to send {what}{why}",
    State.REJECTED: "asked to send {what}",
    State.EXPIRED: "asked to send {what}",
    State.WITHDRAWN: "was to send {what}, which was withdrawn{why}",
    State.SHADOW: "would have sent {what}, but it is in shadow and sent nothing",
}
OWN_CLAUSES = {
    "stage:supervised": "which asks for everything while the agent is supervised",
    "stage:draft": "which does nothing while the agent is a draft",
    "stage:retired": "which does nothing once the agent is retired",
    "unassigned": "which never acts alone where region or segment is unassigned",
    "default": "in which no clause allows it",
    "stale": "which calls the signal too old",
}
SAYS = {"alone": "acts alone", "ask": "asks", "never": "never"}


def sentence(
    run: Run, signal: Signal | None, actions: Sequence[Action], approvals: Mapping[UUID, Approval] | None = None
) -> str:
    """
    What a run did, in one or two sentences of plain text, times in the active time zone.

    `run` with agent, owner, play and policy; `actions`, with their connections, are all of the run's; `approvals` by
    id, with who decided. `signal` is None once its month was dropped: then the account stands for whom.
    """
    done = [action for action in actions if action.undo_of is None]
    current = [action for action in done if action.state != State.WITHDRAWN] or done
    owner = run.agent.owner
    who = f"{owner.name} is accountable" if owner else "Nobody is accountable, for the agent has no owner"
    if not current:
        return f"{who}: {run.agent.name} {_nothing(run, signal)}, {_under(run)}."
    lead = min(current, key=lambda action: HEADLINES.index(State(action.state)))
    did = DID[State(lead.state)].format(
        what=_what(run, signal, lead), when=moment(lead.settled_at or lead.created_at), why=_because(lead.why)
    )
    parts = [f"{who}: {run.agent.name} {did}", f"because {_score(run)}", _under(run)]
    said = _said(lead, run, (approvals or {}).get(lead.approval_id) if lead.approval_id else None)
    return ", ".join(parts) + (f"; {said}" if said else "") + "." + _others(current) + _undone(actions)


def whom(run: Run, signal: Signal | None) -> str:
    """The person and account a run is about, as far as they are known: "Kim Lind at Acme"."""
    if signal is None:
        return run.account
    account = signal.account_name or run.account
    person = signal.person or signal.email
    return f"{person} at {account}" if person and person != account else account


def moment(at: datetime) -> str:
    """ "3 Nov 2026 10:00", in the active time zone."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y %H:%M}"


def _what(run: Run, signal: Signal | None, action: Action) -> str:
    play = run.play.name if run.play else action.step
    channel = CHANNELS.get(action.connection.kind, f"through {action.connection.name}")
    return f"{play} {channel} to {whom(run, signal)}"


def _nothing(run: Run, signal: Signal | None) -> str:
    about = f"“{signal.type}” from {whom(run, signal)}" if signal else f"a signal from {run.account}"
    if run.play is None:
        why = run.why.removeprefix("No play: ").removeprefix("No play fits. ").rstrip(".")
        return f"did nothing about {about}, because {why or 'no play fits'}"
    if run.verdict == "never":
        why = run.why.removeprefix("Never: ").rstrip(".")
        return f"did not send {run.play.name} to {whom(run, signal)} after {about}, because {why}"
    return f"made nothing of {about}, because {run.play.name} has no steps"


def _score(run: Run) -> str:
    matched = [one for one in run.reasons if one.get("outcome") == "matched" and one.get("weight")]
    top = [str(one["label"]) for one in sorted(matched, key=lambda one: -one["weight"])[:3]]
    return f"score {run.score} ({', '.join(top)})" if top else f"score {run.score}"


def _under(run: Run) -> str:
    version = f"under policy version {run.policy.version}"
    if not run.clause:
        return version
    if run.clause in OWN_IDS or run.clause.startswith("stage:"):
        return f"{version}, {OWN_CLAUSES.get(run.clause, run.clause)}"
    return f"{version}, clause {run.clause} ({SAYS.get(run.verdict, run.verdict)})"


def _said(action: Action, run: Run, approval: Approval | None) -> str:
    if approval is None:
        asked = action.state == State.SHADOW or run.verdict != "alone"
        return "" if asked else "nobody was asked"
    name = approval.decided_by.name if approval.decided_by else ""
    at = moment(approval.decided_at) if approval.decided_at else ""
    if approval.state == "approved":
        return f"{_yeses(approval) if approval.needed > 1 else name} said yes on {at}"
    if approval.state == "rejected":
        reason = f" ({approval.reason.replace('-', ' ').replace('_', ' ')})" if approval.reason else ""
        return f"{name} said no on {at}{reason}, so nothing was sent"
    if approval.state == "waiting":
        return f"nobody has said yes yet, and the question expires on {moment(approval.expires_at)}"
    if approval.state == "expired":
        return "nobody answered in time, so nothing was sent"
    return "the question was withdrawn, so nothing was sent"


def _yeses(approval: Approval) -> str:
    said = approval.answers.filter(said="yes", voided_at=None).order_by("id")
    return " and ".join(said.values_list("person__name", flat=True))


def _because(why: str) -> str:
    return f" ({why.rstrip('.')})" if why else ""


def _others(actions: Sequence[Action]) -> str:
    states = Counter(State(action.state).label.lower() for action in actions)
    if len(states) < 2:
        return ""
    counted = [f"{count} {word}" for word, count in states.items()]
    return f" Of its {len(actions)} steps: {', '.join(counted)}."


def _undone(actions: Sequence[Action]) -> str:
    undoing = [action for action in actions if action.undo_of is not None]
    if not undoing:
        return ""
    last = undoing[-1]
    if last.state == State.DELIVERED:
        return f" It was taken back on {moment(last.settled_at or last.created_at)}."
    if last.state in (State.READY, State.SENDING):
        return " It is being taken back."
    if last.state == State.HELD:
        return " It is to be taken back, which a pause holds."
    return f" Taking it back did not work{_because(last.why)}."
