"""
The accountability sentence: who is accountable, what was done, to whom, why, under which clause and version, who said
yes, and what came of it.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from agents.accounted import Accounted, account_for
from agents.models import Action, Outcome, Run
from agents.models.action import State
from agents.rules.policy_specs import OWN_IDS
from approvals.models import Approval
from approvals.questions import TAKEN_BACK

HEADLINES = (
    State.UNKNOWN, State.FAILED, State.WAITING, State.SENDING, State.HELD, State.READY, State.REFUSED, State.REJECTED,
    State.EXPIRED, State.DELIVERED, State.SHADOW, State.WITHDRAWN,
)  # fmt: skip
"""Of several steps in different states the first of these is told; the others are named after it."""
OPEN = (State.WAITING, State.READY, State.HELD, State.SENDING, State.UNKNOWN)
"""While it is in one of these the owner of now is accountable; afterwards, whoever was then."""
CHANNELS = {"email": "by e-mail", "sandbox": "into the sandbox"}
DID = {
    State.DELIVERED: "sent {what} on {when}",
    State.READY: "is about to send {what}",
    State.SENDING: "is sending {what}",
    State.WAITING: "has wanted to send {what} since {asked}",
    State.HELD: "is held back from sending {what} by {pause}",
    State.FAILED: "tried to send {what} on {when} and failed{why}",
    State.UNKNOWN: "may have sent {what}, nobody knows whether it arrived{why}",
    State.REFUSED: "was refused at the gate on {when} when it was to send {what}{why}",
    State.REJECTED: "asked on {asked} to send {what}",
    State.EXPIRED: "asked on {asked} to send {what}",
    State.WITHDRAWN: "was to send {what}, which was withdrawn{why}",
    State.SHADOW: "would have sent {what} on {when}, but it was in shadow and sent nothing",
}
OWN_CLAUSES = {
    "stage:supervised": "which asks for everything while the agent is supervised",
    "stage:draft": "which does nothing while the agent is a draft",
    "stage:retired": "which does nothing once the agent is retired",
    "unassigned": "by the rule of every policy that nothing is done alone where region or segment is unassigned",
    "default": "in which no clause allows it",
    "stale": "which calls the signal too old",
}
SAYS = {"alone": "acts alone", "ask": "asks", "never": "never"}
TOLD = 3
"""So many outcomes are told, the others are counted."""
CHUNK = 500


def sentence(one: Accounted) -> str:
    """What a run did and what came of it, in a few sentences of plain text, times in the active time zone."""
    run = one.run
    done = [action for action in one.actions if action.undo_of is None]
    current = [action for action in done if action.state != State.WITHDRAWN] or done
    if not current:
        told = [f"{_who(one, run.decided_at)}: {run.agent.name} {_nothing(one)}", _under(run), "nobody was asked"]
        return f"{told[0]}, {told[1]}; {told[2]}.{_outcomes(one, None)}"
    lead = min(current, key=lambda action: HEADLINES.index(State(action.state)))
    at = None if lead.state in OPEN else lead.settled_at or lead.created_at
    did = DID[State(lead.state)].format(
        what=_what(one, lead),
        when=moment(lead.settled_at or lead.created_at),
        asked=_asked_at(one, lead),
        why=_because(lead.why.replace("Sent again as", "sent again as")),
        pause=_pause(one, lead.why),
    )
    parts = [f"{_who(one, at)}: {run.agent.name} {did}", f"because {_score(run)}", _under(run) + _governed(one, lead)]
    said = "; ".join(filter(None, (_said(one, lead), _again(one, lead))))
    whole = ", ".join(parts) + (f"; {said}" if said else "") + "."
    return whole + _steps(current) + _arrived(one, lead) + _undone(one) + _outcomes(one, lead)


def sentences(runs: Collection[UUID]) -> dict[UUID, str]:
    """
    The sentence of each run, by id, for exports and lists; a run that is not there (any more) is left out.

    At most 15 queries for every CHUNK of runs. Times are in the active time zone: an export activates UTC. Who may see
    a run is the caller's question.
    """
    ids = list(dict.fromkeys(runs))
    out: dict[UUID, str] = {}
    for start in range(0, len(ids), CHUNK):
        found = Run.objects.filter(pk__in=ids[start : start + CHUNK])
        ready = list(found.select_related("agent__owner", "play", "policy"))
        out |= {id: sentence(one) for id, one in account_for(ready).items()}
    return out


def whom(one: Accounted, action: Action | None = None) -> str:
    """Whom a run is about, or an action reaches, as far as known: "Kim Lind at Acme"."""
    run, signal = one.run, one.signal
    if signal is None:
        return run.account
    if signal.state == "erased":
        company = "" if run.account.startswith("contact:") else f" at {run.account}"
        return f"a person{company} who was erased since"
    account = signal.account_name or run.account
    person = signal.person or signal.email
    about = f"{person} at {account}" if person and person != account else account
    if action is not None and "@" in action.target and action.target.casefold() != signal.email.casefold():
        return f"{action.target}, about {about}"
    return about


def moment(at: datetime) -> str:
    """ "3 Nov 2026 10:00", in the active time zone."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y %H:%M}"


