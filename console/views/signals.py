"""Signals: what came in, who heard it and what nobody listens to."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from agents import access
from agents.models import Action, DeadLetter, Region, Run, Segment, Signal, Source
from agents.models.signal import State
from audit.ids import floor_id
from console.views import page

PERIODS = {
    "hour": ("last hour", timedelta(hours=1)),
    "day": ("last 24 hours", timedelta(days=1)),
    "week": ("last 7 days", timedelta(days=7)),
    "month": ("last 30 days", timedelta(days=30)),
    "quarter": ("last 90 days", timedelta(days=90)),
}
BY_INDEX = ("source", "account")
"""What may be looked for without a period: the others would read all that ever came to find a rare one."""
MOST = 1000


def period_of(request: HttpRequest, *, default: str) -> str:
    """The period asked for, or `default` ("": any time)."""
    asked = request.GET.get("period", "")
    return asked if asked in PERIODS else default


def within(queryset: QuerySet[Any], period: str) -> QuerySet[Any]:
    """The rows whose id is as young as the period; all of them for ""."""
    return queryset.filter(id__gte=floor_id(timezone.now() - PERIODS[period][1])) if period else queryset


def filtered(request: HttpRequest) -> tuple[QuerySet[Signal], str]:
    """The signals that the address asks for, and the period they are from."""
    asked = request.GET
    queryset = access.visible(
        request.user, Signal.objects.select_related("source", "region", "segment").defer("payload")
    )
    narrow = [name for name in ("source", "account", "type", "state", "region", "segment") if asked.get(name)]
    period = period_of(request, default="week" if set(narrow) - set(BY_INDEX) else "")
    queryset = within(queryset, period)
    if slug := asked.get("source"):
        queryset = queryset.filter(source_id__in=Source.objects.filter(slug=slug).values("pk"))
    if asked.get("account"):
        queryset = queryset.filter(account=asked["account"].strip())
    if kind := asked.get("type", "").strip():
        queryset = queryset.filter(type__startswith=kind[:-1]) if kind.endswith("*") else queryset.filter(type=kind)
    if asked.get("state") in State.values:
        queryset = queryset.filter(state=asked["state"])
    for name, model in (("region", Region), ("segment", Segment)):
        if code := asked.get(name):
            queryset = queryset.filter(**{f"{name}_id__in": beneath(model, code)})
    return queryset, period


def beneath(model: Any, code: str) -> list[int]:
    """The ids of a region or segment and of all that is beneath it."""
    found = model.objects.filter(code=code) | model.objects.filter(code__startswith=f"{code}/")
    return list(found.values_list("pk", flat=True))


def counts(person: Any) -> dict[str, int]:
    """What the tabs say: unheard in the last 24 hours and open dead letters, each counted up to MOST."""
    since = floor_id(timezone.now() - timedelta(hours=24))
    return {
        "unheard": access.visible(person, Signal.objects.filter(state=State.UNHEARD, id__gte=since))[:MOST].count(),
        "dead": access.visible(person, DeadLetter.objects.filter(state=DeadLetter.State.OPEN))[:MOST].count(),
    }


def signals(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.SEE)
    queryset, period = filtered(request)
    context = {
        "rows": page.keyset(request, queryset),
        "period": period,
        "periods": [(key, label) for key, (label, _) in PERIODS.items()],
        "said": PERIODS[period][0] if period else "",
        "sources": access.visible(request.user, Source.objects.all()),
        "regions": access.visible(request.user, Region.objects.all()),
        "segments": access.visible(request.user, Segment.objects.all()),
        "states": State.choices,
        "asked": request.GET,
        "counts": counts(request.user),
        "most": MOST,
        "tab": "unheard" if request.GET.get("state") == State.UNHEARD else "all",
    }
    return page.render(request, "signals/list.html", context, fragment=("rows", "news"))


def signal(request: HttpRequest, pk: Any) -> HttpResponse:
    """One signal: what it says, what the mapping found, and the runs that it caused."""
    access.require(request.user, access.SEE)
    seen = access.visible(request.user, Signal.objects.all())
    found = get_object_or_404(seen.select_related("source", "region", "segment"), pk=pk)
    seen_runs = access.visible(request.user, Run.objects.filter(signal_id=pk))
    runs = list(seen_runs.select_related("agent", "play").order_by("id"))
    actions: dict[Any, list[Action]] = {run.pk: [] for run in runs}
    for action in Action.objects.filter(run_id__in=actions).defer("payload").order_by("id"):
        actions[action.run_id].append(action)
    context = {
        "signal": found,
        "runs": [(run, run.decided_at - run.received_at, actions[run.pk]) for run in runs],
        "contact": bytes(found.contact).hex() if found.contact else "",
        "conflicts": _conflicts(request, found),
    }
    return page.render(request, "signals/detail.html", context, fragment="fate")


def _conflicts(request: HttpRequest, found: Signal) -> list[DeadLetter]:
    """Open dead letters that bear this signal's id with other content."""
    letters = DeadLetter.objects.filter(source=found.source_id, state="open", kind=DeadLetter.Kind.CONFLICT)
    letters = access.visible(request.user, letters)
    return list(letters.filter(external_id=found.external_id)[:5])
