"""How far a person's verb reaches: everywhere, or over these agents, regions and segments."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from agents.access.roles import GRANTS, OWN_ONLY, SEE, TAKE
from approvals.models import Person, Role

HELD = """
SELECT g.user_id, p.codename, c.model, g.object_pk::bigint AS root, x.id, x.code
FROM agents_grant g JOIN auth_permission p ON p.id = g.permission_id
JOIN django_content_type c ON c.id = g.content_type_id
CROSS JOIN LATERAL (
    SELECT id, slug AS code FROM agents_agent WHERE c.model = 'agent' AND id = g.object_pk::bigint
    UNION ALL SELECT r.id, r.code FROM agents_region top JOIN agents_region r
        ON r.code = top.code OR starts_with(r.code, top.code || '/')
        WHERE c.model = 'region' AND top.id = g.object_pk::bigint
    UNION ALL SELECT s.id, s.code FROM agents_segment top JOIN agents_segment s
        ON s.code = top.code OR starts_with(s.code, top.code || '/')
        WHERE c.model = 'segment' AND top.id = g.object_pk::bigint
) x
WHERE g.user_id = ANY(%(people)s) AND (g.expires_at IS NULL OR g.expires_at > clock_timestamp())
UNION ALL
SELECT who, '', 'agent', a.id, a.id, a.slug
FROM agents_agent a CROSS JOIN LATERAL unnest(ARRAY[a.owner_id, a.deputy_id]) who
WHERE who = ANY(%(people)s)
"""


class Held(NamedTuple):
    """A verb ("" for all of the role, since the agent is theirs) on a thing, by a grant on `root` or on itself."""

    verb: str
    noun: str
    root: int
    id: int
    code: str


@dataclass(frozen=True)
class Reach:
    """
    A set of rows: all, or those of any of these agents, regions or segments. Trees are spelled out.

    Something of an agent, a region and a segment is in reach when one of the three is.
    """

    everywhere: bool
    held: frozenset[tuple[str, int, str]] = frozenset()
    """(noun, id, slug or code)"""

    def ids(self, noun: str) -> set[int]:
        """Primary keys of the agents, regions or segments."""
        return {id_ for kind, id_, _ in self.held if kind == noun}

    def codes(self, noun: str) -> set[str]:
        """The agents' slugs, the regions' or segments' codes."""
        return {code for kind, _, code in self.held if kind == noun}

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.held)

    def holds(self, **given: int | None) -> bool:
        """Whether something of this `agent`, `region` and `segment` (primary keys; any may be missing) is in reach."""
        return self.everywhere or any(
            kind in given and given[kind] == id_ for kind, id_, _ in self.held if given.get(kind) is not None
        )

    def names(self, **given: str) -> bool:
        """As `holds`, by slug and codes."""
        return self.everywhere or any(given.get(kind) == code for kind, _, code in self.held)

    def q(self, *nouns: str, before: str = "", suffix: str = "_id") -> Q:
        """For querysets that have these columns, e.g. q("agent", "region"); nothing matches when nothing is held."""
        if self.everywhere:
            return Q()
        found = Q(pk__in=())
        for noun in nouns:
            if held := (self.ids(noun) if suffix else self.codes(noun)):
                found |= Q(**{f"{before}{noun}{suffix}__in": held})
        return found

    def sql(self, alias: str, *nouns: str) -> tuple[str, dict[str, Any]]:
        """As `q`, as SQL over `alias`'s columns agent_id, region_id, segment_id; named parameters "reach_<noun>"."""
        if self.everywhere:
            return "true", {}
        tests = [f"{alias}.{noun}_id = ANY(%(reach_{noun})s)" for noun in nouns]
        return f"({' OR '.join(tests) or 'false'})", {f"reach_{noun}": sorted(self.ids(noun)) for noun in nouns}


EVERYWHERE = Reach(True)
NOWHERE = Reach(False)


def held_by(people: Iterable[Person]) -> dict[int, list[Held]]:
    """By person: what was granted them and has not expired, and the agents that are theirs; one statement."""
    found: dict[int, list[Held]] = {person.pk: [] for person in people}
    with connection.cursor() as cursor:
        cursor.execute(HELD, {"people": list(found)})
        for person, *rest in cursor.fetchall():
            found[person].append(Held(*rest))
    return found


def reach(person: Any, verb: str) -> Reach:
    """
    Where `person` may do `verb`; NOWHERE for anyone not signed in or no longer active.

    Costs a statement at most once for one `person` object, and none where the role says it all. The object remembers:
    for a stream that outlives its request take a `fresh` one.
    """
    if not getattr(person, "is_active", False) or not getattr(person, "role", ""):
        return NOWHERE
    if is_everywhere(person) and role_has(person, verb):
        return EVERYWHERE
    if person.role == Role.AUDITOR and verb != SEE:
        return NOWHERE
    return reach_of(person, verb, _remembered(person))


def reach_of(person: Person, verb: str, held: Iterable[Held]) -> Reach:
    """The reach that `held` gives, the role's verbs on their own agents among it."""
    own = role_has(person, verb, own=True)
    return Reach(
        False,
        frozenset(
            (one.noun, one.id, one.code)
            for one in held
            if one.verb == verb or (verb == SEE and one.verb) or (own and not one.verb)
        ),
    )


def role_has(person: Person, verb: str, *, own: bool = False) -> bool:
    """Whether the role starts with the verb; `own`: for an agent of which they are owner or deputy."""
    verbs = GRANTS.get(person.role, frozenset())
    if own:
        return verb in verbs or (verb == TAKE and person.role != Role.AUDITOR)
    return verb in verbs and not (person.role == Role.OWNER and verb in OWN_ONLY)


def is_everywhere(person: Person) -> bool:
    """Whether the role holds wherever it can. An admin's always does: someone must be able to mend grants."""
    return person.everywhere or person.role == Role.ADMIN


def fresh(person: Person) -> Person:
    """The person as the database has them now, with nothing remembered."""
    return Person.objects.get(pk=person.pk)


def forget(person: Person) -> None:
    """Have what this object remembers read again: after a change of its grants."""
    person.__dict__.pop("_held", None)


def remember(people: Iterable[Person]) -> list[Person]:
    """The same people, the grants of all of them read at once, for what is asked of each next."""
    people = list(people)
    held = held_by(people)
    for person in people:
        person.__dict__["_held"] = held[person.pk]
    return people


def _remembered(person: Any) -> list[Held]:
    if "_held" not in person.__dict__:
        remember([person])
    held: list[Held] = person.__dict__["_held"]
    return held
