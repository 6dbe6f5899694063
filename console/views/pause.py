"""One pause: asking what it would stop, setting and drilling it, its own page, putting off its end, opening it."""

from typing import Any

from django.contrib import messages
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from agents import access, held, pauses, reach
from agents.models import Action, Attempt, Hold, Pause
from agents.sections import Section
from agents.tasks import wake
from audit.timeline import Filters, timeline
from console.standing import Held
from console.told import told
from console.views import page
from console.views.page import signed_in
from console.views.pause_form import UNTIL, ExtendForm, PauseForm, SectionForm, Stays, asking, pausing, staying

BUSY = (
    "Nothing was changed: other work held the lock for three seconds. "
    "Try again; if it stays so, pause a smaller section first."
)
UNKNOWNS = 20
"""How many unknowns a page names."""


def new(request: HttpRequest) -> HttpResponse:
    """What pausing a section would stop, then (POST) doing it, or with `do=drill` only timing it."""
    access.require_somewhere(request.user, access.PAUSE)
    posted = request.method == "POST"
    chosen = SectionForm(request.POST if posted else request.GET, person=request.user)
    if not chosen.is_valid():
        text = " ".join([*chosen.strangers, "Choose one on the board."])
        return page.trouble(request, status=422, title="There is no such section.", text=text)
    section = chosen.section
    access.require(request.user, access.PAUSE, section)
    if not posted:
        form = PauseForm(initial={"reason": request.GET.get("reason")}, person=request.user)
        return page.render(request, "pauses/new.html", asking(request.user, section, form), fragment="dialog")
    if request.POST.get("do") == "drill":
        return _drill(request, section)
    form = PauseForm(request.POST, person=request.user)
    if not form.is_valid():
        context = asking(request.user, section, form)
        return page.render(request, "pauses/new.html", context, fragment="dialog", status=422)
    return _set(request, section, form)


def _set(request: HttpRequest, section: Section, form: PauseForm) -> HttpResponse:
    person = signed_in(request)
    try:
        pause = pauses.set_pause(section, reason=form.why, actor=person.actor, person=person, until=form.moment)
    except OperationalError:
        return page.trouble(request, status=409, title=f"{section.words} is not paused.", text=BUSY)
    flight = pauses.in_flight(section)
    messages.success(request, f"{section.words}: " + (f"pausing, {flight} in flight." if flight else "paused."))
    return page.redirect(request, reverse("pauses") + f"#pause-{pause.pk}")


def _drill(request: HttpRequest, section: Section) -> HttpResponse:
    person = signed_in(request)
    try:
        made = pauses.drill(section, actor=person.actor, person=person)
    except OperationalError:
        return page.trouble(request, status=409, title="The drill failed: so would a pause.", text=BUSY)
    messages.success(request, f"Drill of {section.words}: nothing was paused.")
    return page.redirect(request, "pause", made.pk)


@require_GET
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """What a pause did, or a drill found: who, when, what it held, what it let go, how long until all was still."""
    access.require(request.user, access.SEE)
    pause = _pause(request, pk)
    access.require(request.user, access.SEE, pause)
    section, now = Section.of(pause), timezone.now()
    stands = not pause.lifted_at and (pause.until is None or pause.until > now)
    within = reach.now(section) if stands else reach.Reach()
    flight = held.flight(pause)
    context = {
        "pause": pause,
        "section": section,
        "stands": stands,
        "reach": within,
        "words": Held(pause, within).words if stands else "Drill" if pause.is_drill else "Over",
        "flight": flight,
        "quiet_after": flight.quiet_at - (pause.closed_at or pause.set_at) if flight.quiet_at else None,
        "unknowns": _unknowns(request, section, pause, stands=stands),
        "fates": held.fates(pause),
        "staying": _staying(request, pause) if stands else [],
        "told": told(timeline(Filters(subject=f"pause:{pause.pk}"), limit=50)),
        "rows": _holds(request, pause),
        "may_pause": access.may(request.user, access.PAUSE, pause),
        "stages": pauses.STAGES,
        "untils": UNTIL[1:],
        "again": pausing(section),
    }
    return page.render(request, "pauses/pause.html", context, fragment="pause")


def _unknowns(request: HttpRequest, section: Section, pause: Pause, *, stands: bool) -> list[Action]:
    """Sends of which nobody knows yet whether they took effect: in the section now, or met when it closed."""
    if stands:
        found = Action.objects.filter(pk__in=reach.unknowns(section, most=UNKNOWNS))
    else:
        met = Attempt.objects.filter(pk__in=pause.in_flight).values("action_id")
        found = Action.objects.filter(pk__in=met, state="unknown")
    seen = access.visible(request.user, found)
    return list(seen.select_related("connection").order_by("-id")[:UNKNOWNS])


