"""Changes of an agent: its job and people, its scorecard and plays, its stage."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from agents.access.roles import ANSWERABLE
from agents.changes.seen import changed, check
from agents.models import Agent, Play, Policy, Stage
from agents.readiness import AT_WORK, Item, missing
from agents.rules.errors import Faults
from agents.rules.plays import compile_choices
from agents.rules.scoring import compile_scorecard
from approvals.models import Person
from audit.entries import Line, record

LIVE = (Stage.SUPERVISED, Stage.AUTONOMOUS)
NEXT: dict[str, tuple[str, ...]] = {
    Stage.DRAFT: (Stage.SHADOW, Stage.RETIRED),
    Stage.SHADOW: (Stage.SUPERVISED, Stage.DRAFT, Stage.RETIRED),
    Stage.SUPERVISED: (Stage.AUTONOMOUS, Stage.SHADOW, Stage.RETIRED),
    Stage.AUTONOMOUS: (Stage.SUPERVISED, Stage.SHADOW, Stage.RETIRED),
    Stage.RETIRED: (Stage.DRAFT,),
}
"""From each stage, those that may follow it; the first is the way forward."""


class NotReady(Exception):
    """The agent lacks something that the stage needs: `items`."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        super().__init__(" ".join(f"{item.title}: {item.text}" for item in items))


def details_of(agent: Agent) -> dict[str, Any]:
    """What `change_agent` changes."""
    return {"name": agent.name, "job": agent.job, "deputy": _who(agent.deputy_id)}


def thinking_of(agent: Agent) -> dict[str, Any]:
    """What `change_thinking` changes."""
    return {"scorecard": agent.scorecard, "choices": agent.choices}


def create_agent(
    *,
    actor: str,
    name: str,
    job: str,
    owner: Person | None,
    deputy: Person | None = None,
    built_by: Person | None = None,
) -> Agent:
    """A new draft, its slug made of its name and never "new", where agents are made. ValidationError by field."""
    agent = Agent(name=name, job=job, owner=owner, deputy=deputy, built_by=built_by, slug=_slug(name))
    _check_people(owner=owner, deputy=deputy)
    agent.full_clean(exclude=("scorecard", "choices"))
    with transaction.atomic():
        agent.save()
        _record("agent.created", agent, actor, **changed({}, {**details_of(agent), "owner": _who(agent.owner_id)}))
    return agent


def change_agent(agent: Agent, *, actor: str, seen: str = "", **details: Any) -> Agent:
    """Change name, job or deputy. ChangedSince when `seen` no longer holds; ValidationError by field."""
    with transaction.atomic():
        agent = _locked(agent)
        before = details_of(agent)
        check(seen, before, subject=f"agent:{agent.slug}")
        _check_people(agent.deputy, deputy=details.get("deputy"))
        for name, value in details.items():
            setattr(agent, name, value)
        agent.full_clean(exclude=("scorecard", "choices"))
        detail = changed(before, details_of(agent))
        if detail:
            agent.save(update_fields=list(details))
            _record("agent.changed", agent, actor, **detail)
    return agent


def hand_over(agent: Agent, *, actor: str, owner: Person, why: str) -> Agent:
    """Make `owner` accountable from now on; whoever was goes. A deputy who becomes owner is deputy no longer."""
    with transaction.atomic():
        agent = _locked(agent)
        _check_people(owner=owner)
        before = {"owner": _who(agent.owner_id), "deputy": _who(agent.deputy_id)}
        agent.owner = owner
        if agent.deputy_id == owner.pk:
            agent.deputy = None
        detail = changed(before, {"owner": _who(agent.owner_id), "deputy": _who(agent.deputy_id)})
        if detail:
            agent.save(update_fields=["owner", "deputy"])
            _record("agent.changed", agent, actor, why=why, **detail)
    return agent


