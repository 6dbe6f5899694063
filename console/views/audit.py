"""Audit: the work record, newest first, by what a person asks for; one entry of it; and its verification."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import DatabaseError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from agents import access, paging
from audit import outlets, watch
from audit.age import Stretch, beyond, gone
from audit.entries import Line, record
from audit.ids import id_time
from audit.inclusion import seal_of
from audit.models import Checkpoint, Entry
from audit.seal import direct_connection
from audit.search import count_newer, look
from audit.timeline import Filters, Row, find, timeline
from audit.verify import verify
from console.told import Told, told
from console.views import page
from console.views.audit_filter import FilterForm, chips, facets, narrowed, story
from console.views.me import signed_in

SIZE = 50
AROUND = timedelta(minutes=2)
PATIENCE_MS = 4000
"""How long one question to the record may take."""
VERIFY_MOST = 200_000
"""Longer records are verified by `manage.py verify`, which needs no browser to wait."""
VERIFIED_BACK = 100
"""How many verifications the page looks back through."""
RECORD = "record:all"


@dataclass
class Page:
    """A page of the timeline with its cursors, for templates."""

    entries: list[Told]
    older: str = ""
    newer: str = ""
    seen: str = ""
    news: int = 0
    further: str = ""
    """Set where looking took too long: the entry up to which all was looked at."""
    reached: datetime | None = None


@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """The timeline; as "news" only how many entries came since."""
    access.require(request.user, access.SEE)
    form = FilterForm(request.GET)
    status, trouble, rows, filters = 200, "", Page([]), None
    if form.is_valid():
        filters = form.filters(request.user)
        try:
            rows = _page(request, filters)
        except DatabaseError:
            status, trouble = 422, "That asks too much of the record at once: narrow the time, or name an agent."
    else:
        status, trouble = 422, "A filter in the address can't be read, so nothing is shown."
    context: dict[str, Any] = {"form": form, "rows": rows, "trouble": trouble}
    if filters is not None and not (trouble or rows.older or "seen" in request.GET):
        context["gone"] = _gone(request, filters)
    if filters is not None:
        context |= {"since": _typed(filters.since), "until": _typed(filters.until)}
    if not getattr(request, "htmx", False):
        context |= {"chips": chips(form, request.GET), "story": story(request.GET)}
        context["whole"] = access.reach(request.user, access.SEE).everywhere
        context |= facets(request, form, None) if trouble else _around(request, form, filters)
    return page.render(request, "audit/audit.html", context, fragment=("rows", "news"), status=status)


def _gone(request: HttpRequest, filters: Filters) -> list[Stretch]:
    """What of the time asked about went by rule, the newest first, for those who see all of the record."""
    if not access.reach(request.user, access.SEE).everywhere:
        return []
    return beyond(filters.since, filters.until, verb=filters.verb)[::-1]


@contextmanager
def _patience() -> Iterator[None]:
    """DatabaseError where a question to the record takes longer than PATIENCE_MS."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [PATIENCE_MS])
        yield


def _around(request: HttpRequest, form: FilterForm, filters: Filters | None) -> dict[str, Any]:
    """What stands around the entries; where that takes too long, without counts."""
    try:
        with _patience():
            return {**facets(request, form, filters), "verified": _last_verified(request), **_by_itself()}
    except DatabaseError:
        return facets(request, form, None)


def _page(request: HttpRequest, filters: Filters) -> Page:
    before, after, seen = (_uuid(request.GET.get(name, "")) for name in ("before", "after", "seen"))
    with _patience():
        if seen:
            return Page([], seen=str(seen), news=count_newer(filters, than=seen))
        found, further = look(filters, before=before, after=after if not before else None, limit=SIZE + 1)
        turned = after is not None and before is None
        shown = found[-SIZE:] if turned else found[:SIZE]
        more = len(found) > SIZE
        return Page(
            told(shown),
            older=str(shown[-1].id) if shown and not further and (more or turned) else "",
            newer=str(shown[0].id) if shown and (more if turned else before) else "",
            seen=str(shown[0].id) if shown else "",
            further=str(further) if further else "",
            reached=id_time(further) if further else None,
        )


