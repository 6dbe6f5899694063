"""Runs: what the agents made of the signals, newest first."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse

from agents import access
from agents.models import Action, Agent, Region, Run, Segment, Signal
from agents.models.action import State
from agents.models.run import Verdict
from console.views import page
from console.views.run_filters import PERIODS, RunFilters


@dataclass(frozen=True, slots=True)
class Line:
    """One run as the list shows it. `signal` is None once its month was dropped."""

    run: Run
    signal: Signal | None
    states: list[tuple[State, int]]
    """The states of its actions, each with how many are in it."""
    took: timedelta | None


def runs(request: HttpRequest) -> HttpResponse:
    """`?agent= ?verdict= ?state= ?region= ?segment= ?account= ?period=`; pages by `?before=` and `?after=`."""
    filters = RunFilters(request.GET, request.user)
    found = (
        filters.runs()
        .select_related("agent", "play", "region", "segment")
        .defer("reasons", "agent__scorecard", "agent__choices", "play__steps")
        .prefetch_related(
            Prefetch("actions", Action.objects.only("run_id", "state", "settled_at", "undo_of").order_by("id"))
        )
    )
    rows = page.keyset(request, found)
    context = {
        "rows": rows,
        "lines": lines(list(rows)),
        "filters": filters,
        "agents": access.visible(request.user, Agent.objects.only("slug", "name")),
        "regions": access.visible(request.user, Region.objects.only("code", "name")),
        "segments": access.visible(request.user, Segment.objects.only("code", "name")),
        "verdicts": Verdict.choices,
        "states": State.choices,
        "periods": PERIODS,
    }
    return page.render(request, "runs/list.html", context, fragment=("rows", "news"))


def lines(rows: list[Run]) -> list[Line]:
    """Each run with its signal and actions; one statement beyond those of the runs."""
    signals = Signal.objects.only("type", "account_name", "person", "email", "received_at").in_bulk(
        [run.signal_id for run in rows]
    )
    return [_line(run, signals.get(run.signal_id)) for run in rows]


def _line(run: Run, signal: Signal | None) -> Line:
    actions = [action for action in run.actions.all() if action.undo_of is None]
    settled = [action.settled_at for action in actions if action.state == State.DELIVERED and action.settled_at]
    states = Counter(State(action.state) for action in actions if action.state != State.SHADOW)
    return Line(run, signal, list(states.items()), max(settled) - run.received_at if settled else None)
