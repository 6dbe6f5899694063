"""Before boundaries go live: what differs, in words; what they would have made of past runs; why, and when."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST

from agents import access
from agents.changes.draft import discard_draft, draft_of
from agents.changes.policy import PublishedSince, change_of, compile_known, confirm_version, needs_second, next_version
from agents.changes.proposal import put_forward
from agents.changes.seen import token
from agents.models import Agent, Policy
from agents.replay import SIZES, USUAL, Replayed, replay
from agents.rules.boundaries import Policy as Boundaries
from agents.rules.boundaries import compile_policy
from agents.rules.errors import SpecError
from approvals.models import Person, Role
from console.typed import counted
from console.views import page
from console.views.agents import named
from console.views.boundaries import COLUMNS, columns, differences, limits_of, loosened, names, words
from console.views.page import signed_in
from console.views.policy_form import spec_of

FEW = 4
OWN = {"default": "no boundary speaks of it", "stale": "the signal is too old", "unassigned": "no region or segment"}


def review(request: HttpRequest, slug: str) -> HttpResponse:
    """The person's draft, or with `?from=2` an older version, against the one in force; POST puts it forward."""
    agent = named(request, slug)
    access.require(request.user, access.PUBLISH, agent)
    person = signed_in(request)
    origin = _origin(agent, request.GET.get("from", ""))
    draft = None if origin else draft_of(agent, person)
    if origin is None and draft is None:
        messages.info(request, "There is no draft of yours to look at yet.")
        return page.redirect(request, "agent-policy", slug)
    try:
        spec: dict[str, Any] = origin.spec if origin else spec_of(draft.form if draft else {})
        boundaries = compile_known(spec)
    except SpecError as error:
        messages.error(request, f"It does not hold yet: {error.faults[0].what}. {error.faults[0].mend}.")
        return page.redirect(request, "agent-policy", slug)
    shown = {"reason": f"Back to version {origin.version}" if origin else "", "when": "now", "at": ""}
    trouble, status = "", 200
    if request.method == "POST":
        shown = {name: request.POST.get(name, "").strip() for name in shown}
        if request.POST.get("seen") != token(spec):
            text = "Nothing was put live. Look at it as it is now."
            return page.trouble(
                request, status=412, title="Your draft has changed since this page was drawn.", text=text
            )
        try:
            base = counted(request.POST.get("base", ""))
            made = put_forward(
                agent, person=person, spec=spec, reason=shown["reason"], base=base, go_live_at=_moment(shown)
            )
            if draft is not None:
                discard_draft(agent, person=person)
            return _done(request, agent, made)
        except PublishedSince as error:
            return published_since(request, error)
        except ValidationError as error:
            trouble, status = " ".join(error.messages), 422
    change = change_of(agent, boundaries)
    labels = names()
    current = agent.policy.spec if agent.policy else None
    second = needs_second(agent, change)
    context = {
        **shown,
        "agent": agent,
        "origin": origin,
        "draft": draft,
        "seen": token(spec),
        "base": agent.policy.version if agent.policy else 0,
        "next": next_version(agent),
        "trouble": trouble,
        "unsaid": status == 422 and not shown["reason"],
        "change": change,
        "second": second,
        "others": [one.name for one in seconds(agent, person)] if second else [],
        "loosened": loosened(change, current, spec, labels),
        "columns": columns(spec, labels),
        "limits": limits_of(spec),
        "differences": differences(current, spec, labels),
        "unchanged": current == spec,
        **replayed(request, agent, boundaries, spec, labels),
    }
    return page.render(request, "agents/policy_review.html", context, status=status)


