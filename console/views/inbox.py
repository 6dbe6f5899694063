"""What waits for this person: the list, and what came and went since it was drawn."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from agents import access, questions, stamps
from approvals.models import Approval, Person
from console.asked import REASONS, asked
from console.nav import CountOf
from console.typed import counted
from console.views import inbox_later as later
from console.views import page
from console.views.inbox_filters import Filters
from console.views.inbox_order import after, at, uuid
from console.views.page import signed_in

SIZE = 25
MOST = 1000
"""How far counts go; beyond they read "1,000+"."""


@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """What waits: `?after=<id>` goes on after that question. As "news": only what changed since it was drawn."""
    context = _news(request) if page.part(request) == "news" else listed(request)
    return page.render(request, "inbox/inbox.html", context, fragment=("waiting", "news"))


def listed(request: HttpRequest, *, focus: UUID | None = None) -> dict[str, Any]:
    """Everything the list shows; `focus`: the question that has the focus once it is swapped in."""
    person, filters = signed_in(request), Filters.of(request)
    everything = questions.for_inbox(person)
    matching = filters.matching(everything)
    rows = list(asked(after(matching, at(person, filters.get("after")))[: SIZE + 1], person))
    counts = _counts(person, everything, matching)
    return {
        **counts,
        "rows": rows[:SIZE],
        "next_href": filters.href(after=rows[SIZE - 1].approval.pk) if len(rows) > SIZE else "",
        "news": _asking(filters, counts["newest"] or "", counts["matching"], drawn=bool(rows)),
        "filters": filters,
        "choices": filters.choices(person) if counts["count"] > 1 or filters.given else {},
        "focus": focus or uuid(filters.get("at")),
        "pace": stamps.of(person),
        "manages": access.may(person, access.PUBLISH),
        **answering(),
    }


def answering() -> dict[str, Any]:
    """What the forms of an answer offer."""
    return {"reject_reasons": REASONS, "snoozes": later.CHOICES, "undo_seconds": questions.UNDO_SECONDS}


def _counts(person: Person, everything: QuerySet[Approval], matching: QuerySet[Approval]) -> dict[str, Any]:
    """How many wait, match and are put off, and the newest of those that match: one statement."""
    found = Person.objects.filter(pk=person.pk).values_list(
        CountOf(_bounded(everything)),
        CountOf(_bounded(matching)),
        CountOf(_bounded(questions.snoozed_by(person))),
        Subquery(matching.order_by("-pk").values("pk")[:1]),
    )
    count, matches, snoozed, newest = found[0]
    return {"count": count or 0, "matching": matches or 0, "snoozed": snoozed or 0, "newest": newest}


def _bounded(found: QuerySet[Approval], most: int = MOST) -> QuerySet[Approval, Any]:
    return found.order_by().values("pk")[:most]


def _news(request: HttpRequest) -> dict[str, Any]:
    """How many came and went since the list was drawn with `of` questions, of which `seen` was the newest."""
    filters = Filters.of(request)
    matching = filters.matching(questions.for_inbox(signed_in(request)))
    seen = uuid(filters.get("seen"))
    drawn = min(counted(filters.get("of")) or 0, MOST)
    came = _bounded(matching.filter(pk__gt=seen) if seen else matching).count()
    now = _bounded(matching, MOST + came).count()
    went = max(0, drawn + came - now) if drawn < MOST else 0
    return {"news": {**_asking(filters, seen or "", drawn), "came": came, "went": went}, "filters": filters}


def _asking(filters: Filters, seen: object, of: int, *, drawn: bool = True) -> dict[str, Any]:
    """Where the list asks for news; an empty one asks for itself, so that it fills."""
    return {"came": 0, "went": 0, "drawn": drawn, "href": filters.href(seen=seen, of=of) if drawn else filters.href()}