def _holds(request: HttpRequest, pause: Pause) -> page.Rows:
    rows = Hold.objects.filter(pause=pause).select_related("action")
    if not access.reach(request.user, access.SEE).everywhere:
        rows = rows.filter(action__in=access.visible(request.user, Action.objects.all()))
    return page.keyset(request, rows, size=15)


@require_POST
def extend(request: HttpRequest, pk: int) -> HttpResponse:
    """Have it resume by itself at another time, or never."""
    pause, person = _pause(request, pk), signed_in(request)
    access.require(request.user, access.PAUSE, pause)
    form = ExtendForm(request.POST)
    if not form.is_valid():
        said = " ".join(str(fault) for faults in form.errors.values() for fault in faults)
        return page.trouble(request, status=422, title="Its end is where it was.", text=said)
    try:
        moved = pauses.extend(pause, form.moment, actor=person.actor)
    except OperationalError:
        return page.trouble(request, status=409, title="Its end is where it was.", text=BUSY)
    if not moved:
        return _already(request, _pause(request, pk))
    messages.success(request, f"{pause} stays paused, {_end(pause)}.")
    return page.redirect(request, "pause", pause.pk)


def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """What goes on and what stays held by other pauses, then (POST) opening the section, by `share` per cent or all."""
    pause = _pause(request, pk)
    access.require(request.user, access.PAUSE, pause)
    section = Section.of(pause)
    if pause.lifted_at:
        return _already(request, pause)
    stays = _staying(request, pause)
    if request.method != "POST":
        return page.render(request, "pauses/resume.html", _opening(pause, section, stays), fragment="dialog")
    share = request.POST.get("share") or "100"
    if share not in {str(each) for each in (0, *pauses.STAGES, 100)}:
        title, text = "It is as it was.", f"“{share[:20]}” is no stage: 0, 10, 50 or 100 per cent."
        return page.trouble(request, status=422, title=title, text=text)
    return _open(request, pause, int(share), stays)


def _open(request: HttpRequest, pause: Pause, share: int, stays: list[Stays]) -> HttpResponse:
    person, why = signed_in(request), request.POST.get("why", "").strip()[:300]
    try:
        if share == 100:
            done = pauses.lift(pause, actor=person.actor, person=person, why=why)
        else:
            done = pauses.stage(pause, share=share, actor=person.actor, why=why)
    except OperationalError:
        return page.trouble(request, status=409, title=f"{pause} is as it was.", text=BUSY)
    if not done:
        return _already(request, _pause(request, pause.pk))
    wake()
    messages.success(request, _said(pause, share, stays))
    return page.redirect(request, "pause", pause.pk)


def _said(pause: Pause, share: int, stays: list[Stays]) -> str:
    if share == 0:
        return f"{pause} is closed again."
    whole = next((one for one in stays if one.whole), None)
    if whole is not None:
        what = "is over" if share == 100 else f"lets {share} % through"
        return f"This pause of {pause} {what}, but {pause} stays closed by {whole.by}."
    said = f"{pause} goes on." if share == 100 else f"{share} % of {pause} go on."
    return " ".join([said, *(f"{one.what} stays closed by {one.by}." for one in stays)])


def _opening(pause: Pause, section: Section, stays: list[Stays]) -> dict[str, Any]:
    work = [one for one in reach.open_work("held") if reach.contains(section, one)]
    closed = [Section.of(one.pause) for one in stays if not one.pause.share]
    kept = [one for one in work if any(reach.contains(other, one) for other in closed)]
    there = sum(one.actions for one in work)
    stay = sum(one.actions for one in kept)
    return {
        "pause": pause,
        "there": there,
        "stay": stay,
        "go": there - stay,
        "too_old": held.too_old(pause),
        "stays": stays,
        "whole": next((one for one in stays if one.whole), None),
        "stages": pauses.STAGES,
    }


def _staying(request: HttpRequest, pause: Pause) -> list[Stays]:
    seen = access.visible(request.user, Pause.objects.standing())
    return staying(Section.of(pause), but=pause.pk, seen=seen)


def _pause(request: HttpRequest, pk: int) -> Pause:
    return get_object_or_404(access.visible(request.user, Pause.objects.with_parts()), pk=pk)


def _end(pause: Pause) -> str:
    if pause.until is None:
        return "until someone resumes it"
    return f"until {timezone.localtime(pause.until):%-d %b %H:%M %Z}"


def _already(request: HttpRequest, pause: Pause) -> HttpResponse:
    """Someone was first, or its end came."""
    by, at = (pause.lifted_by.name if pause.lifted_by else "Its end"), pause.lifted_at or pause.until
    return page.trouble(
        request,
        status=409,
        title=f"{pause} already goes on.",
        text=f"{by} resumed it at {timezone.localtime(at):%H:%M:%S}.",
    )
