"""The record as CSV: cells that a spreadsheet would run are disarmed, each row has its number and its leaf."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any

import defusedcsv.csv as defused
from django.http import HttpRequest

from audit.timeline import Row

if TYPE_CHECKING:
    from console.views.audit_export import Reading

LEADING = re.compile(r"\s|[＝＋－＠]")
INNER = re.compile(r"([;\t\r\n][\s\"]*)(?=[=+\-@＝＋－＠])")
COLUMNS = (
    "number", "id", "at_utc", "verb", "words", "actor", "subject", "agent", "run", "region", "segment", "account",
    "request", "detail", "accountability", "leaf", "checkpoint",
)  # fmt: skip


def csv_lines(reading: "Reading", request: HttpRequest) -> Iterator[str]:
    """
    The lines. `leaf` is the entry's hash in the sealed tree, `checkpoint` the size and root of a signed one over it;
    the same filter as NDJSON has their proof. Where the export ends early its last row says why.
    """
    writer = defused.writer(Echo(), quoting=csv.QUOTE_ALL)
    sealed = reading.sealed
    size, root = (sealed.size, bytes(sealed.root).hex()) if sealed else (0, "")
    yield writer.writerow(COLUMNS)
    for piece in reading.pieces():
        for one, leaf, sentence in zip(*piece, strict=True):
            number = one.row.seq
            under = f"{size} {root}" if number is not None and number < size else ""
            yield writer.writerow([disarmed(str(cell)) for cell in (*_cells(one.row, one.text), sentence, leaf, under)])
    if reading.cut:
        yield writer.writerow([reading.cut])


class Echo:
    """A file for csv that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _cells(row: Row, text: str) -> list[Any]:
    return [
        "" if row.seq is None else row.seq, row.id, row.at.astimezone(UTC).isoformat(timespec="milliseconds"), row.verb,
        text, row.actor, row.subject, row.agent, row.run or "", row.region, row.segment, row.account, row.request,
        json.dumps(row.detail, ensure_ascii=False, sort_keys=True),
    ]  # fmt: skip


def disarmed(text: str) -> str:
    """
    The text with a ' before whatever a spreadsheet would run and defusedcsv leaves.

    That is: after space, in full width, and after a semicolon, tab or line break, where others divide cells.
    """
    text = INNER.sub(r"\1'", text)
    return f"'{text}" if LEADING.match(text) else text
