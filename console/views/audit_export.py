"""What the filter shows, taken away: as CSV, as NDJSON that proves itself, as a work record to print (HTML, PDF).

Every export is an entry of the record before its first byte leaves. It streams piece by piece, and each piece is asked
for anew in the name of the reader, so what a grant no longer shows is not sent a second later.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

import audit as audit_room
from agents import access
from agents.models import Run
from agents.sentence import sentences
from approvals.models import Person
from audit.entries import Line, record
from audit.export import proved
from audit.ids import EPOCH
from audit.models import Checkpoint, Key, Leaf
from audit.search import look
from audit.timeline import Filters, Row
from console.told import Told, told
from console.views import page
from console.views.audit_filter import FilterForm, chips
from console.views.filter_noted import noted
from console.views.me import signed_in
from console.views.record_csv import csv_lines
from console.views.record_paper import html_pieces, pdf

PATIENCE_MS = 4000
EXPORT_MOST = 100_000
PDF_MOST = 2_000
"""Entries in one PDF; a longer record is printed in pieces."""
EXPORT_SPAN = timedelta(days=90)
PIECE = 1000
"""How many entries an export reads at once."""
FRESH = 0.5
"""Seconds after which an export asks anew what its reader may see."""
TOO_LONG = "Cut: the record takes too long to read so; narrow the time, or name an agent."


class Piece(NamedTuple):
    """Some entries in words, each with its leaf's hash in hexadecimal ("" while it is not sealed)."""

    entries: list[Told]
    leaves: list[str]
    sentences: list[str]


@dataclass
class Reading:
    """One reading of the record for `person`, newest first, at most `most` entries."""

    person: Person
    form: FilterForm
    most: int = EXPORT_MOST
    shown: int = 0
    before: UUID | None = None
    """Where reading goes on."""
    cut: str = ""
    """Why it ended before its end, in words."""
    asked_at: datetime = field(default_factory=timezone.now)
    sealed: Checkpoint | None = field(default_factory=lambda: Checkpoint.objects.order_by("-size").first())
    keys: list[str] = field(default_factory=lambda: list(Key.objects.order_by("at").values_list("vkey", flat=True)))

    def rows(self) -> Iterator[list[Row]]:
        """What the person sees as each is read. Whoever takes fewer than were given sets `before` back."""
        while self.shown < self.most:
            wanted = min(PIECE, self.most - self.shown)
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SET LOCAL statement_timeout = %s", [PATIENCE_MS])
                    asked = _bounded(self.form, access.fresh(self.person))
                    rows, further = look(asked, before=self.before, limit=wanted)
            except DatabaseError:
                self.cut = TOO_LONG
                return
            self.before = mark = further or (rows[-1].id if rows else None)
            self.shown += len(rows)
            if rows:
                yield rows
            if not further and len(rows) < wanted and self.before == mark:
                return
        self.cut = f"Cut after {self.most} entries: narrow the filter for the rest."

    def pieces(self) -> Iterator[Piece]:
        """The rows in words; nothing of what was read longer than FRESH ago."""
        for rows in self.rows():
            read, given = monotonic(), 0
            for piece in _few(_piece(self.person, rows)):
                if given and monotonic() - read > FRESH:
                    self.before, self.shown = rows[given - 1].id, self.shown - (len(rows) - given)
                    break
                yield piece
                given += len(piece.entries)


@require_GET
def choose(request: HttpRequest) -> HttpResponse:
    """In which form to take away what the filter shows."""
    access.require(request.user, access.SEE)
    form = FilterForm(request.GET)
    if not form.is_valid():
        return _unreadable(request)
    sealed = Checkpoint.objects.order_by("-size").first()
    context = {"chips": chips(form, request.GET), "sealed": sealed, "most": EXPORT_MOST, "pdf_most": PDF_MOST,
               "span": EXPORT_SPAN.days, "bounded": not form.cleaned_data["since"]}  # fmt: skip
    return page.render(request, "audit/export.html", context)


