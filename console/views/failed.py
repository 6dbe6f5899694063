"""What did not happen, or may not have: actions that failed, were refused or are unknown; sent again or settled."""

from collections import Counter
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_POST

from agents import access, again
from agents.models import Action, Agent, Connection
from agents.models.action import State
from agents.tasks import wake
from approvals.models import Person
from audit.ids import floor_id
from console.views import once, page
from console.views.page import signed_in
from console.views.run_filters import DEFAULT_PERIOD, PERIODS

STUCK = (State.FAILED, State.UNKNOWN, State.REFUSED)
NAMES = ("state", "agent", "connection", "why", "period")
LARGEST = 100
"""How many actions one request may send again or settle."""
LOOKED_AT = 500
"""Among how many of the newest the reasons are counted."""
RESULTS = "failed"


class Filters:
    """What the address asks for; a value that nothing has shows nothing."""

    def __init__(self, params: QueryDict, person: Person) -> None:
        self.person = person
        self.given = {name: value for name in NAMES if (value := params.get(name, "").strip())}
        self.agents = list(access.visible(person, Agent.objects.only("slug", "name")))
        self.connections = list(access.visible(person, Connection.objects.only("slug", "name")))

    @cached_property
    def period(self) -> str:
        asked = self.given.get("period", "")
        return asked if asked in dict(PERIODS) else DEFAULT_PERIOD

    @property
    def query(self) -> str:
        """The filters as the end of an address, "?" included; nothing when none is set."""
        return f"?{urlencode(self.given)}" if self.given else ""

    def actions(self, *, any_reason: bool = False) -> QuerySet[Action]:
        """Those that match, of the period only."""
        since = floor_id(timezone.now() - timedelta(days=int(self.period)))
        state = self.given.get("state", "")
        found = access.visible(self.person, Action.objects.filter(state__in=STUCK, id__gte=since))
        if state in STUCK:
            found = found.filter(state=state)
        for name, known in (("agent", self.agents), ("connection", self.connections)):
            if slug := self.given.get(name):
                found = found.filter(**{f"{name}__in": [one.pk for one in known if one.slug == slug]})
        if (why := self.given.get("why")) and not any_reason:
            found = found.filter(why=why)
        return found

    def reasons(self) -> list[tuple[str, int]]:
        """The reasons of the newest that match but for their reason, most frequent first."""
        newest = self.actions(any_reason=True).order_by("-id").values_list("why", flat=True)[:LOOKED_AT]
        return Counter(newest).most_common(25)

    def mine(self) -> QuerySet[Action]:
        """Those of them that the person may send again and settle."""
        return self.actions().filter(access.reach(self.person, access.RESEND).q("agent", "region", "segment"))


def failed(request: HttpRequest) -> HttpResponse:
    """`?state= ?agent= ?connection= ?why= ?period=`; pages by `?before=` and `?after=`."""
    access.require(request.user, access.SEE)
    filters = Filters(request.GET, signed_in(request))
    found = (
        filters.actions()
        .select_related("agent", "play", "connection")
        .defer("payload", "agent__scorecard", "agent__choices", "play__steps", "connection__secrets_sealed")
    )
    rows = page.keyset(request, found, size=25)
    context = {
        "rows": rows,
        "filters": filters,
        "reasons": filters.reasons(),
        "states": [(state.value, state.label) for state in STUCK],
        "periods": PERIODS,
        "may_act": access.may_somewhere(request.user, access.RESEND),
        "mine": {row.pk for row in rows if access.may(request.user, access.RESEND, row)},
        "looked_at": LOOKED_AT,
        "results": once.take(request, RESULTS) if not getattr(request, "htmx", False) else None,
    }
    return page.render(request, "failed/list.html", context, fragment=("rows", "news"))


def every(request: HttpRequest) -> HttpResponse:
    """Asks before all that match the filters are sent again; a POST sends the newest LARGEST of them."""
    access.require_somewhere(request.user, access.RESEND)
    person = signed_in(request)
    filters = Filters(request.POST if request.method == "POST" else request.GET, person)
    due = filters.mine().filter(state__in=again.AGAIN).order_by("-id")
    ids = list(due.values_list("pk", flat=True)[: LARGEST + 1])
    if request.method == "POST":
        _send(request, person, ids[:LARGEST])
        return page.redirect(request, f"/failed{filters.query}")
    context = {"filters": filters, "count": min(len(ids), LARGEST), "more": len(ids) > LARGEST}
    return page.render(request, "failed/every.html", context, fragment="dialog")


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Those that are ticked: `do` is again, happened or not; the page after says what came of each."""
    access.require_somewhere(request.user, access.RESEND)
    ids = _ids(request.POST.getlist("action"))
    do = request.POST.get("do")
    if not ids or do not in ("again", "happened", "not"):
        return page.trouble(request, status=422, title="Nothing is ticked", text="Tick the actions you mean first.")
    if do == "again":
        _send(request, signed_in(request), ids)
    else:
        _settle(request, signed_in(request), ids, happened=do == "happened")
    return page.back(request, "failed")


def _send(request: HttpRequest, person: Person, ids: list[UUID]) -> None:
    results = again.send_again(ids, person=person)
    if any(one.new for one in results):
        wake()
    _keep(request, [(one.new or one.action, bool(one.new), one.says) for one in results])


def _settle(request: HttpRequest, person: Person, ids: list[UUID], *, happened: bool) -> None:
    says = "Noted: it happened." if happened else "Noted: it did not happen. It can be sent again."
    found = []
    for id_ in ids:
        done = again.resolve_unknown(id_, happened=happened, person=person)
        found.append((id_, done, says if done else "It is not unknown (any more): nothing was changed."))
    _keep(request, found)


def _keep(request: HttpRequest, came: list[tuple[UUID, bool, str]]) -> None:
    actions = access.visible(request.user, Action.objects.select_related("agent", "play")).in_bulk(
        [id_ for id_, _, _ in came]
    )
    once.keep(request, RESULTS, [_result(actions.get(id_), ok, says) for id_, ok, says in came])


def _result(action: Action | None, ok: bool, says: str) -> dict[str, Any]:
    if action is None:
        return {"ok": ok, "says": says, "name": "An action", "run": ""}
    return {"ok": ok, "says": says, "name": f"{action.play.name}, {action.step}", "run": str(action.run_id)}


def _ids(texts: list[str]) -> list[UUID]:
    found = []
    for text in texts[:LARGEST]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
