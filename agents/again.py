"""A person sets things right: sends again what failed, takes back what was done, says what became of an unknown."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import PermissionDenied

from agents import access
from agents.brains.contract import Thought
from agents.connectors import BadPayload
from agents.loop.decide import write
from agents.loop.handle import Handled, decide_play, document_of
from agents.loop.hot import hot
from agents.loop.render import ActionRow, Handling, Heard, render
from agents.models import Action
from agents.personal import GONE
from agents.registry import Snapshot, snapshot
from agents.rules.canonical import canonical_bytes, payload_hash
from approvals.models import Person
from audit.entries import Line, append
from audit.ids import new_ids

AGAIN = ("failed", "refused", "expired")
"""States from which an action may be sent again: those in which nothing is known to have taken effect."""

LOCKED = """
SELECT a.id, a.state, a.run_id, a.agent_id, a.step, r.score, r.confidence, r.reasons, r.why, r.brain, p.slug, s.state,
       s.id, s.source_id, s.external_id, s.type, s.occurred_at, s.received_at, s.account, s.account_name, s.person,
       s.email, s.contact, s.region_id, s.segment_id, s.fields, s.payload, s.is_demo
FROM agents_action a JOIN agents_run r ON r.id = a.run_id JOIN agents_signal s ON s.id = r.signal_id
JOIN agents_play p ON p.id = a.play_id WHERE a.id = %s FOR UPDATE OF a
"""
DONE = """
SELECT a.id, a.state, a.run_id, a.agent_id, a.play_id, a.play_version, a.step, a.connection_id, a.policy_id,
    a.region_id, a.segment_id, a.account, a.contact, a.target, a.payload, a.received_at, a.is_demo, p.slug,
    (SELECT receipt FROM agents_attempt t WHERE t.action_id = a.id ORDER BY t.id DESC LIMIT 1),
    EXISTS (SELECT FROM agents_action u WHERE u.undo_of = a.id AND u.state NOT IN ('failed', 'refused'))
