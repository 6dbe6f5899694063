"""The work record on paper: HTML that prints well, streamed, and PDF. Times are UTC; each entry has number and leaf."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from audit.timeline import Row
from console.views.audit_filter import chips

if TYPE_CHECKING:
    from console.views.audit_export import Reading

SHEET = Path(__file__).resolve().parents[2] / "templates" / "audit" / "record.typ"


def html_pieces(reading: "Reading", request: HttpRequest) -> Iterator[str]:
    """One page of HTML that needs nothing else, not even a network; what it can't say before its end stands there."""
    return _html(reading, head(reading, request) | {"nonce": str(request.csp_nonce)})  # type: ignore[attr-defined]


def _html(reading: "Reading", above: dict[str, Any]) -> Iterator[str]:
    yield render_to_string("audit/paper.html#head", above)
    for lines in _lines(reading):
        yield render_to_string("audit/paper.html#lines", {"lines": lines})
    yield render_to_string("audit/paper.html#foot", {"shown": reading.shown, "cut": reading.cut})


def pdf(reading: "Reading", request: HttpRequest) -> Iterator[bytes]:
    """The same as PDF, in one piece: its bound is `reading.most`."""
    import typst  # a compiler, which no other page needs

    lines = [line for several in _lines(reading) for line in several]
    given = {**head(reading, request), "lines": lines, "shown": reading.shown, "cut": reading.cut}
    yield typst.compile(SHEET.read_bytes(), sys_inputs={"record": json.dumps(given)})


def _lines(reading: "Reading") -> Iterator[list[dict[str, Any]]]:
    """The entries as they are printed; the first of a day says so, the first of those of a run that stand together has
    its sentence."""
    day, run = "", None
    for piece in reading.pieces():
        lines = []
        for one, leaf, sentence in zip(*piece, strict=True):
            line = _line(one.row, one.text, leaf, "" if one.row.run == run else sentence)
            lines.append(line | {"new_day": "" if line["day"] == day else line["day"]})
            day, run = line["day"], one.row.run
        yield lines


def head(reading: "Reading", request: HttpRequest) -> dict[str, Any]:
    """What stands above the entries: what was asked, by whom, when, and under which seal."""
    query = request.GET.urlencode()
    sealed = reading.sealed
    return {
        "filter": [[chip.name, chip.value] for chip in chips(reading.form, request.GET)],
        "asked": _moment(reading.asked_at),
        "by": reading.person.name,
        "url": f"{settings.BASE_URL}{reverse('audit')}{'?' if query else ''}{query}",
        "proof": f"{settings.BASE_URL}{reverse('audit-export', args=['ndjson'])}?{_until(request, reading.asked_at)}",
        "size": sealed.size if sealed else 0,
        "note": sealed.note if sealed else "",
        "keys": reading.keys,
    }


def _until(request: HttpRequest, at: datetime) -> str:
    given = {name: value for name, value in request.GET.items() if value}
    return urlencode({"until": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", **given})


def _line(row: Row, text: str, leaf: str, sentence: str) -> dict[str, Any]:
    at = row.at.astimezone(UTC)
    return {
        "day": f"{at:%Y-%m-%d}",
        "clock": f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "number": "" if row.seq is None else f"{row.seq:,}",
        "text": text,
        "verb": row.verb,
        "where": " · ".join(filter(None, (row.agent, row.region, row.segment, row.account))),
        "sentence": sentence,
        "leaf": leaf,
        "id": str(row.id),
    }


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
