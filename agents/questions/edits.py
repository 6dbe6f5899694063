"""Editing what is asked, and approving it: the one place where an action's payload changes after it was decided."""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from agents.connectors import BadPayload
from agents.loop import past
from agents.loop.hot import hot
from agents.models import Action
from agents.models.play import Risk
from agents.questions.answers import after_yes
from agents.questions.common import action_id, open_for
from agents.questions.common import note as _note
from agents.registry import Snapshot, snapshot
from agents.rules.binding import bind
from agents.rules.brief import brief
from agents.rules.canonical import canonical_bytes
from agents.rules.comparisons import as_number
from agents.rules.deadlines import deadlines
from agents.rules.edits import edited
from agents.rules.facts import Facts, as_currency
from approvals import questions
from approvals.models import Approval, Call, Edit, Person
from approvals.questions import Question, Stale
from audit.ids import new_id

WRITE = """
UPDATE agents_action SET payload = %s, payload_hash = %s, approval_id = %s
WHERE id = %s AND state = 'waiting' AND payload_hash = %s AND approval_id = %s
"""


def edit_and_approve(
    approval_id: UUID,
    *,
    person: Person,
    binding: bytes,
    fields: dict[str, str],
    note: str = "",
    seen_at: datetime | None = None,
) -> Approval:
    """
    Change what the clause lets a person edit (`fields`: dotted path → text), and say yes to what it then is.

    The edited payload is checked as its connection would, and decided again by the boundaries of now. At low and medium
    risk the editor's yes counts; yeses of others, to what it was, no longer do. At high risk nobody says yes to what
    they edited: the question is withdrawn and asked anew, of somebody else, and it is the new one that is returned,
    waiting. ValidationError by path for what may not be edited or is not sound, or under "" where the boundaries will
    not have it; otherwise raises as `approve`. With nothing changed it is a plain yes.
    """
    with transaction.atomic():
        at = timezone.now()
        approval = open_for(approval_id, person, at=at, binding=binding)
        if fields and approval.planted:
            raise ValidationError(dict.fromkeys(fields, "This may not be edited here."))
        action = None if approval.planted else Action.objects.select_for_update().get(pk=action_id(approval))
        changes: dict[str, list[Any]] = {}
        if action is not None:
            payload, changes, wrong = edited(action.document, fields, approval.editable)
            if wrong:
                raise ValidationError(wrong)
        if action is not None and changes:
            approval = _rewrite(approval, action, payload, changes, person, at)
            if approval.pk != approval_id:
                return approval
        questions.answer(approval, said="yes", person_id=person.pk, at=at, seen_at=seen_at, note=note)
        after_yes(approval, person, at, note=note)
    return approval


def _rewrite(
    approval: Approval, action: Action, payload: dict[str, Any], changes: dict[str, list[Any]], person: Person,
    at: datetime,
) -> Approval:  # fmt: skip
    """Write what was made of it, as one question or, at high risk, as the next; the diff stands with that one."""
    before = bytes(action.payload_hash)
    body = canonical_bytes(payload)
    digest = sha256(body).digest()
    with hot.transaction() as cursor:
        now = snapshot(cursor)
        runs = past.these(cursor, [action.run_id])
    _sound(approval, action, now, payload)
    _allowed(approval, action, now, runs[action.run_id].facts if action.run_id in runs else None, changes)
    bound = _bound(approval, action, now, digest)
    anew = approval.risk == Risk.HIGH
    following = _ask_anew(approval, action, now, payload, bound, person, at) if anew else approval
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [body, digest, following.pk, action.pk, before, approval.pk])
        if not cursor.rowcount:
            raise Stale(approval, "Its action is no longer what was asked about.")
    if not anew:
        questions.void(approval, at=at)
        approval.question = {**approval.question, "payload": payload}
        approval.binding = bound
        approval.editors = [*approval.editors, *({person.pk} - set(approval.editors))]
        approval.save(update_fields=["question", "binding", "editors"])
    Edit.objects.create(
        approval=following, person=person, at=at, changes=changes, before_hash=before, after_hash=digest
    )
    _note(
        following,
        "action.edited",
        person.actor,
        fields=sorted(changes),
        before=before.hex(),
        after=digest.hex(),
        changes=sha256(canonical_bytes(changes)).hexdigest(),
        personal={"edits": brief(changes)},
    )
    return following