FROM agents_action a JOIN agents_play p ON p.id = a.play_id WHERE a.id = %s FOR UPDATE OF a
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one request: the new action if there is one, and in words what happens or why not."""

    action: UUID
    new: UUID | None
    says: str


def send_again(action_ids: list[UUID], *, person: Person) -> list[Result]:
    """
    Decide and render each action anew, with the mapping, template, connection and policy of now, and let the gate have
    it; the old one is withdrawn, naming the new. One transaction each: one that can't go does not stop the others.

    PermissionDenied unless the person may resend each. The caller wakes a worker.
    """
    _require(person, action_ids)
    return [_again(id_, person) for id_ in action_ids]


def undo(action_id: UUID, *, person: Person) -> Result:
    """
    Take a delivered action back by what its play and connector say, as an action of its own through the gate.

    PermissionDenied as for `send_again`. Once only, unless the undoing itself failed. The caller wakes a worker.
    """
    _require(person, [action_id])
    with hot.transaction() as cursor:
        row = cursor.execute(DONE, [action_id]).fetchone()
        if row is None:
            return Result(action_id, None, "There is no such action.")
        (id_, state, run, agent_id, play, version, step_key, connection_id, policy, region, segment, account, contact,
         target, payload, received, demo, play_slug, receipt, undone) = row  # fmt: skip
        if state != "delivered" or undone:
            return Result(
                id_, None, "It was taken back already." if undone else f"It is {state}: nothing to take back."
            )
        if target == GONE:
            return Result(id_, None, "The person was erased: nothing is left to take it back with.")
        now = snapshot(cursor)
        step = _step(now, play_slug, step_key)
        connection = now.connections[connection_id]
        if step is None or step.undo is None or connection.connector is None or not connection.connector.can_undo:
            return Result(id_, None, "Neither its play nor its connection says how it is taken back.")
        try:
            before = orjson.loads(payload)
            back = connection.connector.undo_payload(action_id=id_, payload=before, receipt=receipt or {})
            back |= step.undo.render({"action": {"id": str(id_), "payload": before, "receipt": receipt or {}}})
        except (BadPayload, ValueError) as error:
            return Result(id_, None, f"It can't be taken back: {error}")
        at = datetime.now(UTC)
        (new,) = new_ids(1)
        action = ActionRow(
            new, run, agent_id, play, version, step_key, connection_id, policy, region, segment, account, contact,
            target, canonical_bytes(back), payload_hash(back), "ready", "", at, None, person.actor, received, at, None,
            demo, id_,
        )  # fmt: skip
        lines = [
            _line("action.undone", id_, run, now, agent_id, person, by=str(new)),
            _line("action.made", new, run, now, agent_id, person, undoes=str(id_)),
        ]
        write(cursor, Handled(actions=[action], lines=lines))
    return Result(id_, new, "It is being taken back.")


def resolve_unknown(action_id: UUID, *, happened: bool, person: Person) -> bool:
    """A person looked at the far side: it happened (delivered), or not (failed, may be sent again). False: too late."""
    _require(person, [action_id])
    state = "delivered" if happened else "failed"
    why = f"{person.name} looked: it {'happened' if happened else 'did not happen'}."
    with hot.transaction() as cursor:
        row = cursor.execute(
            "UPDATE agents_action SET state = %s, why = %s, settled_at = clock_timestamp() "
            "WHERE id = %s AND state = 'unknown' RETURNING run_id, agent_id",
            [state, why, action_id],
        ).fetchone()
        if row is None:
            return False
        append(cursor, [_line("action.resolved", action_id, row[0], snapshot(cursor), row[1], person, state=state)])
    return True


def _again(action_id: UUID, person: Person) -> Result:
    with hot.transaction() as cursor:
        row = cursor.execute(LOCKED, [action_id]).fetchone()
        if row is None:
            return Result(action_id, None, "There is no such action.")
        id_, state, run, agent_id, step_key, score, confidence, reasons, why, brain, play_slug, heard, *signal_row = row
        if state not in AGAIN:
            return Result(id_, None, f"It is {state}, so it is not sent again.")
        if heard == "erased":
            return Result(id_, None, "The person was erased, so nothing is sent to them again.")
        now = snapshot(cursor)
        agent, play = now.agents.get(agent_id), now.plays.get(play_slug)
        step = _step(now, play_slug, step_key)
        if agent is None or play is None or step is None:
            return Result(id_, None, "Its agent is not running, or its play no longer has this step.")
        signal, at = Heard(*signal_row), datetime.now(UTC)
        decision = decide_play(signal, agent, now, play, confidence, at)
        if decision.verdict == "never":
            return Result(id_, None, f"The boundaries of now refuse it: {decision.why}")
        thought = Thought(score, confidence, reasons, play_slug, why, *brain.split("@"))
        one = Handling(signal, agent, now, play, decision, thought, document_of(signal, now, {}), run, at)
        new, approval = new_ids(2)
        rendered = render(one, step, new, approval)
        out = Handled(actions=[rendered.action], questions=[rendered.question] if rendered.question else [])
        line = _line("action.again", id_, run, now, agent_id, person, by=str(new), verdict=decision.verdict)
        made = _line("action.made", new, run, now, agent_id, person, instead_of=str(id_))
        out.lines = [line, made, *([rendered.line(line)] if rendered.verb else [])]
        cursor.execute(
            "UPDATE agents_action SET state = 'withdrawn', why = %s WHERE id = %s", [f"Sent again as {new}.", id_]
        )
        write(cursor, out)
    says = {"ready": "It is on its way.", "waiting": "It asks first."}
    return Result(id_, new, says.get(rendered.action.state, rendered.action.why))


def _require(person: Person, action_ids: list[UUID]) -> None:
    """PermissionDenied, naming the agent to those who see it, where one is beyond where the person may resend."""
    for action in Action.objects.filter(pk__in=action_ids).only("agent_id", "region_id", "segment_id"):
        if not access.may(person, access.RESEND, action):
            seen = access.may(person, access.SEE, action)
            access.require(person, access.RESEND, action.agent if seen else None)
            raise PermissionDenied("You may not resend this: ask an admin for it.")


def _step(now: Snapshot, play: str, key: str) -> Any:
    return next((step for step in now.plays[play].steps if step.key == key), None) if play in now.plays else None


def _line(verb: str, action: UUID, run: UUID, now: Snapshot, agent_id: int, person: Person, **detail: Any) -> Line:
    agent = now.agents.get(agent_id)
    return Line(verb, f"action:{action}", person.actor, agent=agent.slug if agent else "", run=run, detail=detail)
