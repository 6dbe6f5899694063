"""Pause: the board of what runs and what stands still, closing a section, and opening it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db import OperationalError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from agents import access, pauses, reach
from agents.models import Agent, Connection, Pause, Play, Region, Segment
from agents.pauses import Section
from agents.tasks import wake
from approvals.models import Person
from console.until import parse_until
from console.views import page
from console.views.page import signed_in

REASONS = ("Wrong messages", "Customer asked", "Something broke", "Freeze", "Drill", "Other")
UNTIL = (("", "never"), ("30m", "in 30 minutes"), ("2h", "in 2 hours"), ("1d", "in a day"), ("7d", "in a week"))
PARTS: dict[str, tuple[type[Model], str]] = {
    "region": (Region, "code"),
    "segment": (Segment, "code"),
    "agent": (Agent, "slug"),
    "play": (Play, "slug"),
    "connection": (Connection, "slug"),
}
BUSY = (
    "Nothing was changed: other work held the lock for three seconds. "
    "Try again; if it stays so, pause a smaller section first."
)


def standing() -> QuerySet[Pause]:
    """Pauses in force, newest first."""
    now = timezone.now()
    return Pause.objects.filter(Q(until=None) | Q(until__gt=now), lifted_at=None).select_related(*PARTS, "set_by")


@dataclass(frozen=True)
class Held:
    """A standing pause with what is still in it."""

    pause: Pause
    reach: reach.Reach

    @property
    def words(self) -> str:
        """ "Paused" only once nothing that passed the gate before is still under way."""
        return f"Pausing ({self.reach.in_flight} in flight)" if self.reach.in_flight else "Paused"

    @property
    def unknown_words(self) -> str:
        return f"{self.reach.unknown} unknown"


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
        return (
            f"{reverse('pause-new')}?{urlencode(self.section.detail)}" if self.section.detail else reverse("pause-new")
        )

    @property
    def look(self) -> str:
        return "paused" if self.paused else "paused partly" if self.partly else "live"

    @property
    def words(self) -> str:
        if self.paused:
            return "Pausing" if self.reach.in_flight else "Paused"
        return "Partly" if self.partly else "Running"


@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """Regions by segments, and the list of what is paused; live."""
    access.require(request.user, access.SEE)
    held = list(standing())
    work = reach.open_work()
    regions, segments = _tree(Region), _tree(Segment)
    context = {
        "segments": [(segment, _cell(held, work, segment=segment)) for segment in segments],
        "everything": _cell(held, work),
        "rows": [
            (
                region,
                _cell(held, work, region=region),
                [_cell(held, work, region=region, segment=segment) for segment in segments],
            )
            for region in regions
        ],
        "held": [Held(pause, reach.reach(Section.of(pause), work)) for pause in held],
        "may_pause": access.may(request.user, access.PAUSE),
        "form": SectionForm(),
    }
    return page.render(request, "pauses/board.html", context, fragment="board")


def _tree(model: type[Region] | type[Segment]) -> list[Any]:
    """Top to bottom, what is Unassigned last."""
    return sorted(model.objects.all(), key=lambda one: (one.is_unassigned, one.code))


def _cell(held: Sequence[Pause], work: Sequence[reach.Work], **parts: Any) -> Cell:
    section = Section(**parts)
    over = [pause for pause in held if reach.covers(Section.of(pause), section)]
    exact = next((pause for pause in over if Section.of(pause) == section), None)
    partly = not over and any(reach.meets(Section.of(pause), section) for pause in held)
    return Cell(section, reach.reach(section, work), exact or (over[0] if over else None), partly)


class SectionForm(forms.Form):
    """Which section: any of these; all given must match; none is everything."""

    region = forms.ModelChoiceField(Region.objects.all(), to_field_name="code", required=False, empty_label="all")
    segment = forms.ModelChoiceField(Segment.objects.all(), to_field_name="code", required=False, empty_label="all")
    agent = forms.ModelChoiceField(
        Agent.objects.exclude(stage="retired"), to_field_name="slug", required=False, empty_label="all"
    )
    play = forms.ModelChoiceField(Play.objects.all(), to_field_name="slug", required=False, empty_label="all")
    connection = forms.ModelChoiceField(
        Connection.objects.all(), to_field_name="slug", required=False, empty_label="all"
    )

    @property
    def section(self) -> Section:
        return Section(**{name: self.cleaned_data.get(name) for name in PARTS})


class PauseForm(SectionForm):
    """Closing it: why, and until when."""

    reason = forms.ChoiceField(choices=[(reason, reason) for reason in REASONS])
    note = forms.CharField(required=False, max_length=300)
    until = forms.CharField(required=False, max_length=30)
    until_at = forms.CharField(required=False, max_length=30)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        try:
            given["moment"] = parse_until(given.get("until_at") or given.get("until") or "")
        except ValueError as fault:
            self.add_error("until_at", str(fault))
        if given.get("reason") == "Other" and not given.get("note"):
            self.add_error("note", "Say what it is.")
        return given

    @property
    def why(self) -> str:
        reason, note = self.cleaned_data["reason"], self.cleaned_data["note"].strip()
        return note if reason == "Other" else f"{reason}: {note}" if note else reason


def new(request: HttpRequest) -> HttpResponse:
    """What pausing a section would stop, then (POST) doing it."""
    access.require(request.user, access.PAUSE)
    if request.method == "POST":
        form = PauseForm(request.POST)
        if form.is_valid():
            return _set(request, form)
        if set(PARTS) & set(form.errors):
            return _no_section(request)
        return page.render(request, "pauses/new.html", _asking(form.section, form), fragment="dialog", status=422)
    chosen = SectionForm(request.GET)
    if not chosen.is_valid():
        return _no_section(request)
    initial = {"reason": request.GET.get("reason") or REASONS[0]}
    return page.render(
        request, "pauses/new.html", _asking(chosen.section, PauseForm(initial=initial)), fragment="dialog"
    )


def _no_section(request: HttpRequest) -> HttpResponse:
    return page.trouble(request, status=422, title="There is no such section.", text="Choose one on the board.")


def _asking(section: Section, form: PauseForm) -> dict[str, Any]:
    return {
        "section": section,
        "blast": reach.blast(section),
        "others": reach.others(section, list(standing())),
        "form": form,
        "reasons": REASONS,
        "untils": UNTIL,
        "chosen": form["reason"].value() or REASONS[0],
    }


def _set(request: HttpRequest, form: PauseForm) -> HttpResponse:
    person, section = signed_in(request), form.section
    try:
        pause = pauses.set_pause(
            section, reason=form.why, actor=person.actor, person=person, until=form.cleaned_data["moment"]
        )
    except OperationalError:
        return page.trouble(request, status=409, title=f"{section.words} is not paused.", text=BUSY)
    flight = pauses.in_flight(section)
    messages.success(request, f"{section.words}: " + (f"pausing, {flight} in flight." if flight else "paused."))
    return page.redirect(request, reverse("pauses") + f"#pause-{pause.pk}")


@require_GET
def quick(request: HttpRequest) -> HttpResponse:
    """From any page: the whole and each top region, with what each would stop, a click away."""
    may = access.may(request.user, access.PAUSE)
    work, held = (reach.open_work(), list(standing())) if may else ([], [])
    sections = [Section(), *(Section(region=region) for region in _tree(Region) if region.parent_id is None)]
    if named := Agent.objects.filter(slug=request.GET.get("agent", "")).first():
        sections.insert(0, Section(agent=named))
    agents = Agent.objects.filter(stage__in=("shadow", "supervised", "autonomous")).count() if may else 0
    choices = [
        {
            "section": section,
            "stops": _stops(1 if section.agent else agents, reach.reach(section, work)),
            "paused": next((pause for pause in held if reach.covers(Section.of(pause), section)), None),
        }
        for section in sections
    ]
    context = {
        "choices": choices if may else [],
        "able": [] if may else _able(),
        "reasons": REASONS[:-1],
        "chosen": REASONS[0],
    }
    return page.render(request, "pauses/quick.html", context, fragment="dialog")


def _stops(agents: int, found: reach.Reach) -> str:
    """What a pause there would do now, in a line."""
    said = [f"{agents:,} agent{'' if agents == 1 else 's'}"]
    if found.in_flight:
        said.append(f"{found.in_flight:,} in flight will finish")
    if found.queued:
        said.append(f"{found.queued:,} queued will be held")
    if found.waiting:
        said.append(f"{found.waiting:,} question{' waits' if found.waiting == 1 else 's wait'}")
    return " · ".join(said if len(said) > 1 else [*said, "nothing under way"])


def _able() -> QuerySet[Person]:
    """Some of those who may pause, for those who may not."""
    roles = [role for role, verbs in access.GRANTS.items() if access.PAUSE in verbs]
    return Person.objects.filter(role__in=roles, is_active=True).order_by("role", "name")[:6]


def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """What goes on and what stays held by other pauses, then (POST) opening the section again."""
    access.require(request.user, access.PAUSE)
    pause = get_object_or_404(Pause.objects.select_related(*PARTS, "set_by", "lifted_by"), pk=pk)
    section = Section.of(pause)
    if pause.lifted_at:
        return _already(request, pause)
    staying = reach.others(section, list(standing()), but=pause.pk)
    if request.method != "POST":
        context = {"pause": pause, "reach": reach.reach(section, reach.open_work()), "staying": staying}
        return page.render(request, "pauses/resume.html", context, fragment="dialog")
    person = signed_in(request)
    try:
        lifted = pauses.lift(pause, actor=person.actor, person=person, why=request.POST.get("why", "").strip()[:300])
    except OperationalError:
        return page.trouble(request, status=409, title=f"{section.words} is still paused.", text=BUSY)
    if not lifted:
        pause.refresh_from_db()
        return _already(request, pause)
    wake()
    still = f" Still paused there: {', '.join(str(other) for other in staying)}." if staying else ""
    messages.success(request, f"{section.words} goes on.{still}")
    return page.redirect(request, "pauses")


def _already(request: HttpRequest, pause: Pause) -> HttpResponse:
    by = pause.lifted_by.name if pause.lifted_by else "Its end"
    at = timezone.localtime(pause.lifted_at)
    return page.trouble(
        request,
        status=409,
        title=f"{Section.of(pause).words} already goes on.",
        text=f"{by} resumed it at {at:%H:%M:%S}.",
    )


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """Every pause there was, newest first."""
    access.require(request.user, access.SEE)
    rows = page.keyset(request, Pause.objects.select_related(*PARTS, "set_by", "lifted_by"))
    return page.render(request, "pauses/history.html", {"rows": rows, "now": timezone.now()}, fragment="rows")
