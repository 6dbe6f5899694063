"""Audit: the work record, newest first, by what a person asks for; its permalinks, its export and its verification."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import defusedcsv.csv as defused
from django import forms
from django.contrib import messages
from django.db import DatabaseError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from agents import access, paging
from agents.models import Agent, Region, Segment
from agents.reach import beneath
from approvals.models import Person
from audit import words
from audit.entries import Line, record
from audit.ids import EPOCH
from audit.inclusion import seal_of
from audit.models import Checkpoint, Entry
from audit.seal import direct_connection
from audit.timeline import Filters, Row, find, newer, timeline
from audit.verify import verify
from console.told import Told, told
from console.views import page
from console.views.me import signed_in

SIZE = 50
AROUND = timedelta(minutes=2)
PATIENCE_MS = 4000
"""How long one question to the record may take."""
EXPORT_MOST = 100_000
EXPORT_SPAN = timedelta(days=90)
PIECE = 1000
"""How many entries an export reads at once."""
FRESH = 0.5
"""Seconds after which an export asks anew what its reader may see."""
VERIFY_MOST = 200_000
"""Longer records are verified by `manage.py verify`, which needs no browser to wait."""
RECORD = "record:all"
SCOPED = ("agent", "region", "segment")
MOST_PEOPLE = 200
HANDS = {"worker:loop": "the loop", "worker:watchdog": "the watchdog", "cli": "the command line"}
SPANS = (("last hour", timedelta(hours=1)), ("last day", timedelta(days=1)), ("last week", timedelta(days=7)))
LEADING = re.compile(r"\s|[＝＋－＠]")
INNER = re.compile(r"([;\t\r\n][\s\"]*)(?=[=+\-@＝＋－＠])")
COLUMNS = (
    "number", "id", "at_utc", "verb", "words", "actor", "subject", "agent", "run", "region", "segment", "account",
    "request", "detail",
)  # fmt: skip


class FilterForm(forms.Form):
    """The facets, all optional, all in the address."""

    agent = forms.CharField(required=False, max_length=80)
    actor = forms.CharField(required=False, max_length=200)
    verb = forms.CharField(required=False, max_length=60)
    region = forms.CharField(required=False, max_length=80)
    segment = forms.CharField(required=False, max_length=80)
    account = forms.CharField(required=False, max_length=200, strip=True)
    subject = forms.CharField(required=False, max_length=200, strip=True)
    request = forms.CharField(required=False, max_length=64, strip=True)
    run = forms.UUIDField(required=False)
    since = forms.DateTimeField(required=False)
    until = forms.DateTimeField(required=False)

    def filters(self) -> Filters:
        """What the record is asked; a region or segment takes in all beneath it."""
        given = self.cleaned_data
        plain = {name: given[name] for name in ("agent", "actor", "verb", "account", "subject", "request", "run")}
        return Filters(
            **plain,
            regions=_beneath(Region, given["region"]),
            segments=_beneath(Segment, given["segment"]),
            since=given["since"],
            until=given["until"],
        )


def _beneath(model: type[Region] | type[Segment], chosen: str) -> list[str] | None:
    if not chosen:
        return None
    return [chosen, *(code for code in model.objects.values_list("code", flat=True) if beneath(code, chosen))]


@dataclass
class Page:
    """A page of the timeline with its cursors, for templates."""

    entries: list[Told]
    older: str = ""
    newer: str = ""
    seen: str = ""
    news: int = 0


@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """The timeline; as "news" only how many entries came since."""
    access.require(request.user, access.SEE)
    form = FilterForm(request.GET)
    status, trouble, rows = 200, "", Page([])
    if form.is_valid():
        try:
            rows = _page(request, _narrowed(request.user, form.filters()))
        except DatabaseError:
            status, trouble = 422, "That asks too much of the record at once: narrow the time, or name an agent."
    else:
        status, trouble = 422, "A filter in the address can't be read, so nothing is shown."
    context = {"form": form, "rows": rows, "trouble": trouble, **_facets(request, form)}
    return page.render(request, "audit/audit.html", context, fragment=("rows", "news"), status=status)


def _narrowed(person: Any, filters: Filters) -> Filters:
    """To what the person sees."""
    reached = access.reach(person, access.SEE)
    return filters if reached.everywhere else replace(filters, within={noun: reached.codes(noun) for noun in SCOPED})


def _page(request: HttpRequest, filters: Filters) -> Page:
    before, after, seen = (_uuid(request.GET.get(name, "")) for name in ("before", "after", "seen"))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [PATIENCE_MS])
        if seen:
            return Page([], seen=str(seen), news=newer(filters, than=seen))
        found = timeline(filters, before=before, after=after if not before else None, limit=SIZE + 1)
        turned = after is not None and before is None
        shown = found[-SIZE:] if turned else found[:SIZE]
        more = len(found) > SIZE
        return Page(
            told(shown),
            older=str(shown[-1].id) if shown and (more or turned) else "",
            newer=str(shown[0].id) if shown and (more if turned else before) else "",
            seen=str(shown[0].id) if shown else "",
        )


def _facets(request: HttpRequest, form: FilterForm) -> dict[str, Any]:
    """What the selects offer and what else narrows; only a whole page has them."""
    if getattr(request, "htmx", False):
        return {}
    people = access.visible(request.user, Person.objects.only("pk", "name")).order_by("name")[:MOST_PEOPLE]
    extra = [(name, request.GET[name]) for name in ("subject", "run", "request", "until") if request.GET.get(name)]
    return {
        "actors": [*HANDS.items(), *((person.actor, person.name) for person in people)],
        "extra": extra,
        "chips": [(name, value, _without(request, name)) for name, value in extra],
        "agents": access.visible(request.user, Agent.objects.only("slug", "name")),
        "regions": access.visible(request.user, Region.objects.only("code", "name")),
        "segments": access.visible(request.user, Segment.objects.only("code", "name")),
        "kinds": list(words.kinds().items()),
        "verified": _last_verified(request),
        "spans": [(name, timezone.now() - span) for name, span in SPANS],
    }


def _without(request: HttpRequest, *names: str) -> str:
    query = request.GET.copy()
    for name in (*names, "before", "after", "seen"):
        query.pop(name, None)
    return f"?{query.urlencode()}"


def _last_verified(request: HttpRequest) -> Told | None:
    return next(iter(told(timeline(_narrowed(request.user, Filters(subject=RECORD)), limit=1))), None)


@require_GET
def entry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One entry: its sentence, its bytes as they were sealed, and its place under the seal."""
    access.require(request.user, access.SEE)
    sealed = get_object_or_404(access.visible(request.user, Entry.objects.all()), pk=pk)
    row = find(pk)
    if row is None:
        raise Http404
    body = bytes(sealed.body).decode(errors="replace")
    context = {
        "one": told([row])[0],
        "row": row,
        "body": body,
        "seal": seal_of(pk),
        "sealed_as": f"Number {row.seq:,}" if row.seq is not None else "",
        "subject_kind": row.subject.partition(":")[0],
        "around": {name: _local(row.at + span) for name, span in (("since", -AROUND), ("until", AROUND))},
    }
    return page.render(request, "audit/entry.html", context)


