"""A run: the accountability sentence, then everything that happened on one spine."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST

from agents import access, again
from agents.accounted import Accounted, account_for
from agents.connectors import registry as connectors
from agents.models import Action, Attempt, Outcome, Pause, Policy, Run
from agents.models.action import State
from agents.rules.policy_specs import OWN_IDS, clause_words
from agents.sentence import sentence
from agents.tasks import wake
from approvals.models import Approval, Edit, Verdict
from audit.timeline import Filters, Row, timeline
from console.told import names_of
from console.views import page
from console.views.boundaries import names
from console.views.page import signed_in
from console.views.run_filters import RunFilters

GOAL = timedelta(seconds=60)
OPEN = (State.WAITING, State.READY, State.HELD, State.SENDING)
MOVING = (State.READY, State.SENDING)
GATE = ("action.permitted", "action.held", "action.let_go", "action.refused", "action.retried")


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of the score."""

    label: str
    kind: str
    weight: int
    outcome: str
    value: str
    why: str
    cites: list[str]


@dataclass(frozen=True, slots=True)
class Check:
    """What the gate said once. `entry` is its number in the record, None while unsealed."""

    verb: str
    at: datetime
    why: str
    entry: int | None


@dataclass(slots=True)
class Deed:
    """One action with everything about it, in the order of the spine."""

    number: int
    action: Action
    approval: Approval | None
    play: str = ""
    why: str = ""
    answers: list[Verdict] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    gate: list[Check] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    can_undo: bool = False
    can_send_again: bool = False

    @property
    def payload(self) -> list[tuple[str, str]]:
        """What it sends, whole, each value by its path."""
        return list(_flat(self.action.document))

    @property
    def receipt(self) -> dict[str, Any]:
        return self.attempts[-1].receipt if self.attempts else {}

    @property
    def took(self) -> timedelta:
        """From the signal's receipt until it was settled."""
        return (self.action.settled_at or timezone.now()) - self.action.received_at

    @property
    def policy(self) -> int:
        """The version that governed it."""
        return self.action.policy.version

    @property
    def no_because(self) -> str:
        """The reason of a no, in words; "" without one."""
        return self.approval.reason.replace("-", " ") if self.approval else ""

    @property
    def hash(self) -> str:
        return bytes(self.action.payload_hash).hex()

    @property
    def waited(self) -> timedelta:
        """How long a person took."""
        if self.approval is None:
            return timedelta()
        return (self.approval.decided_at or timezone.now()) - self.approval.opened_at


def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """`/runs/<id>`, with the list's filters for next and previous. Asks anew until every action is settled."""
    seen = access.visible(request.user, Run.objects.all())
    found = get_object_or_404(
        seen.select_related("agent__owner", "agent__deputy", "region", "segment", "play", "policy"), pk=pk
    )
    accounted = account_for([found])[found.pk]
    signal = accounted.signal
    deeds = _deeds(accounted, request.user)
    actions = accounted.actions
    moving = any(action.state in MOVING for action in actions)
    pending = moving or any(action.state in OPEN for action in actions)
    filters = RunFilters(request.GET, request.user)
    newer, older = filters.beside(found)
    context = {
        "run": found,
        "signal": signal,
        "sentence": sentence(accounted),
        "owner_then": accounted.owner_at(found.decided_at),
        "reasons": _reasons(found),
        "clause": _clause(found.policy, found.clause),
        "own_rule": _own_rule(found),
        "deeds": deeds,
        "fields": [(name, plain(value)) for name, value in signal.fields.items()] if signal else [],
        "outcomes": _outcomes(accounted),
        "timing": _timing(found, deeds),
        "every": ("1s" if moving else "5s") if pending else "",
        "filters": filters,
        "newer": newer,
        "older": older,
        "goal": GOAL,
        "decided": found.decided_at - found.received_at,
        "may_resend": access.may(request.user, access.RESEND, found),
    }
    settled = getattr(request, "htmx", False) and not pending
    return page.render(request, "runs/run.html", context, fragment="live", status=286 if settled else 200)