def change_thinking(
    agent: Agent,
    *,
    actor: str,
    scorecard: dict[str, Any],
    choices: list[dict[str, Any]],
    seen: str = "",
    person: Person | None = None,
) -> Agent:
    """
    Put a scorecard and a choice of plays in force, edited by `person`.

    SpecError lists all that is wrong in either; ChangedSince when `seen` no longer holds.
    """
    compile_thinking(scorecard, choices)
    with transaction.atomic():
        agent = _locked(agent)
        before = thinking_of(agent)
        check(seen, before, subject=f"agent:{agent.slug}")
        agent.scorecard, agent.choices = scorecard, choices
        detail = changed(before, thinking_of(agent))
        if detail:
            agent.edited_by = person
            agent.save(update_fields=["scorecard", "choices", "edited_by"])
            _record("agent.changed", agent, actor, **detail)
    return agent


def compile_thinking(scorecard: Any, choices: Any, *, plays: set[str] | None = None) -> tuple[Any, Any]:
    """Both compiled, against `plays` (slugs; None: all there are); SpecError with the faults of both."""
    faults, out = Faults(), list[Any]()
    plays = set(Play.objects.values_list("slug", flat=True)) if plays is None else plays
    with faults.gather():
        out.append(compile_scorecard(scorecard))
    with faults.gather():
        out.append(compile_choices(choices, plays=plays))
    faults.raise_any()
    return out[0], out[1]


def set_stage(agent: Agent, *, actor: str, stage: str, before: str = "", why: str = "") -> Agent:
    """
    Move it to another stage, from where it was when shown (`before`).

    NotReady when it lacks what work needs; ValidationError for a step that NEXT does not know or a stage that has
    changed since. Its first day in supervised or autonomous is kept as `live_since`.
    """
    with transaction.atomic():
        agent = _locked(agent)
        if before and agent.stage != before:
            raise ValidationError(f"It is in {agent.get_stage_display().lower()} by now: look again.")
        if stage not in NEXT[agent.stage]:
            raise ValidationError(f"From {agent.get_stage_display().lower()} it can't go to {stage}.")
        if stage in AT_WORK and (items := missing(agent)):
            raise NotReady(items)
        if stage == Stage.AUTONOMOUS and agent.policy is not None and not agent.policy.vouched:
            raise NotReady([_second_person(agent.policy)])
        was, agent.stage = agent.stage, stage
        if stage in LIVE and agent.live_since is None:
            agent.live_since = timezone.now()
        agent.save(update_fields=["stage", "live_since"])
        _record("agent.stage", agent, actor, before=str(was), after=str(stage), **({"why": why} if why else {}))
    return agent


def _slug(name: str) -> str:
    slug = slugify(name)[:70] or "agent"
    taken = {"new", *Agent.objects.filter(slug__startswith=slug).values_list("slug", flat=True)}
    return next(one for n in range(1, len(taken) + 2) if (one := slug if n == 1 else f"{slug}-{n}") not in taken)


def _check_people(besides: Person | None = None, **people: Person | None) -> None:
    """ValidationError, by `owner` or `deputy`, for whoever can't sign in, or whose role can't answer for agents, unless
    they do already (`besides`)."""
    wrong = {}
    for name, person in people.items():
        if person is not None and not person.is_active:
            wrong[name] = f"{person.name} is no longer active: name someone who is."
        elif person is not None and person != besides and person.role not in ANSWERABLE:
            role = person.get_role_display().lower()
            wrong[name] = f"{person.name} is {'an' if role[0] in 'aeo' else 'a'} {role}, who can't pause and publish: "
            wrong[name] += "name an owner, ops manager or admin."
    if wrong:
        raise ValidationError(wrong)


def _who(pk: int | None) -> str | None:
    return None if pk is None else f"person:{pk}"


def _locked(agent: Agent) -> Agent:
    return Agent.objects.select_for_update(of=("self",)).select_related("owner", "deputy", "policy").get(pk=agent.pk)


def _record(verb: str, agent: Agent, actor: str, **detail: Any) -> None:
    record(Line(verb, f"agent:{agent.slug}", actor, agent=agent.slug, detail=detail))


def _second_person(policy: Policy) -> Item:
    who = policy.published_by or "whoever published it"
    text = f"Version {policy.version} of its boundaries lets it act alone, and only {who} stands behind it."
    return Item("policy", "A second person", False, text)