@require_POST
def confirm(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Stand behind a version that one person published while the agent sent nothing."""
    agent = named(request, slug)
    policy = Policy.objects.filter(agent=agent, version=number).first()
    if policy is None:
        return page.trouble(request, status=404, title=f"There is no version {number}.")
    try:
        confirm_version(policy, person=signed_in(request))
    except ValidationError as error:
        return page.trouble(request, status=409, title="Not confirmed.", text=" ".join(error.messages))
    messages.success(request, f"You stand behind version {number} now, so {agent.name} may be autonomous.")
    return page.redirect(request, "agent-policy-version", slug, number)


def replayed(
    request: HttpRequest, agent: Agent, boundaries: Boundaries, spec: dict[str, Any], labels: dict[str, str]
) -> dict[str, Any]:
    """What `boundaries` would have made of the newest runs, as many as `?runs=` says, for `_replay.html`."""
    wanted = counted(request.GET.get("runs", ""))
    size = wanted if wanted in SIZES else USUAL
    current = agent.policy.spec if agent.policy else {}
    try:
        before = compile_policy(current) if agent.policy else None
    except SpecError:
        before = None
    told = replay(agent.pk, before, boundaries, size=size)
    old, new = ({part.get("id"): part for part in one.get("clauses") or ()} for one in (current, spec))

    def clause(parts: dict[str, Any], id: str) -> str:
        return words(parts[id], labels) if id in parts else OWN.get(id, id)

    shifts = [
        {
            "shift": shift,
            "was": COLUMNS[shift.before],
            "would": COLUMNS[shift.after],
            "before": clause(old, shift.clause_before),
            "after": clause(new, shift.clause_after),
        }
        for shift in told.shifts
    ]
    return {"told": told, "shifts": shifts, "says": _says(told), "sizes": SIZES, "size": size}


def _says(told: Replayed) -> list[str]:
    """ "asked 14 more", "gone alone 14 fewer"."""
    done = {"ask": "asked", "alone": "gone alone", "never": "done nothing on"}
    said = []
    for verdict, verb in done.items():
        more = told.now[verdict] - told.was[verdict]
        if more:
            said.append(f"{verb} {abs(more):,} {'more' if more > 0 else 'fewer'}")
    return said


def seconds(agent: Agent, person: Person) -> list[Person]:
    """Some who may confirm what `person` proposes: owner and deputy first, then ops and admins; at most FEW."""
    near = [one for one in (agent.owner, agent.deputy) if one is not None]
    roles = Person.objects.filter(is_active=True, role__in=(Role.OPS, Role.ADMIN)).order_by("name")[: FEW + 3]
    known = {one.pk: one for one in (*near, *roles) if one != person}
    return [one for one in known.values() if access.may(one, access.PUBLISH, agent)][:FEW]


def published_since(request: HttpRequest, error: PublishedSince) -> HttpResponse:
    """409, naming who was first."""
    by = error.policy.published_by.name if error.policy.published_by else "Someone"
    title = f"{by} published version {error.policy.version} meanwhile."
    return page.trouble(request, status=409, title=title, text=f"“{error.policy.reason}” Look at it first.")


def _origin(agent: Agent, asked: str) -> Policy | None:
    number = counted(asked)
    return Policy.objects.filter(agent=agent, version=number).first() if number is not None else None


def _moment(shown: dict[str, str]) -> datetime | None:
    """None for at once; a moment without an offset is the person's own."""
    if shown["when"] != "at":
        return None
    try:
        at = parse_datetime(shown["at"])
    except ValueError:
        at = None
    if at is None:
        raise ValidationError("Say when it goes live: a day and a time.")
    return timezone.make_aware(at) if timezone.is_naive(at) else at


def _done(request: HttpRequest, agent: Agent, made: Any) -> HttpResponse:
    if isinstance(made, Policy):
        messages.success(request, f"Version {made.version} is in force.")
        return page.redirect(request, "agent-policy-version", agent.slug, made.version)
    if made.state == "proposed":
        messages.success(request, "Proposed. It goes live once a second person confirms it.")
    else:
        messages.success(request, "Set. It goes live by itself at its time.")
    return page.redirect(request, "proposal", made.pk)