def _deeds(accounted: Accounted, person: Any) -> list[Deed]:
    run, actions = accounted.run, _in_order(accounted.actions)
    deeds = {
        action.pk: Deed(n, action, accounted.approval_of(action), accounted.play_name(action))
        for n, action in enumerate(actions, 1)
    }
    if not deeds:
        return []
    for pk, attempts in accounted.attempts.items():
        deeds[pk].attempts = attempts
    entries = [entry for entry in reversed(timeline(Filters(run=run.pk), limit=200)) if entry.verb in GATE]
    pauses = _pauses([*(action.why for action in actions), *map(_why, entries)])
    for entry in entries:
        action_id = _uuid(entry.subject)
        if action_id in deeds:
            deed = deeds[action_id]
            why = _why(entry)
            deed.gate.append(Check(entry.verb.partition(".")[2], entry.at, pauses.get(why, why), entry.seq))
    undone = {a.undo_of for a in actions if a.undo_of and a.state not in (State.FAILED, State.REFUSED)}
    may = access.may(person, access.RESEND, run)
    for deed in deeds.values():
        deed.why = _in_words(pauses.get(deed.action.why, deed.action.why), deeds)
        if deed.approval:
            deed.answers = accounted.answers.get(deed.approval.pk, [])
            deed.edits = accounted.edits.get(deed.approval.pk, [])
        deed.can_send_again = may and deed.action.state in again.AGAIN and deed.action.undo_of is None
        deed.can_undo = (
            may
            and deed.action.state == State.DELIVERED
            and deed.action.undo_of is None
            and deed.action.pk not in undone
            and _undoable(deed.action)
        )
    return list(deeds.values())


def _why(entry: Row) -> str:
    """What the entry gives as its reason: words, or the pause that held or let go."""
    pause = entry.detail.get("pause")
    return f"pause:{pause}" if pause else str(entry.detail.get("why", ""))


def _in_order(actions: Iterable[Action]) -> list[Action]:
    """As they were made, those made together in the order of the play's steps; a later one never moves an earlier."""

    def place(action: Action) -> tuple[datetime, int, UUID]:
        steps = [step.get("key") for step in action.play.steps]
        return action.created_at, steps.index(action.step) if action.step in steps else len(steps), action.pk

    return sorted(actions, key=place)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for n, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{n}]")
    else:
        yield path, plain(value)


def plain(value: Any) -> str:
    """A value as its JSON has it, text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _undoable(action: Action) -> bool:
    """Whether its play names a way back and its kind of connection has one; `again.undo` has the last word."""
    step: dict[str, Any] = next((one for one in action.play.steps if one.get("key") == action.step), {})
    connector = connectors.get(action.connection.kind)
    return step.get("undo") is not None and getattr(connector, "can_undo", True) is not False


def _reasons(run: Run) -> list[Reason]:
    """What matched first, then what did not, then what was not known; the heaviest first within each."""
    order = {"matched": 0, "not_matched": 1, "missing": 2}
    found = [
        Reason(
            one.get("label", ""),
            one.get("kind", ""),
            one.get("weight", 0),
            one.get("outcome", "missing"),
            one.get("value", ""),
            one.get("why", ""),
            one.get("cites", [])[:5],
        )
        for one in run.reasons
    ]
    return sorted(found, key=lambda one: (order.get(one.outcome, 3), -one.weight))


def _clause(policy: Policy, clause: str) -> str:
    """The clause in words, plays and scopes by their names; "" for one of Signalbox's own."""
    part = next((part for part in policy.spec.get("clauses", ()) if part.get("id") == clause), None)
    if part is None:
        return ""
    return clause_words(part, names() if part.keys() & {"plays", "regions", "segments"} else {})


def _own_rule(run: Run) -> str:
    """What one of Signalbox's own rules, that every policy has, said of the run, in words; "" for any other."""
    own = run.clause in OWN_IDS or run.clause.startswith("stage:")
    return run.why.partition(": ")[2] if own else ""