def _sound(approval: Approval, action: Action, now: Snapshot, payload: dict[str, Any]) -> None:
    """What was asked is still what would be sent, and its connection would send what was made of it."""
    if bytes(approval.binding) != _bound(approval, action, now, bytes(action.payload_hash)):
        raise Stale(approval, "Its play or connection was changed since it was asked; say no, and send it again.")
    way_out = now.connections[action.connection_id].connector
    if way_out is None:
        raise ValidationError({"": now.connections[action.connection_id].fault})
    try:
        way_out.check(payload)
    except BadPayload as fault:
        path, colon, why = str(fault).partition(": ")
        raise ValidationError({path if colon else "": f"It would not be sent: {why or path}."}) from None


def _allowed(
    approval: Approval, action: Action, now: Snapshot, facts: Facts | None, changes: dict[str, list[Any]]
) -> None:
    """The boundaries of now, asked about what was made of it: they ask by the same clause still, or would not ask."""
    agent, play = now.agents.get(action.agent_id), now.plays_by_id.get(action.play_id)
    if agent is None or play is None or play.version != action.play_version or agent.policy_id != action.policy_id:
        raise Stale(approval, "The agent, its play or its boundaries changed since it was asked.")
    if facts is None:
        return
    person = bytes(action.contact).hex() if action.contact else ""
    known = replace(_with(facts, changes), stage=agent.stage, risk=play.risk, person=person)
    decision = agent.policy.decide(known)
    if decision.verdict == "never" or (decision.verdict == "ask" and decision.clause != approval.question["clause"]):
        raise ValidationError(
            {"": f"The boundaries do not leave what you made of it to this question. {decision.why}."}
        )


def _with(facts: Facts, changes: dict[str, list[Any]]) -> Facts:
    """The facts where an edited part says the same thing by name: a value, a currency, any field the signal has."""
    said = {path.rpartition(".")[2]: after for path, (_, after) in changes.items()}
    fields = {**facts.fields, **{name: after for name, after in said.items() if name in facts.fields}}
    value = as_number(said["value"]) if "value" in said else facts.value
    currency = as_currency(said.get("currency")) or facts.currency
    return replace(facts, fields=fields, value=value, currency=currency)


def _bound(approval: Approval, action: Action, now: Snapshot, digest: bytes) -> bytes:
    return bind(
        payload_hash=digest,
        connection=now.connections[action.connection_id].fingerprint,
        target=action.target,
        play=f"{action.play_id}@{action.play_version}",
        clause=approval.question["clause"],
        needed=approval.needed,
    )


def _ask_anew(
    approval: Approval, action: Action, now: Snapshot, payload: dict[str, Any], bound: bytes, person: Person,
    at: datetime,
) -> Approval:  # fmt: skip
    """At high risk: the question withdrawn, and one about what was made of it opened, with its own time to answer."""
    told = list(approval.answers.filter(voided_at=None).exclude(person=person).values_list("person_id", flat=True))
    questions.withdraw(approval, at=at, why=f"{person.name} edited it; it is asked anew.")
    due = deadlines(now.regions[action.region_id].calendar, at)
    new = new_id()
    with connection.cursor() as cursor:
        questions.open_questions(
            cursor,
            [
                Question(
                    new,
                    approval.subject,
                    {**approval.question, "payload": payload},
                    bound,
                    approval.agent,
                    approval.region,
                    approval.segment,
                    approval.risk,
                    at,
                    due.expires_at,
                    approval.needed,
                    tuple(approval.editable),
                    due.warn_at,
                    due.next_at,
                    (*approval.editors, *({person.pk} - set(approval.editors))),
                    approval.pk,
                )
            ],
        )
    following = questions.lock(new)
    Call.objects.bulk_create(
        Call(approval=following, person_id=id_, kind=Call.Kind.ANEW, by=person, at=at) for id_ in told
    )
    _note(approval, "action.superseded", person.actor, by=str(new))
    return following