def _by_itself() -> dict[str, Any]:
    """How the scheduled verifying stands, and which copies of checkpoints don't get out."""
    with connection.cursor() as cursor:
        stuck = outlets.failing(cursor, longer_than=outlets.LATE) if outlets.configured() else []
        return {"watched": watch.state(cursor), "stuck": stuck}


@dataclass(frozen=True)
class Verified:
    """The newest entry of a verification, and the oldest of those without a break in between that found it alike: of
    the newest VERIFIED_BACK, `further` where there may be older ones."""

    last: Told
    since: datetime
    further: bool


def _last_verified(request: HttpRequest) -> Verified | None:
    asked = narrowed(request.user, Filters(subject=RECORD, verb="record.verified"))
    rows = timeline(asked, limit=VERIFIED_BACK)
    if not rows:
        return None
    alike = list(takewhile(lambda row: bool(row.detail.get("found")) == bool(rows[0].detail.get("found")), rows))
    return Verified(told(rows[:1])[0], alike[-1].at, len(alike) == VERIFIED_BACK)


@require_GET
def entry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One entry: its sentence, what changed, its bytes as they were sealed, and its place under the seal."""
    access.require(request.user, access.SEE)
    sealed = access.visible(request.user, Entry.objects.filter(pk=pk)).first()
    row = find(pk) if sealed else None
    if sealed is None or row is None:
        return not_here(request, pk)
    body = bytes(sealed.body).decode(errors="replace")
    before, after = changes(row)
    context = {
        "one": told([row])[0],
        "row": row,
        "before": before,
        "after": after,
        "body": body,
        "seal": seal_of(pk),
        "whole": access.reach(request.user, access.SEE).everywhere,
        "sealed_as": f"Number {row.seq:,}" if row.seq is not None else "",
        "subject_kind": row.subject.partition(":")[0],
        "around": {name: _local(row.at + span) for name, span in (("since", -AROUND), ("until", AROUND))},
    }
    return page.render(request, "audit/entry.html", context)


def not_here(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Why there is no such entry any more, for who sees all of the record; Http404 otherwise."""
    stretch = gone(pk) if access.reach(request.user, access.SEE).everywhere else None
    if stretch is None:
        raise Http404
    return page.trouble(request, status=410, title="It is no longer here.", text=f"It was {stretch.why}.")


def changes(row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the entry says it changed: the fields before and after, both empty where it changed none."""
    found = row.detail.get("changed") or row.detail.get("before_after")
    said = found.items() if isinstance(found, dict) else ()
    pairs = [(name, pair) for name, pair in said if isinstance(pair, list) and len(pair) == 2]
    return {name: pair[0] for name, pair in pairs}, {name: pair[1] for name, pair in pairs}


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """Verify the record now, and write down that and with what result; a broken record opens an incident."""
    access.require(request.user, access.SEE, Checkpoint)
    person = signed_in(request)
    head = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
    if head > VERIFY_MOST:
        text = f"It has {head:,} sealed entries; `manage.py verify` on the server checks them all without a time limit."
        return page.trouble(request, status=409, title="The record is too long to verify from here.", text=text)
    started = datetime.now(UTC)
    with direct_connection() as conn:
        report = verify(conn)
    first = str(report.problems[0])[:200] if report.problems else ""
    ms = int((datetime.now(UTC) - started).total_seconds() * 1000)
    detail = {
        "sealed": report.sealed, "unsealed": report.unsealed, "checkpoints": report.checkpoints,
        "outside": report.outside, "found": report.found, "first": first, "ms": ms,
        "result": "it holds" if report.ok else f"BROKEN, {report.found} found",
        **({"dropped": report.dropped} if report.dropped else {}),
    }  # fmt: skip
    with transaction.atomic():
        record(Line("record.verified", RECORD, person.actor, detail=detail))
    if report.ok:
        messages.success(request, f"The record holds: {report.sealed:,} sealed entries checked in {ms} ms.")
    else:
        paging.open_incident("record", f"The record does not verify: {first}", actor=person.actor)
        messages.error(request, f"The record is broken: {report.found:,} found, the first: {first}")
    return page.redirect(request, "audit")


def _typed(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%dT%H:%M}" if at else ""


def _local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
