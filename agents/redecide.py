"""
Deciding again: what a newly published policy makes of questions that wait, and of yeses that have not left yet.

 - asks by the same clause: the question stands, bound to the new version; yeses given so far do not.
 - asks by another clause, or would not ask any more: withdrawn, and asked anew. What was asked stays asked: publishing
   sends nothing.
 - approved, but not let through the gate yet: that yes was to other boundaries; withdrawn, and asked anew.
 - never: withdrawn, with why, and the action with it.
 - the play or connection is no longer what was asked about: withdrawn, and the action refused, as the gate would; it
   can be sent again.

From what was kept of the run, never from what the signal's account looks like by now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from agents.loop import past
from agents.loop.hot import hot
from agents.loop.past import Past
from agents.models import Action, Agent, Policy
from agents.registry import PlayNow, Snapshot, snapshot
from agents.rules.binding import bind
from agents.rules.boundaries import Decision, compile_policy
from agents.rules.boundaries import Policy as Boundaries
from agents.rules.deadlines import deadlines
from agents.rules.errors import SpecError
from approvals.models import Approval, Call, Verdict
from approvals.questions import Question, open_questions
from audit.entries import Line, record
from audit.ids import new_ids

BATCH = 500
OPEN = """
SELECT id FROM agents_action WHERE agent_id = %(agent)s AND policy_id <> %(policy)s AND approval_id IS NOT NULL
    AND (state IN ('waiting', 'held') OR state = 'ready') ORDER BY id LIMIT %(limit)s
"""
LEFT = """
SELECT DISTINCT a.agent_id FROM agents_action a JOIN agents_agent g ON g.id = a.agent_id
WHERE (a.state IN ('waiting', 'held') OR a.state = 'ready') AND a.approval_id IS NOT NULL AND a.policy_id <> g.policy_id
"""
STATES = ("waiting", "held", "ready")
REBIND = """
UPDATE approvals_approval p SET binding = v.binding, needed = v.needed, editable = v.editable,
    question = p.question || jsonb_build_object('clause', v.clause, 'why', v.why, 'policy', %s::int)
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[], %s::int2[], %s::jsonb[])
    AS v(id, clause, why, binding, needed, editable) WHERE p.id = v.id