def _outcomes(accounted: Accounted) -> list[tuple[Outcome, str]]:
    """Each outcome with who reported it, by name where they have one."""
    names = names_of({outcome.actor for outcome in accounted.outcomes})
    return [(outcome, names.get(outcome.actor, outcome.actor)) for outcome in accounted.outcomes]


@dataclass(frozen=True, slots=True)
class Timing:
    """From received to the last delivery, and how much of it was a person's time; None while it goes on."""

    total: timedelta | None
    asked: timedelta
    ended: datetime | None

    @property
    def own(self) -> timedelta | None:
        """What Signalbox itself took."""
        return self.total - self.asked if self.total is not None else None

    @property
    def within(self) -> bool:
        return self.own is not None and self.own <= GOAL


def _timing(run: Run, deeds: Iterable[Deed]) -> Timing:
    ended = [
        deed.action.settled_at
        for deed in deeds
        if deed.action.state == State.DELIVERED and deed.action.undo_of is None and deed.action.settled_at
    ]
    asked = max((deed.waited for deed in deeds), default=timedelta())
    last = max(ended) if ended else None
    return Timing(last - run.received_at if last else None, asked, last)


def _pauses(whys: Iterable[str]) -> dict[str, str]:
    """ "pause:7" → that pause in words, for those among `whys`."""
    found = {why for why in whys if why.startswith("pause:") and why[6:].isdecimal()}
    if not found:
        return {}
    pauses = Pause.objects.select_related("agent", "region", "segment", "play", "connection", "set_by")
    return {
        f"pause:{pause.pk}": f"The pause of {pause}, set by {pause.set_by.name if pause.set_by else 'Signalbox'}: "
        f"{pause.reason}"
        for pause in pauses.filter(pk__in=[int(why[6:]) for why in found])
    }


def _in_words(why: str, deeds: dict[UUID, Deed]) -> str:
    """An action's `why` with other actions of the run named by their numbers."""
    for pk, deed in deeds.items():
        why = why.replace(str(pk), f"action {deed.number}")
    return why


def _uuid(subject: str) -> UUID | None:
    kind, _, key = subject.partition(":")
    try:
        return UUID(key) if kind == "action" else None
    except ValueError:
        return None


@require_POST
def send_again(request: HttpRequest, pk: UUID, action: UUID) -> HttpResponse:
    """Have it decided and sent anew."""
    (result,) = again.send_again([_of(request, pk, action).pk], person=signed_in(request))
    (messages.success if result.new else messages.warning)(request, result.says)
    wake()
    return page.redirect(request, _place(pk, result.new or action))


@require_POST
def undo(request: HttpRequest, pk: UUID, action: UUID) -> HttpResponse:
    """Take it back as its play says."""
    result = again.undo(_of(request, pk, action).pk, person=signed_in(request))
    (messages.success if result.new else messages.warning)(request, result.says)
    wake()
    return page.redirect(request, _place(pk, result.new or action))


@require_POST
def resolve(request: HttpRequest, pk: UUID, action: UUID) -> HttpResponse:
    """A person looked: `happened` is 1 or 0."""
    found = _of(request, pk, action)
    happened = request.POST.get("happened")
    if happened not in ("0", "1"):
        return page.trouble(request, status=422, title="Say whether it happened.")
    if not again.resolve_unknown(found.pk, happened=happened == "1", person=signed_in(request)):
        found.refresh_from_db()
        text = f"The action is {found.get_state_display().lower()} now: {found.why}"
        return page.trouble(request, status=409, title="Someone was first.", text=text)
    messages.success(request, "Noted: it happened." if happened == "1" else "Noted: it did not happen.")
    return page.redirect(request, _place(pk, action))


def _of(request: HttpRequest, run: UUID, action: UUID) -> Action:
    found = access.visible(request.user, Action.objects.filter(pk=action, run_id=run)).first()
    if found is None:
        raise Http404
    return found


def _place(run: UUID, action: UUID) -> str:
    ids = [one.pk for one in _in_order(Action.objects.filter(run_id=run).select_related("play"))]
    number = ids.index(action) + 1 if action in ids else 1
    return f"/runs/{run}#action-{number}"
