"""Who may do what, and why: a person's effective access, and those who may do one verb to one thing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from agents.access.doing import may
from agents.access.reach import is_everywhere, remember, role_has
from agents.access.roles import GRANTS, OWN_ONLY, SEE
from agents.models import Agent, Grant, Region, Segment
from agents.rules.scopes import lineage
from approvals.models import Person

Thing = Agent | Region | Segment
ORDER = ("see", "approve", "pause", "resend", "take", "build", "publish", "connect", "administer")
"""From what is asked of most people to what few may."""


@dataclass(frozen=True)
class Granted:
    """What a person was granted on one thing, whether it still holds, and who gave it."""

    person: Person
    thing: Thing
    verbs: tuple[str, ...]
    given_by: Person | None
    given_at: datetime
    expires_at: datetime | None
    why: str

    @property
    def noun(self) -> str:
        return type(self.thing).__name__.lower()

    @property
    def key(self) -> str:
        """The agent's slug, the region's or segment's code."""
        return str(getattr(self.thing, "slug", "") or getattr(self.thing, "code", ""))

    @property
    def over(self) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and self.expires_at <= timezone.now()


@dataclass(frozen=True)
class Because:
    """Why someone may: in words, with the grant where it is one."""

    says: str
    grant: Granted | None = None


@dataclass
class Access:
    """All that a person may: by their role, on the agents that are theirs, and by grants, the expired ones too."""

    person: Person
    everywhere: list[str]
    own: list[str]
    agents: list[Agent]
    granted: list[Granted] = field(default_factory=list)


def effective(person: Person) -> Access:
    """What `person` may do where; four statements."""
    verbs = in_order(GRANTS.get(person.role, frozenset()))
    whole = [verb for verb in verbs if role_has(person, verb)] if is_everywhere(person) else []
    own = [verb for verb in ORDER if verb not in whole and _of_agents(verb) and role_has(person, verb, own=True)]
    agents = list(Agent.objects.filter(Q(owner=person) | Q(deputy=person)).exclude(stage="retired"))
    return Access(person, whole, own, agents, granted(Grant.objects.filter(user=person)))


def granted(rows: Any) -> list[Granted]:
    """The grants, one for each person and thing, by the thing's name; four statements."""
    found: dict[tuple[int, str, str], list[Grant]] = {}
    for row in rows.select_related("user", "given_by", "permission", "content_type").order_by("pk"):
        found.setdefault((row.user_id, row.content_type.model, row.object_pk), []).append(row)
    things = _things({key[1:] for key in found})
    out = [
        Granted(
            some[0].user,
            things[key[1:]],
            tuple(in_order(row.permission.codename for row in some)),
            some[0].given_by,
            some[0].given_at,
            some[0].expires_at,
            some[0].why,
        )
        for key, some in found.items()
        if key[1:] in things
    ]
    return sorted(out, key=lambda one: (one.noun, one.key))


def who_may(verb: str, on: Thing) -> list[tuple[Person, list[Because]]]:
    """Everyone for whom `may(person, verb, on)` holds, by name, with all the reasons; a handful of statements."""
    grants, found = _reaching(verb, on), []
    for person in remember(Person.objects.filter(is_active=True).order_by("name", "pk")):
        if may(person, verb, on):
            found.append((person, list(_because(person, verb, on, grants.get(person.pk, [])))))
    return found


def _because(person: Person, verb: str, on: Thing, grants: list[Granted]) -> Iterable[Because]:
    if is_everywhere(person) and role_has(person, verb):
        yield Because(f"{person.get_role_display()}, everywhere")
    if isinstance(on, Agent) and role_has(person, verb, own=True):
        if person.pk == on.owner_id:
            yield Because("owns it")
        if person.pk == on.deputy_id:
            yield Because("deputy of its owner")
    for grant in grants:
        above = "" if grant.thing == on else ", which lies above"
        yield Because(f"granted on {grant.thing}{above}", grant)


def _reaching(verb: str, on: Thing) -> dict[int, list[Granted]]:
    """The grants in force that reach `on`, by person."""
    model = type(on)
    if isinstance(on, Agent):
        ids = [on.pk]
    else:
        tree: Any = model._default_manager
        ids = list(tree.filter(code__in=lineage(on.code)).values_list("pk", flat=True))
    rows = Grant.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now()),
        content_type__app_label=model._meta.app_label,
        content_type__model=model._meta.model_name,
        object_pk__in=map(str, ids),
    )
    found: dict[int, list[Granted]] = {}
    for one in granted(rows):
        if verb in one.verbs or verb == SEE:
            found.setdefault(one.person.pk, []).append(one)
    return found


def _things(keys: set[tuple[str, str]]) -> dict[tuple[str, str], Thing]:
    models: dict[str, type[Thing]] = {"agent": Agent, "region": Region, "segment": Segment}
    return {
        (noun, str(thing.pk)): thing
        for noun, model in models.items()
        if (wanted := [pk for kind, pk in keys if kind == noun])
        for thing in model._default_manager.filter(pk__in=wanted)
    }


def _of_agents(verb: str) -> bool:
    return verb in ("see", "pause", "approve", "take") or verb in OWN_ONLY


def in_order(verbs: Iterable[str]) -> list[str]:
    """Verbs as ORDER has them."""
    return sorted(verbs, key=ORDER.index)