"""
WITHDRAW = """
UPDATE approvals_approval p SET state = 'withdrawn', decided_by_id = NULL, decided_at = %s, note = v.why
FROM unnest(%s::uuid[], %s::text[]) AS v(id, why) WHERE p.id = v.id
"""
ACTIONS = """
UPDATE agents_action a SET state = v.state, why = v.why, policy_id = %s, approval_id = v.approval, permitted_by = v.by,
    settled_at = CASE WHEN v.state <> 'waiting' THEN clock_timestamp() END
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::text[]) AS v(id, state, why, approval, by)
WHERE a.id = v.id
"""


class Redecided(NamedTuple):
    """How many questions stand under the new version, are asked anew, and were withdrawn with their actions."""

    rebound: int = 0
    anew: int = 0
    withdrawn: int = 0


@dataclass(slots=True)
class Outcome:
    """What one batch comes to, as rows to write."""

    rebound: list[tuple[UUID, str, str, bytes, int, str]] = field(default_factory=list)
    withdrawn: list[tuple[UUID, str]] = field(default_factory=list)
    anew: list[Question] = field(default_factory=list)
    actions: list[tuple[UUID, str, str, UUID, str]] = field(default_factory=list)
    calls: list[tuple[UUID, UUID, str]] = field(default_factory=list)
    """(old question, the one to tell of, kind) for whoever said yes or has it in hand."""
    lines: list[Line] = field(default_factory=list)


def redecide(agent: Agent, policy: Policy, *, actor: str) -> Redecided:
    """
    Hold against `policy`, the agent's version in force, all of its questions that were decided under another one.

    BATCH at a time, each batch a transaction of its own unless the caller has one open, and then part of that. Locks
    the agent against publishing, the batch's questions, then their actions. Stops when yet another version is in force:
    that one's own deciding again goes on from there.
    """
    try:
        boundaries = compile_policy(policy.spec)
    except SpecError:
        return Redecided()
    total = Redecided()
    while True:
        with transaction.atomic():
            done, more = _batch(agent, policy, boundaries, actor)
        total = Redecided(*(a + b for a, b in zip(total, done, strict=True)))
        if not more:
            return total


def redecide_left(*, actor: str) -> Redecided:
    """What was decided under an older version by a worker that had not heard of the new one yet; for the sweeper."""
    with connection.cursor() as cursor:
        cursor.execute(LEFT)
        ids = [row[0] for row in cursor.fetchall()]
    total = Redecided()
    for agent in Agent.objects.filter(pk__in=ids, policy__isnull=False).select_related("policy"):
        assert agent.policy is not None
        done = redecide(agent, agent.policy, actor=actor)
        total = Redecided(*(a + b for a, b in zip(total, done, strict=True)))
    return total


def _batch(agent: Agent, policy: Policy, boundaries: Boundaries, actor: str) -> tuple[Redecided, bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT policy_id, stage FROM agents_agent WHERE id = %s FOR KEY SHARE", [agent.pk])
        in_force, stage = cursor.fetchone()
        if in_force != policy.pk:
            return Redecided(), False
        cursor.execute(OPEN, {"agent": agent.pk, "policy": policy.pk, "limit": BATCH})
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return Redecided(), False
        asked = dict(Action.objects.filter(pk__in=ids).values_list("pk", "approval"))
        rows = Approval.objects.select_for_update(of=("self",)).filter(pk__in=asked.values()).order_by("pk")
        approvals = {one.pk: one for one in rows}
        actions = Action.objects.select_for_update().filter(pk__in=ids, state__in=STATES).order_by("pk")
        open_ = [one for one in actions if asked[one.pk] == one.approval_id and one.approval_id in approvals]
        runs = past.these(cursor, [one.run_id for one in open_], fields=boundaries.reads_fields)
        with hot.transaction() as raw:
            now = snapshot(raw)
        at = timezone.now()
        out, counts = Outcome(), [0, 0, 0]
        concerned = [approvals[one.approval_id] for one in open_ if one.approval_id]
        answered = Verdict.objects.filter(approval__in=concerned, voided_at=None)
        known = set(answered.values_list("approval", flat=True))
        for action, approval, new in zip(open_, concerned, new_ids(len(open_)), strict=True):
            one = Again(agent, policy, boundaries, stage, now, at, actor, approval, action)
            counts[one.settle(out, runs.get(action.run_id), new)] += 1
        _write(cursor, out, policy, approvals, known, at)
        return Redecided(*counts), len(ids) == BATCH and bool(open_)


def _write(
    cursor: Any, out: Outcome, policy: Policy, approvals: dict[UUID, Approval], known: set[UUID], at: datetime
) -> None:
    if known:
        Verdict.objects.filter(approval__in=known, voided_at=None).update(voided_at=at)
    if out.rebound:
        cursor.execute(REBIND, [policy.version, *_columns(out.rebound)])
    if out.withdrawn:
        cursor.execute(WITHDRAW, [at, *_columns(out.withdrawn)])
    open_questions(cursor, out.anew)
    if out.actions:
        cursor.execute(ACTIONS, [policy.pk, *_columns(out.actions)])
    Call.objects.bulk_create(_calls(out, approvals, known, at))
    record(*out.lines)


def _calls(out: Outcome, approvals: dict[UUID, Approval], known: set[UUID], at: datetime) -> Iterator[Call]:
    """Whoever had said yes, or has it in hand, is told."""
    said: dict[UUID, set[int]] = {}
    for approval, person in Verdict.objects.filter(approval__in=known, said="yes").values_list("approval", "person"):
        said.setdefault(approval, set()).add(person)
    for before, of, kind in out.calls:
        people = said.get(before, set()) | ({approvals[before].assigned_to_id} - {None})
        for person in sorted(id_ for id_ in people if id_ is not None):
            yield Call(approval_id=of, person_id=person, kind=kind, at=at, detail=approvals[before].note[:300])


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


@dataclass(frozen=True, slots=True)
class Again:
    """One question to be decided again."""

    agent: Agent
    policy: Policy
    boundaries: Boundaries
    stage: str
    now: Snapshot
    at: datetime
    actor: str
    approval: Approval
    action: Action

    def settle(self, out: Outcome, run: Past | None, new: UUID) -> int:
        """Put what becomes of it into `out`; 0 re-bound, 1 asked anew as `new`, 2 withdrawn."""
        decision, why = self._decide(run)
        if decision is None or decision.verdict == "never" or decision.shadow:
            self._withdraw(out, why, "refused" if decision is None else "withdrawn")
            return 2
        same = decision.verdict == "ask" and decision.clause == self.approval.question.get("clause")
        if same and self.approval.state == "waiting" and self.action.state == "waiting":
            self._rebind(out, decision)
            return 0
        self._ask_anew(out, decision, new, why)
        return 1

    def _decide(self, run: Past | None) -> tuple[Decision | None, str]:
        play = self.now.plays_by_id.get(self.action.play_id)
        if play is None:
            return None, "The play is switched off or faulty."
        if play.version != self.action.play_version:
            return None, "The play was changed since it was asked; send it again to have it asked anew."
        if self.approval.state in ("waiting", "approved") and self._bound(self._clause, self.approval.needed) != bytes(
            self.approval.binding
        ):
            return None, "The connection was changed since it was asked; send it again to have it asked anew."
        if run is None:
            return None, "What it was decided on is gone."
        decision = self.boundaries.decide(self._facts(run, play))
        version = f"under version {self.policy.version} of the boundaries"
        if decision.verdict == "ask":
            return decision, f"{decision.why}, {version}"
        if decision.verdict == "alone":
            return decision, f"{decision.why}, {version}; it was asked before, so it is asked still"
        return decision, f"{decision.why}, {version}"

    def _facts(self, run: Past, play: PlayNow) -> Any:
        person = bytes(self.action.contact).hex() if self.action.contact else ""
        facts = replace(run.facts, play=play.slug, risk=play.risk, stage=self.stage, reversible=play.reversible)
        return replace(facts, person=person)

    @property
    def _clause(self) -> str:
        return str(self.approval.question.get("clause") or "")

    def _bound(self, clause: str, needed: int) -> bytes:
        way_out = self.now.connections.get(self.action.connection_id)
        return bind(
            payload_hash=bytes(self.action.payload_hash),
            connection=way_out.fingerprint if way_out else "",
            target=self.action.target,
            play=f"{self.action.play_id}@{self.action.play_version}",
            clause=clause,
            needed=needed,
        )

    def _question(self, decision: Decision, why: str) -> dict[str, Any]:
        return {**self.approval.question, "clause": decision.clause, "why": why, "policy": self.policy.version}

    def _rebind(self, out: Outcome, decision: Decision) -> None:
        bound = self._bound(decision.clause, decision.approvers)
        editable = orjson.dumps(decision.editable).decode()
        row = (self.approval.pk, decision.clause, decision.why, bound, decision.approvers, editable)
        out.rebound.append(row)
        by = f"clause:{decision.clause}"
        out.actions.append((self.action.pk, "waiting", decision.why, self.approval.pk, by))
        out.lines.append(self._line("action.rebound", binding=bound.hex()))

    def _ask_anew(self, out: Outcome, decision: Decision, new: UUID, why: str) -> None:
        one, due = self.approval, deadlines(self.now.regions[self.action.region_id].calendar, self.at)
        bound = self._bound(decision.clause, decision.approvers)
        self._end(out, "The boundaries were changed; it is asked anew.")
        out.anew.append(
            Question(
                new,
                one.subject,
                self._question(decision, why),
                bound,
                one.agent,
                one.region,
                one.segment,
                one.risk,
                self.at,
                due.expires_at,
                decision.approvers,
                decision.editable,
                due.warn_at,
                due.next_at,
                tuple(one.editors),
                one.pk,
            )
        )
        out.actions.append((self.action.pk, "waiting", why, new, f"clause:{decision.clause}"))
        out.calls.append((one.pk, new, Call.Kind.ANEW))
        out.lines.append(self._line("action.anew", why=why, approval=str(new), before=str(one.pk), binding=bound.hex()))

    def _withdraw(self, out: Outcome, why: str, state: str) -> None:
        self._end(out, why)
        out.actions.append((self.action.pk, state, why, self.approval.pk, self.actor))
        out.calls.append((self.approval.pk, self.approval.pk, Call.Kind.WITHDRAWN))
        out.lines.append(self._line("action.withdrawn", why=why))

    def _end(self, out: Outcome, why: str) -> None:
        if self.approval.state in ("waiting", "approved"):
            out.withdrawn.append((self.approval.pk, why))
            self.approval.note = why

    def _line(self, verb: str, **detail: Any) -> Line:
        action, approval = self.action, self.approval
        return Line(
            verb,
            approval.subject,
            self.actor,
            agent=approval.agent,
            run=action.run_id,
            region=approval.region,
            segment=approval.segment,
            account=action.account,
            detail={"approval": str(approval.pk), "policy": self.policy.version, **detail},
        )
