"""At the gate: whether those whose leave an action has still may give it. On its raw connection, in its transaction."""

from collections.abc import Collection
from typing import Any

from agents.access.reach import EVERYWHERE, HELD, Held, Reach, is_everywhere, reach_of, role_has
from agents.access.roles import APPROVE
from approvals.models import Person, Role

ACTIVE = "SELECT id, role, everywhere FROM approvals_person WHERE id = ANY(%s) AND is_active"


def allowed(cursor: Any, people: Collection[int], verb: str = APPROVE) -> dict[int, Reach]:
    """Where each of these persons may do `verb` now; who is no longer active is left out. Two statements at most."""
    if not people:
        return {}
    found: dict[int, Reach] = {}
    narrowed: dict[int, Person] = {}
    for id_, role, everywhere in cursor.execute(ACTIVE, [list(people)]).fetchall():
        person = Person(pk=id_, role=role, everywhere=everywhere)
        if is_everywhere(person) and role_has(person, verb):
            found[id_] = EVERYWHERE
        else:
            narrowed[id_] = person
    if narrowed:
        held: dict[int, list[Held]] = {id_: [] for id_ in narrowed}
        for id_, *rest in cursor.execute(HELD, {"people": list(narrowed)}).fetchall():
            held[id_].append(Held(*rest))
        found |= {
            id_: reach_of(person, verb, held[id_]) for id_, person in narrowed.items() if person.role != Role.AUDITOR
        }
    return found