def _who(one: Accounted, at: datetime | None) -> str:
    then, now = one.owner_at(at), one.run.agent.owner
    if then == now:
        return f"{now.name} is accountable" if now else "Nobody is accountable, for the agent has no owner"
    was = f"{then.name} was accountable" if then else "Nobody was accountable, for the agent had no owner"
    return f"{was} ({f'{now.name} is' if now else 'nobody is'} now)"


def _what(one: Accounted, action: Action) -> str:
    channel = CHANNELS.get(action.connection.kind, f"through {action.connection.name}")
    return f"{one.play_name(action)} version {action.play_version} {channel} to {whom(one, action)}"


def _nothing(one: Accounted) -> str:
    run = one.run
    about = f"“{one.signal.type}” from {whom(one)}" if one.signal else f"a signal from {run.account}"
    on = moment(run.decided_at)
    if run.play is None:
        why = run.why.removeprefix("No play: ").replace("No play fits. ", "no play fits: ").rstrip(".")
        return f"did nothing on {on} about {about}, because {why or 'no play fits'} ({_score(run)})"
    if run.verdict == "never":
        why = run.why.removeprefix("Never: ").rstrip(".")
        unsent = f"did not send {run.play.name} to {whom(one)} on {on} after “{_type(one)}”"
        return f"{unsent}, because it must never: {why} ({_score(run)})"
    return f"made nothing on {on} of {about}, because {run.play.name} has no steps"


def _type(one: Accounted) -> str:
    return one.signal.type if one.signal else "a signal"


def _score(run: Run) -> str:
    matched = [one for one in run.reasons if one.get("outcome") == "matched" and one.get("weight")]
    top = [str(one["label"]) for one in sorted(matched, key=lambda one: -one["weight"])[:3]]
    brain, _, version = run.brain.partition("@")
    by = f"{brain} version {version}" if version else brain or "its brain"
    return f"{by} scored it {run.score}" + (f" ({', '.join(top)})" if top else "")


def _under(run: Run) -> str:
    return f"under policy version {run.policy.version}{_by(run.clause, run.verdict)}"


def _by(clause: str, verdict: str) -> str:
    if not clause:
        return ", no clause of which was needed" if verdict == "none" else ""
    if clause in OWN_IDS or clause.startswith("stage:"):
        return f", {OWN_CLAUSES.get(clause, clause)}"
    return f", clause {clause} ({SAYS.get(verdict, verdict)})"


def _governed(one: Accounted, action: Action) -> str:
    """The version and clause that it was asked, or passed the gate, under, where those of the decision had gone."""
    run, approval = one.run, one.approval_of(action)
    if approval is not None:
        version, clause = approval.question.get("policy"), str(approval.question.get("clause") or "")
        if (version, clause) != (run.policy.version, run.clause):
            return f"; it was asked about under version {version}{_by(clause, 'ask')}"
    elif action.policy_id != run.policy_id:
        clause = action.permitted_by.removeprefix("clause:") if action.permitted_by.startswith("clause:") else ""
        return f"; it went by version {action.policy.version}" + (f", clause {clause}" if clause != run.clause else "")
    return ""


def _asked_at(one: Accounted, action: Action) -> str:
    approval = one.approval_of(action)
    return moment(approval.opened_at if approval else action.created_at)


def _said(one: Accounted, action: Action) -> str:
    approval = one.approval_of(action)
    if approval is None:
        return "nobody was asked"
    if approval.state == "approved":
        return _edited(one, approval) or _yeses(one, approval)
    if approval.state == "rejected":
        name = approval.decided_by.name if approval.decided_by else "somebody"
        at = moment(approval.decided_at or approval.opened_at)
        if approval.reason == TAKEN_BACK:
            return f"{name} said yes and took it back on {at}, so nothing was sent"
        reason = f" ({approval.reason.replace('-', ' ').replace('_', ' ')})" if approval.reason else ""
        return f"{name} said no on {at}{reason}, so nothing was sent"
    if approval.state == "waiting":
        given = _yeses(one, approval)
        of = f"{given}, {len(one.answers.get(approval.pk, ()))} of {approval.needed} needed" if given else ""
        return f"{of or 'nobody has said yes yet'}, and the question expires on {moment(approval.expires_at)}"
    if approval.state == "expired":
        return f"nobody answered until {moment(approval.expires_at)}, so nothing was sent"
    return "the question was withdrawn, so nothing was sent"