@require_GET
def export(request: HttpRequest, form: str) -> HttpResponse | StreamingHttpResponse:
    """
    What the filter shows, newest first; NDJSON by number, oldest first.

    Without `since` it reaches EXPORT_SPAN back. Where it ends early, for length or for time, it says so at its end.
    """
    access.require(request.user, access.SEE)
    if form not in FORMS:
        raise Http404
    asked = FilterForm(request.GET)
    if not asked.is_valid():
        return _unreadable(request)
    person, (kind, write) = signed_in(request), FORMS[form]
    reading = Reading(person, asked, most=PDF_MOST if form == "pdf" else EXPORT_MOST)
    reading.before = _note(person, asked, form)
    name = f"signalbox-record-{reading.asked_at:%Y%m%d-%H%M%S}.{form}"
    place = "inline" if form == "html" else "attachment"
    return StreamingHttpResponse(
        write(reading, request), content_type=kind, headers={"Content-Disposition": f'{place}; filename="{name}"'}
    )


@require_GET
def verifier(request: HttpRequest) -> FileResponse:
    """The program that verifies an export, to keep beside it."""
    access.require(request.user, access.SEE)
    source = Path(audit_room.__file__ or "").parent / "standalone.py"
    return FileResponse(source.open("rb"), as_attachment=True, filename="verify_signalbox.py")


def _note(person: Person, asked: FilterForm, form: str) -> UUID:
    """Write down that it is exported; the entry, of which the export itself shows what came before."""
    with transaction.atomic():
        detail = {"filter": noted(asked.document(person)), "format": form}
        return record(Line("record.exported", "record:all", person.actor, detail=detail))[0]


def _unreadable(request: HttpRequest) -> HttpResponse:
    return page.trouble(request, status=422, title="The filter does not hold.", text="Nothing was exported.")


def _bounded(form: FilterForm, person: Person) -> Filters:
    filters = form.filters(person)
    if filters.since:
        return filters
    return replace(filters, since=max(filters.until or timezone.now(), EPOCH + EXPORT_SPAN) - EXPORT_SPAN)


def _piece(person: Person, rows: list[Row]) -> Piece:
    numbers = [row.seq for row in rows if row.seq is not None]
    hashes = dict(Leaf.objects.filter(seq__in=numbers).values_list("seq", "hash"))
    leaves = [bytes(hashes[row.seq]).hex() if row.seq in hashes else "" for row in rows]
    return Piece(told(rows), leaves, _sentences(person, rows))


def _sentences(person: Person, rows: list[Row]) -> list[str]:
    """Who is accountable for what each entry's run did, for those runs that the person sees; "" for others."""
    runs = {row.run for row in rows if row.run}
    seen = access.visible(person, Run.objects.filter(pk__in=runs)).values_list("pk", flat=True) if runs else ()
    with timezone.override(UTC):
        said = sentences(list(seen))
    return [said.get(row.run, "") if row.run else "" for row in rows]


def _few(piece: Piece, size: int = 100) -> Iterator[Piece]:
    for start in range(0, len(piece.entries), size):
        part = slice(start, start + size)
        yield Piece(piece.entries[part], piece.leaves[part], piece.sentences[part])


def _ndjson(reading: Reading, request: HttpRequest) -> Iterator[bytes]:
    """The lines of audit.export. Which entries is read first, their bytes as they are sent; it ends without its last
    line, and so does not verify, when what the reader may see changed on the way."""
    made = {"at": f"{reading.asked_at:%Y-%m-%dT%H:%M:%SZ}", "by": reading.person.actor}
    header = {"filter": reading.form.document(reading.person), "made": made}
    reach, asked = access.reach(access.fresh(reading.person), access.SEE), monotonic()
    with connection.cursor() as cursor:
        for line in proved(cursor, _ids(reading), header=header):
            if monotonic() - asked > FRESH:
                if access.reach(access.fresh(reading.person), access.SEE) != reach:
                    return
                asked = monotonic()
            yield line


def _ids(reading: Reading) -> Iterator[UUID]:
    for rows in reading.rows():
        yield from (row.id for row in rows)


FORMS: dict[str, tuple[str, Callable[[Reading, HttpRequest], Iterator[Any]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "ndjson": ("application/x-ndjson", _ndjson),
    "html": ("text/html; charset=utf-8", html_pieces),
    "pdf": ("application/pdf", pdf),
}
