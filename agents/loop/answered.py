"""At the gate: whether an action that was asked about has its yes, from enough persons who still may say it."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from agents.access.gate import allowed
from agents.access.reach import Reach
from agents.loop.claim import Claimed
from agents.registry import AgentNow, ConnectionNow
from agents.rules.binding import bind

APPROVALS = """
SELECT p.id, p.state, p.binding, p.question->>'clause', p.needed, ARRAY(
    SELECT v.person_id FROM approvals_verdict v
    WHERE v.approval_id = p.id AND v.said = 'yes' AND v.voided_at IS NULL AND v.binding = p.binding)
FROM approvals_approval p WHERE p.id = ANY(%s::uuid[]) AND NOT p.planted
"""


class Answered(NamedTuple):
    """A question as it stands: the clause that asked, how many must say yes, and who said it to what it asks now."""

    state: str
    binding: bytes
    clause: str
    needed: int
    people: tuple[int, ...]


MISSING = Answered("missing", b"", "", 1, ())


class Yeses(NamedTuple):
    """The questions of the claimed, and where each of those who said yes may approve now."""

    questions: Mapping[UUID, Answered]
    reaches: Mapping[int, Reach]


def yeses(cursor: Any, claimed: Collection[Claimed]) -> Yeses:
    """Read them; no statement where nothing was asked, two or three where something was."""
    ids = [action.approval for action in claimed if action.approval]
    if not ids:
        return Yeses({}, {})
    questions = {
        id_: Answered(state, bytes(binding), clause or "", needed, tuple(people))
        for id_, state, binding, clause, needed, people in cursor.execute(APPROVALS, [ids]).fetchall()
    }
    return Yeses(questions, allowed(cursor, {person for one in questions.values() for person in one.people}))


def without_yes(yeses: Yeses, action: Claimed, agent: AgentNow, connection: ConnectionNow) -> str:
    """What its yes lacks, in words, or nothing. Never raises."""
    assert action.approval is not None
    one = yeses.questions.get(action.approval, MISSING)
    if one.state != "approved":
        return f"Its approval is {one.state}."
    if one.binding != binding_of(action, connection, one.clause, one.needed):
        return "What was approved is not what would be sent."
    if len(set(one.people)) < one.needed:
        return "Not enough people said yes to it."
    where = {"agent": action.agent, "region": action.region, "segment": action.segment}
    if not all(person in yeses.reaches and yeses.reaches[person].holds(**where) for person in one.people):
        return "Somebody who said yes to it no longer may; send it again to have it asked anew."
    if agent.policy_id != action.policy:
        return "The agent's boundaries changed since the yes; send it again to have it asked anew."
    return ""


def binding_of(action: Claimed, connection: ConnectionNow, clause: str, needed: int) -> bytes:
    """The hash that a yes binds: payload, connection as configured, target, play's version, clause and how many."""
    return bind(
        payload_hash=bytes(action.payload_hash),
        connection=connection.fingerprint,
        target=action.target,
        play=f"{action.play}@{action.play_version}",
        clause=clause,
        needed=needed,
    )