@require_GET
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """
    What the filter shows, as CSV, newest first; cells that a spreadsheet would run are disarmed (`_disarmed`).

    Without `since` it reaches EXPORT_SPAN back. Where it ends early, for length or for time, its last row says so.
    """
    access.require(request.user, access.SEE)
    form = FilterForm(request.GET)
    if not form.is_valid():
        return page.trouble(request, status=422, title="The filter does not hold.", text="Nothing was exported.")
    name = f"signalbox-record-{timezone.now():%Y%m%d-%H%M%S}.csv"
    return StreamingHttpResponse(
        _csv(signed_in(request), _bounded(form.filters())),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _bounded(filters: Filters) -> Filters:
    if filters.since:
        return filters
    return replace(filters, since=max(filters.until or timezone.now(), EPOCH + EXPORT_SPAN) - EXPORT_SPAN)


def _csv(person: Person, filters: Filters) -> Iterator[str]:
    """What the person sees as each piece is read; nothing of what was read longer than FRESH ago."""
    writer = defused.writer(Echo(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(COLUMNS)
    before, left = None, EXPORT_MOST
    while left > 0:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", [PATIENCE_MS])
                read = monotonic()
                rows = timeline(_narrowed(access.fresh(person), filters), before=before, limit=min(PIECE, left))
        except DatabaseError:
            yield writer.writerow(["Cut: the record takes too long to read so; narrow the time, or name an agent."])
            return
        shown = 0
        for one in told(rows):
            if shown and monotonic() - read > FRESH:
                break
            yield writer.writerow(_cells(one))
            shown += 1
        if shown == len(rows) < min(PIECE, left):
            return
        before, left = rows[shown - 1].id, left - shown
    yield writer.writerow([f"Cut after {EXPORT_MOST} entries: narrow the filter for the rest."])


class Echo:
    """A file for csv that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _cells(one: Told) -> list[str]:
    row: Row = one.row
    cells = [
        "" if row.seq is None else row.seq, row.id, row.at.astimezone(UTC).isoformat(timespec="milliseconds"), row.verb,
        one.text, row.actor, row.subject, row.agent, row.run or "", row.region, row.segment, row.account, row.request,
        json.dumps(row.detail, ensure_ascii=False, sort_keys=True),
    ]  # fmt: skip
    return [_disarmed(str(cell)) for cell in cells]


def _disarmed(text: str) -> str:
    """
    The text with a ' before whatever a spreadsheet would run and defusedcsv leaves.

    That is: after space, in full width, and after a semicolon, tab or line break, where others divide cells.
    """
    text = INNER.sub(r"\1'", text)
    return f"'{text}" if LEADING.match(text) else text


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
    }  # fmt: skip
    with transaction.atomic():
        record(Line("record.verified", RECORD, person.actor, detail=detail))
    if report.ok:
        messages.success(request, f"The record holds: {report.sealed:,} sealed entries checked in {ms} ms.")
    else:
        paging.open_incident("record", f"The record does not verify: {first}", actor=person.actor)
        messages.error(request, f"The record is broken: {report.found:,} found, the first: {first}")
    return page.redirect(request, "audit")


def _local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
