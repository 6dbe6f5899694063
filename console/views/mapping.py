"""A source's mapping: edited as rows or JSON, tried out on what really came before it is saved."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from agents import access
from agents.changes import source as changes
from agents.changes.seen import ChangedSince, token
from agents.loop.envelope import Envelope, Refused, wrap
from agents.loop.tryout import Received, last_received, try_mapping
from agents.models import Region, Segment, Source
from agents.rules.errors import SpecError
from agents.rules.mapping import EXPRESSIONS, Mapped
from agents.rules.mapping_defaults import DEFAULTS
from console.typed import read_json
from console.views import page, shown
from console.views.mapping_form import PARTS, MappingForm, NotRows
from console.views.page import signed_in

FORMATS = {
    "json": "our JSON",
    "segment": "Segment",
    "cloudevents": "CloudEvents",
    "standard_webhooks": "Standard Webhooks",
}
TRIED = 12


@dataclass
class Tried:
    """One received event under the mapping in force and under the new one. `rows`: label, now, new, differs."""

    event: Received
    now: Mapped
    new: Mapped
    rows: list[tuple[str, Any, Any, bool]]
    payload: Any
    facts: list[tuple[str, Any, Any, bool]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return any(row[3] for row in [*self.rows, *self.facts]) or self.now.problems != self.new.problems


@dataclass
class Tryout:
    """What a mapping makes of the last events, or why it cannot be tried."""

    tried: list[Tried] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def understood(self) -> int:
        return sum(not one.new.problems for one in self.tried)

    @property
    def understood_now(self) -> int:
        return sum(not one.now.problems for one in self.tried)

    @property
    def differing(self) -> int:
        return sum(one.differs for one in self.tried)


def mapping(request: HttpRequest, slug: str) -> HttpResponse:
    """The editor. A POST with do=try shows what the new mapping makes of the last events; do=save puts it in force."""
    source = get_object_or_404(access.visible(request.user, Source.objects.all()), slug=slug)
    access.require(request.user, access.BUILD, source)
    events = _events(source, request)
    format = events[0].envelope.format if events else "json"
    segments = list(Segment.objects.values_list("code", flat=True))
    posted = request.method == "POST"
    raw = request.POST.get("raw", "") if posted else json.dumps(source.mapping, indent=2, ensure_ascii=False)
    as_json = (request.POST if posted else request.GET).get("as") == "json"
    form: MappingForm | None = None
    faults: list[str] = []
    try:
        form = MappingForm(
            request.POST if posted and not as_json else None, spec=source.mapping, format=format, segments=segments
        )
    except NotRows:
        as_json = True
    spec = source.mapping
    if posted:
        spec, faults = _posted(form, raw, as_json)
    tryout = _try(source, spec, events, faults)
    if posted and tryout.faults and not as_json and form is not None:
        _show(form, spec)
    context = {
        "source": source,
        "form": None if as_json else form,
        "rows_fit": form is not None,
        "raw": raw,
        "default": json.dumps(DEFAULTS[format], indent=2),
        "format": FORMATS[format],
        "formats": FORMATS,
        "sample": request.POST.get("sample", ""),
        "sample_format": request.POST.get("sample_format", format),
        "seen": request.POST.get("seen") or token(source.mapping),
        "tryout": tryout,
        "posted": posted,
        "regions": list(Region.objects.values_list("code", "name")),
        "segments": segments,
    }
    if not posted:
        return page.render(request, "sources/mapping.html", context, fragment="tryout")
    if request.POST.get("do") != "save":
        return page.render(request, "sources/mapping.html", context, fragment="tryout", status=422 if faults else 200)
    if not tryout.faults:
        try:
            changes.set_mapping(source, mapping=spec, actor=signed_in(request).actor, seen=request.POST.get("seen", ""))
        except ChangedSince as error:
            return shown.changed_since(request, error)
        except SpecError as error:
            tryout.faults = shown.in_words(error)
            if form is not None and not as_json:
                form.show(error)
        else:
            messages.success(request, "The mapping is in force for what comes in from now on.")
            return page.redirect(request, "source", slug)
    return page.render(request, "sources/mapping.html", context, fragment="tryout", status=422)


def _posted(form: MappingForm | None, raw: str, as_json: bool) -> tuple[dict[str, Any], list[str]]:
    """The mapping that was sent, and what keeps it from being one."""
    if not as_json and form is not None:
        return (form.spec(), []) if form.is_valid() else ({}, ["Mend what is marked."])
    try:
        spec = read_json(raw or "{}", "mapping")
    except SpecError as error:
        return {}, shown.in_words(error)
    return (spec, []) if isinstance(spec, dict) else ({}, ["A mapping is an object: write {} for the default."])


def _events(source: Source, request: HttpRequest) -> list[Received]:
    """A payload of the person's own, if they gave one, before the last that came."""
    events = last_received(source, limit=TRIED)
    text = request.POST.get("sample", "").strip()
    if not text:
        return events
    format = request.POST.get("sample_format", "json")
    try:
        own = wrap(format if format in FORMATS else "json", read_json(text, "sample"))
    except ValueError:
        return events
    return events if isinstance(own, Refused) else [_own(own), *events]


def _own(envelope: Envelope) -> Received:
    return Received(UUID(int=0), timezone.now(), "", envelope)


def _try(source: Source, spec: dict[str, Any], events: list[Received], faults: list[str]) -> Tryout:
    if faults:
        return Tryout(faults=faults)
    envelopes = [event.envelope for event in events]
    try:
        new = try_mapping(spec, envelopes)
    except SpecError as error:
        return Tryout(faults=shown.in_words(error))
    try:
        now = try_mapping(source.mapping, envelopes)
    except SpecError as error:
        now = [Mapped(problems=[str(error)]) for _ in events]
    return Tryout([_tried(*one) for one in zip(events, now, new, strict=True)])


def _tried(event: Received, now: Mapped, new: Mapped) -> Tried:
    names = [(PARTS[name][0], {"id": "external_id", "time": "occurred_at"}.get(name, name)) for name in EXPRESSIONS]
    rows = [(label, *_pair(getattr(now, name), getattr(new, name))) for label, name in names]
    facts = [(name, *_pair(now.fields.get(name), new.fields.get(name))) for name in sorted({*now.fields, *new.fields})]
    return Tried(event, now, new, rows, event.envelope.body, facts)


def _pair(now: Any, new: Any) -> tuple[Any, Any, bool]:
    return _legible(now), _legible(new), now != new


def _legible(value: Any) -> Any:
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S %Z}" if isinstance(value, datetime) else value


def _show(form: MappingForm, spec: dict[str, Any]) -> None:
    """Mark the rows that a faulty mapping came from."""
    try:
        try_mapping(spec, [])
    except SpecError as error:
        form.show(error)