def _yeses(one: Accounted, approval: Approval) -> str:
    """Everybody whose yes stands, when each said it, and in whose stead."""
    said = [answer for answer in one.answers.get(approval.pk, ()) if answer.said == "yes"]
    if not said and approval.state == "approved" and approval.decided_by and approval.decided_at:
        return f"{approval.decided_by.name} said yes on {moment(approval.decided_at)}"
    each = [
        f"{answer.person.name}{_stead(one, approval, answer.person.actor)} on {moment(answer.at)}" for answer in said
    ]
    if len(said) == 1:
        return f"{said[0].person.name}{_stead(one, approval, said[0].person.actor)} said yes on {moment(said[0].at)}"
    return f"{' and '.join(each)} said yes" if each else ""


def _stead(one: Accounted, approval: Approval, actor: str) -> str:
    for row in one.entries.get(approval.subject, ()):
        behalf = row.detail.get("behalf")
        if row.verb != "action.again" and row.detail.get("to") == actor and behalf and behalf != actor:
            known = one.people.get(str(behalf))
            return f" (standing in for {known.name if known else 'somebody else'})"
    return ""


def _edited(one: Accounted, approval: Approval) -> str:
    """Who changed what is sent, and then the yes to it; "" where nothing was changed."""
    edits = one.edits.get(approval.pk, [])
    told = [f"{edit.person.name} changed {' and '.join(sorted(edit.changes))} on {moment(edit.at)}" for edit in edits]
    if not told:
        return ""
    yes, own = _yeses(one, approval), f"{edits[-1].person.name} said yes "
    return f"{', '.join(told)}, then {yes.removeprefix(edits[-1].person.name + ' ') if yes.startswith(own) else yes}"


def _again(one: Accounted, action: Action) -> str:
    """Who had it sent again, where it took the place of an earlier one."""
    for rows in one.entries.values():
        for row in rows:
            if row.verb == "action.again" and row.detail.get("by") == str(action.pk):
                known = one.people.get(row.actor)
                return f"{known.name if known else row.actor} had it sent again on {moment(row.at)}"
    return ""


def _because(why: str) -> str:
    return f" ({why.rstrip('.')})" if why else ""


def _pause(one: Accounted, why: str) -> str:
    pause = one.pauses.get(why)
    if pause is None:
        return "a pause"
    by = pause.set_by.name if pause.set_by else "Signalbox"
    return f"the pause of {pause} that {by} set on {moment(pause.set_at)}{_because(pause.reason)}"


def _steps(actions: Sequence[Action]) -> str:
    if len(actions) < 2:
        return ""
    states = Counter(State(action.state).label.lower() for action in actions)
    if len(states) == 1:
        return (
            f" All its {len(actions)} steps are {next(iter(states))}: {', '.join(action.step for action in actions)}."
        )
    told = [f"{action.step} {State(action.state).label.lower()}" for action in actions]
    return f" Of its {len(actions)} steps: {', '.join(told)}."


def _arrived(one: Accounted, action: Action) -> str:
    """How it was answered, for what went out."""
    attempts = one.attempts.get(action.pk, [])
    if action.state not in (State.DELIVERED, State.FAILED):
        return ""
    status = attempts[-1].status if attempts else None
    answered = "" if status is None else f"the answer was {status}"
    looked = action.why.rstrip(".") if action.state == State.DELIVERED else ""
    if answered and looked.startswith(str(status)):
        answered, looked = f"the answer was “{looked}”", ""
    if action.state == State.FAILED and action.why.startswith(str(status)):
        answered = ""
    tries = f"after {action.tries} attempts" if action.tries > 1 else ""
    told = ", ".join(filter(None, (looked, answered, tries)))
    return f" {told[:1].upper()}{told[1:]}." if told else ""


def _undone(one: Accounted) -> str:
    undoing = [action for action in one.actions if action.undo_of is not None]
    if not undoing:
        return ""
    last = undoing[-1]
    known = one.people.get(last.permitted_by)
    by = f", by {known.name}" if known else ""
    aside = f"{by}," if by else ""
    if last.state == State.DELIVERED:
        return f" It was taken back on {moment(last.settled_at or last.created_at)}{by}."
    if last.state in (State.READY, State.SENDING):
        return f" It is being taken back{by}."
    if last.state == State.HELD:
        return f" It is to be taken back{by}; a pause holds that."
    return f" Taking it back{aside} did not work{_because(last.why)}."


def _outcomes(one: Accounted, lead: Action | None) -> str:
    if one.outcomes:
        more = len(one.outcomes) - TOLD
        told = "".join(f" {_outcome(outcome, lead)}" for outcome in one.outcomes[:TOLD])
        return told + (f" And {more} more outcomes were reported." if more > 0 else "")
    if lead is not None and lead.state == State.DELIVERED:
        return " No outcome has been reported yet."
    return ""


def _outcome(outcome: Outcome, lead: Action | None) -> str:
    kind, at = outcome.kind[:1].upper() + outcome.kind[1:], moment(outcome.received_at)
    value = f"{outcome.value.normalize():f}"
    beside = "" if outcome.acted else ", before anything was delivered" if lead else ", without its doing"
    if lead is not None and lead.state != State.DELIVERED and not outcome.acted:
        beside = ", without its doing"
    return f"{kind} worth {value} was reported on {at}{beside}."
