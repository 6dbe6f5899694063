"""Changes of the scope trees. A code is a whole path, so a move gives a scope and all beneath it new codes."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents.changes.seen import changed, check
from agents.models import Agent, Pause, Region, Route, Segment, Source
from audit.entries import Line, record

KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_CURRENCY = re.compile(r"[A-Z]{3}")

S = TypeVar("S", Region, Segment)


class Naming(NamedTuple):
    """An agent or a source (`kind`), with the codes that it names."""

    kind: str
    slug: str
    name: str
    regions: frozenset[str]
    segments: frozenset[str]

    def names(self, scope: Region | Segment) -> bool:
        """Whether it names `scope` or something beneath it."""
        codes = self.regions if isinstance(scope, Region) else self.segments
        return any(code == scope.code or code.startswith(f"{scope.code}/") for code in codes)


def parts(scope: Region | Segment) -> dict[str, Any]:
    """What `change_scope` changes."""
    names = ("time_zone", "working_hours", "currency") if isinstance(scope, Region) else ()
    return {"name": scope.name, **{name: getattr(scope, name) for name in names}}


def create_scope(tree: type[S], *, actor: str, key: str, name: str, parent: S | None = None, **more: Any) -> S:
    """A new member beneath `parent`, or at the top; its code is the parent's, a slash and `key`. ValidationError by
    field (`key`, `parent`, and the model's)."""
    with transaction.atomic():
        scope = tree(name=name, parent=_above(tree, parent), code=_code(key, parent), **more)
        if tree.objects.filter(code=scope.code).exists():
            raise ValidationError({"key": f"There is {scope.code} already: choose another."})
        _check(scope)
        scope.save()
        _record("created", scope, actor, {"code": scope.code, **changed({}, parts(scope))})
    return scope


def change_scope(scope: S, *, actor: str, seen: str = "", **values: Any) -> S:
    """Change its name, and a region's clock, hours and currency. ChangedSince; ValidationError by field."""
    with transaction.atomic():
        one: S = type(scope).objects.select_for_update().get(pk=scope.pk)
        _keep_unassigned(one)
        before = parts(one)
        check(seen, before, subject=f"{_noun(one)}:{one.code}")
        for name, value in values.items():
            setattr(one, name, value)
        _check(one)
        detail = changed(before, parts(one))
        if detail:
            one.save(update_fields=list(values))
            _record("changed", one, actor, detail)
    return one


def move_scope(scope: S, *, actor: str, beneath: S | None) -> S:
    """
    Put it, with all beneath it, beneath another, or at the top (None); their codes follow.

    What boundaries, mappings and pauses mean must not change unseen: ValidationError while one names the scope or a
    pause covers it, and for a move beneath itself, beneath Unassigned, or onto a code that is taken.
    """
    tree = type(scope)
    with transaction.atomic():
        rows: dict[int, S] = {each.pk: each for each in tree.objects.select_for_update().order_by("pk")}
        one: S = rows[scope.pk]
        above: S | None = rows[beneath.pk] if beneath else None
        _keep_unassigned(one)
        if above is not None and covers(one, above):
            raise ValidationError({"parent": f"{above.name} lies beneath {one.name}: choose one that does not."})
        was, code = one.code, _code(one.code.rpartition("/")[2], _above(tree, above))
        if code == was:
            return one
        if named := [*named_by(one), *paused_by(one)]:
            raise ValidationError({"parent": f"It is not moved while it is named: {'; '.join(named)}."})
        if any(other.code == code for other in rows.values()):
            raise ValidationError({"parent": f"There is a {code} already: rename or move that first."})
        moving = sorted((each for each in rows.values() if covers(one, each)), key=lambda each: each.code)
        one.parent = above
        for each in moving:
            before = each.code
            each.code = code + before.removeprefix(was)
            _check(each)
            each.save(update_fields=["code", "parent"])
            _record("changed", each, actor, changed({"code": before}, {"code": each.code}))
    return one


def covers(scope: Region | Segment, other: Region | Segment) -> bool:
    """Whether `other` is `scope` itself or lies beneath it."""
    return other.code == scope.code or other.code.startswith(f"{scope.code}/")


def namings() -> list[Naming]:
    """
    Every agent that is not retired, and every source, with the regions and segments that it names: in the boundaries
    in force, scorecard, choice of plays and routes; in the mapping. Three statements.
    """
    routes: dict[int, list[Any]] = {}
    for agent_id, condition in Route.objects.values_list("agent_id", "condition"):
        routes.setdefault(agent_id, []).append(condition)
    out = []
    for agent in Agent.objects.exclude(stage="retired").select_related("policy"):
        clauses = agent.policy.spec.get("clauses", ()) if agent.policy else ()
        conditions = [agent.scorecard, agent.choices, routes.get(agent.pk)]
        regions, segments = (
            frozenset(_texts([[clause.get(f"{noun}s") for clause in clauses], _compared(noun, conditions)]))
            for noun in ("region", "segment")
        )
        out.append(Naming("agent", agent.slug, agent.name, regions, segments))
    for source in Source.objects.only("slug", "name", "mapping"):
        spec = source.mapping or {}
        regions = frozenset(_texts(spec.get("region_map")))
        ruled = [rule.get("segment") for rule in spec.get("segment_rules") or ()]
        out.append(
            Naming("source", source.slug, source.name, regions, frozenset(_texts([spec.get("segment_map"), ruled])))
        )
    return out


def named_by(scope: Region | Segment) -> list[str]:
    """What names it or what is beneath it, in words."""
    found = [one for one in namings() if one.names(scope)]
    return [f"the agent {one.name}" if one.kind == "agent" else f"the mapping of {one.name}" for one in found]


def paused_by(scope: Region | Segment) -> list[str]:
    """Standing pauses of it, of what is above it, or of what is beneath it, in words."""
    standing = Pause.objects.filter(Q(until=None) | Q(until__gt=timezone.now()), lifted_at=None)
    found = [getattr(pause, _noun(scope)) for pause in standing.select_related(_noun(scope))]
    return [f"the pause of {one.name}" for one in found if one and (covers(one, scope) or covers(scope, one))]


def _compared(noun: str, value: Any) -> list[Any]:
    """The values that conditions within `value` compare the signal's region or segment with."""
    if isinstance(value, list):
        return [found for part in value for found in _compared(noun, part)]
    if not isinstance(value, dict):
        return []
    if str(value.get("field", "")).endswith(noun):
        return [value.get("value")]
    return [found for part in value.values() for found in _compared(noun, part)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _above(tree: type[S], parent: S | None) -> S | None:
    if parent is None:
        return None
    if parent.is_unassigned:
        raise ValidationError({"parent": "Nothing lies beneath Unassigned: choose another, or the top."})
    found: S = tree.objects.get(pk=parent.pk)
    return found


def _code(key: str, parent: Region | Segment | None) -> str:
    if not KEY.fullmatch(key) or key == "new":
        raise ValidationError({"key": "Write lower-case letters, digits, - and _, such as de."})
    return f"{parent.code}/{key}" if parent else key


def _keep_unassigned(scope: Region | Segment) -> None:
    if scope.is_unassigned:
        raise ValidationError("Unassigned stays as it is: it stands for whatever is not known.")


def _check(scope: Region | Segment) -> None:
    """ValidationError by field; what is wrong with the code stands at `key`."""
    found: dict[str, Any] = {}
    try:
        scope.full_clean(validate_unique=False)
    except ValidationError as error:
        found = dict(error.error_dict)
    if "code" in found:
        found["key"] = found.pop("code")
    if isinstance(scope, Region):
        if not _CURRENCY.fullmatch(scope.currency):
            found["currency"] = ["Write the three letters of a currency, such as EUR."]
        for day, hours in (scope.working_hours or {}).items():
            if day not in DAYS or len(hours) != 2 or not all(_TIME.fullmatch(time) for time in hours):
                found["working_hours"] = [f"{day}: write two times, such as 09:00 and 18:00."]
            elif hours[0] >= hours[1]:
                found["working_hours"] = [f"{day}: it ends before it begins."]
    if found:
        raise ValidationError(found)


def _noun(of: Any) -> str:
    return str(of._meta.model_name)


def _record(verb: str, scope: Region | Segment, actor: str, detail: dict[str, Any]) -> None:
    record(Line(f"{_noun(scope)}.{verb}", f"{_noun(scope)}:{scope.code}", actor, detail=detail))
