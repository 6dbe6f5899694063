"""Pause: the board of what runs and what stands still, the quick choice from any page, and all that was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from agents import access, reach
from agents.models import Agent, Pause, Region, Segment
from agents.readiness import AT_WORK
from agents.sections import Section
from approvals.models import Person
from console.standing import Held
from console.views import page
from console.views.pause_form import REASONS, SectionForm, pausing, seen_work


@dataclass(frozen=True)
class Cell:
    """One place of the board: a region (or all) and a segment (or all)."""

    section: Section
    reach: reach.Reach
    paused: Pause | None
    partly: bool

    @property
    def href(self) -> str:
        """Where a click leads: to resume what is paused just so, else to pause it."""
        if self.paused and reach.covers(self.section, Section.of(self.paused)):
            return reverse("pause-resume", args=[self.paused.pk])
        return pausing(self.section)

    @property
    def look(self) -> str:
        if self.paused and not self.paused.share:
            return "paused"
        return "paused partly" if self.paused or self.partly else "live"

    @property
    def words(self) -> str:
        if self.paused:
            return f"{self.paused.share} % go" if self.paused.share else Held(self.paused, self.reach).state.title()
        return "Partly" if self.partly else "Running"


@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """Regions by segments, and the list of what is paused; live."""
    access.require(request.user, access.SEE)
    held = list(access.visible(request.user, Pause.objects.standing()))
    work = seen_work(request.user, reach.open_work())
    regions, segments = _tree(request, Region), _tree(request, Segment)
    context = {
        "segments": [(segment, cell(held, work, segment=segment)) for segment in segments],
        "everything": cell(held, work),
        "rows": [
            (
                region,
                cell(held, work, region=region),
                [cell(held, work, region=region, segment=segment) for segment in segments],
            )
            for region in regions
        ],
        "held": [Held(pause, reach.reach(Section.of(pause), work)) for pause in held],
        "may_pause": access.may_somewhere(request.user, access.PAUSE),
        "form": SectionForm(person=request.user),
    }
    return page.render(request, "pauses/board.html", context, fragment="board")


def _tree(request: HttpRequest, model: type[Region] | type[Segment]) -> list[Any]:
    """Top to bottom, what is Unassigned last; what the person sees."""
    seen = access.visible(request.user, model._default_manager.all())
    return sorted(seen, key=lambda one: (one.is_unassigned, one.code))


def cell(held: Sequence[Pause], work: Sequence[reach.Work], **parts: Any) -> Cell:
    """One place, seen under what is held. Of several pauses that close all of it the one just there is shown, unless
    it lets some through and another does not."""
    section = Section(**parts)
    over = [pause for pause in held if reach.covers(Section.of(pause), section)]
    over.sort(key=lambda pause: (pause.share > 0, Section.of(pause) != section))
    partly = not over and any(reach.meets(Section.of(pause), section) for pause in held)
    return Cell(section, reach.reach(section, work), over[0] if over else None, partly)


@require_GET
def quick(request: HttpRequest) -> HttpResponse:
    """From any page: the whole and each top region, with what each would stop, a click away."""
    may = access.may_somewhere(request.user, access.PAUSE)
    work = seen_work(request.user, reach.open_work()) if may else []
    held = list(access.visible(request.user, Pause.objects.standing())) if may else []
    sections = [Section(), *(Section(region=region) for region in _tree(request, Region) if region.parent_id is None)]
    if named := access.visible(request.user, Agent.objects.all()).filter(slug=request.GET.get("agent", "")).first():
        sections.insert(0, Section(agent=named))
    agents = access.visible(request.user, Agent.objects.all()).filter(stage__in=AT_WORK).count() if may else 0
    choices = [
        {
            "section": section,
            "stops": _stops(1 if section.agent else agents, reach.reach(section, work)),
            "paused": next((pause for pause in held if reach.covers(Section.of(pause), section)), None),
        }
        for section in sections
        if access.may(request.user, access.PAUSE, section)
    ]
    context = {
        "choices": choices if may else [],
        "may": may,
        "able": [] if may else _able(),
        "reasons": REASONS[:-1],
        "chosen": REASONS[0],
    }
    return page.render(request, "pauses/quick.html", context, fragment="dialog")


def _stops(agents: int, found: reach.Reach) -> str:
    """What a pause there would do now, in a line."""
    said = [f"{agents:,} agent{'' if agents == 1 else 's'}"]
    if found.in_flight:
        said.append(f"{found.said['in_flight']} in flight will finish")
    if found.queued:
        said.append(f"{found.said['queued']} queued will be held")
    if found.waiting:
        said.append(f"{found.said['waiting']} question{' waits' if found.waiting == 1 else 's wait'}")
    return " · ".join(said if len(said) > 1 else [*said, "nothing under way"])


def _able() -> QuerySet[Person]:
    """Some of those who may pause, for those who may not."""
    roles = [role for role, verbs in access.GRANTS.items() if access.PAUSE in verbs]
    return Person.objects.filter(role__in=roles, is_active=True).order_by("role", "name")[:6]


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """Every pause there was, and every drill, newest first."""
    access.require(request.user, access.SEE)
    rows = page.keyset(request, access.visible(request.user, Pause.objects.with_parts()))
    return page.render(request, "pauses/history.html", {"rows": rows, "now": timezone.now()}, fragment="rows")
