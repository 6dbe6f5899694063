"""What accounts for runs: all that the sentence and the Run page say, for many runs in a bounded number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.models import Action, Attempt, Outcome, Pause, PlayVersion, Run, Signal
from agents.models.action import State
from approvals.models import Approval, Edit, Person, Verdict
from audit.about import about
from audit.timeline import Row

SETTLED = frozenset(
    {State.DELIVERED, State.FAILED, State.REFUSED, State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SHADOW}
)


@dataclass(frozen=True, slots=True)
class Handover:
    """An agent's owner changed `at`, from `before` to `after` (None: nobody)."""

    at: datetime
    before: Person | None
    after: Person | None


@dataclass(slots=True)
class Accounted:
    """
    One run and what came of it. `run` has its agent with owner, play and policy; `signal` is None once it was dropped.

    `actions` are all of the run's, oldest first; `answers` are those that stand, `edits` all, by question; `attempts`
    holds those of each action that was tried, `handovers` those of the agent since the run was decided, oldest first.
    """

    run: Run
    signal: Signal | None = None
    actions: list[Action] = field(default_factory=list)
    approvals: dict[UUID, Approval] = field(default_factory=dict)
    answers: dict[UUID, list[Verdict]] = field(default_factory=dict)
    edits: dict[UUID, list[Edit]] = field(default_factory=dict)
    attempts: dict[UUID, list[Attempt]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    play_names: dict[tuple[int, int], str] = field(default_factory=dict)
    """What a play was called, by (play, version)."""
    pauses: dict[str, Pause] = field(default_factory=dict)
    """Those that hold or held an action, by "pause:<id>"."""
    entries: dict[str, list[Row]] = field(default_factory=dict)
    """By subject: who had an action sent again, and in whose stead somebody was asked."""
    people: dict[str, Person] = field(default_factory=dict)
    """By "person:<id>": those whom permissions and entries name."""

    def owner_at(self, at: datetime | None) -> Person | None:
        """Who was accountable for the agent then, at the earliest when the run was decided; None as `at`: now."""
        later = next((one for one in self.handovers if at is not None and one.at > at), None)
        return later.before if later else self.run.agent.owner

    def approval_of(self, action: Action) -> Approval | None:
        return self.approvals.get(action.approval_id) if action.approval_id else None

    def play_name(self, action: Action) -> str:
        """The play's name at the version that the action was made from."""
        return self.play_names.get((action.play_id, action.play_version)) or action.play.name


def account_for(runs: Sequence[Run]) -> dict[UUID, Accounted]:
    """
    Everything that accounts for `runs`, by their ids, in at most 14 queries however many runs there are.

    The runs must have agent, owner, play and policy at hand (select_related), or each costs its own queries.
    """
    if not runs:
        return {}
    out = {run.pk: Accounted(run) for run in runs}
    signals = Signal.objects.select_related("source").in_bulk({run.signal_id for run in runs})
    actions = list(
        Action.objects.filter(run__in=list(out)).select_related("connection", "play", "policy").order_by("id")
    )
    asked = {action.approval_id for action in actions if action.approval_id}
    approvals = Approval.objects.select_related("decided_by").in_bulk(asked)
    answers = _by_question(Verdict, asked, voided_at=None)
    edits = _by_question(Edit, asked)
    attempts = _attempts(action.pk for action in actions if action.tries)
    names = _play_names(actions)
    pauses = _pauses(action.why for action in actions)
    entries = _entries(actions, approvals)
    handovers, people = _handovers(runs, actions, entries)
    for action in actions:
        out[action.run_id].actions.append(action)
    for outcome in Outcome.objects.filter(run__in=list(out)).order_by("id"):
        out[outcome.run_id].outcomes.append(outcome)
    for one in out.values():
        one.signal = signals.get(one.run.signal_id)
        one.approvals, one.answers, one.edits, one.attempts = approvals, answers, edits, attempts
        one.play_names, one.pauses, one.entries, one.people = names, pauses, entries, people
        since = one.run.decided_at
        one.handovers = [change for change in handovers.get(one.run.agent.slug, ()) if change.at > since]
    return out


def _by_question(model: Any, asked: set[UUID], **only: object) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    if asked:
        for one in model.objects.filter(approval__in=asked, **only).select_related("person").order_by("id"):
            found[one.approval_id].append(one)
    return dict(found)


def _attempts(tried: Iterable[UUID]) -> dict[UUID, list[Attempt]]:
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    ids = list(tried)
    if ids:
        for one in Attempt.objects.filter(action__in=ids).order_by("id"):
            found[one.action_id].append(one)
    return dict(found)


def _play_names(actions: Sequence[Action]) -> dict[tuple[int, int], str]:
    plays = {action.play_id for action in actions}
    if not plays:
        return {}
    found = PlayVersion.objects.filter(play__in=plays).values_list("play", "version", "name")
    return {(play, version): name for play, version, name in found}


def _pauses(whys: Iterable[str]) -> dict[str, Pause]:
    ids = {int(why[6:]) for why in whys if why.startswith("pause:") and why[6:].isdecimal()}
    if not ids:
        return {}
    return {f"pause:{one.pk}": one for one in Pause.objects.filter(pk__in=ids).with_parts()}


def _entries(actions: Sequence[Action], approvals: dict[UUID, Approval]) -> dict[str, list[Row]]:
    """Of what a person had sent again, and of what was passed on or handed to somebody."""
    told = {
        f"action:{action.pk}"
        for action in actions
        if action.state == State.WITHDRAWN or (action.approval_id in approvals)
    }
    if not told:
        return {}
    found: dict[str, list[Row]] = defaultdict(list)
    verbs = ("action.again", "action.escalated", "action.handed")
    for row in about(told, verbs=verbs, since=min(action.created_at for action in actions)):
        found[row.subject].append(row)
    return dict(found)


def _handovers(
    runs: Sequence[Run], actions: Sequence[Action], entries: dict[str, list[Row]]
) -> tuple[dict[str, list[Handover]], dict[str, Person]]:
    slugs = {f"agent:{run.agent.slug}" for run in runs}
    changes = [
        (row, *owner)
        for row in about(slugs, verbs=("agent.changed",), since=min(run.decided_at for run in runs))
        if isinstance(owner := row.detail.get("changed", {}).get("owner"), list)
    ]
    named = {name for _, before, after in changes for name in (before, after)}
    named |= {action.permitted_by for action in actions}
    named |= {row.actor for rows in entries.values() for row in rows}
    named |= {row.detail.get(key) for rows in entries.values() for row in rows for key in ("to", "behalf")}
    keys = {
        int(name[7:]) for name in named if isinstance(name, str) and name.startswith("person:") and name[7:].isdecimal()
    }
    people = {f"person:{one.pk}": one for one in Person.objects.filter(pk__in=keys)} if keys else {}
    found: dict[str, list[Handover]] = defaultdict(list)
    for row, before, after in changes:
        found[row.agent].append(Handover(row.at, people.get(before), people.get(after)))
    return dict(found), people
