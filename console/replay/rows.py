"""Reading a file of events, CSV or NDJSON, one row at a time; what cannot be read is named by file, line and mend."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

DELIMITERS = (",", ";", "\t", "|")
LINES = (".ndjson", ".jsonl", ".ldjson")
ENCODING = "utf-8-sig"


class FileFault(Exception):
    """The file as a whole cannot be read; the message says why, and how to mend it."""


class Row(NamedTuple):
    """One row: the line it begins on, counted from 1, and its members; of CSV all text, without the empty cells."""

    line: int
    members: dict[str, Any]


class BadLine(NamedTuple):
    """A line that is no row, with what is wrong and how to mend it."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file whose form is known; made by `look`."""

    path: Path
    is_csv: bool
    encoding: str = ENCODING
    delimiter: str = ","
    columns: tuple[str, ...] = ()

    def rows(self) -> Iterator[Row | BadLine]:
        """Each row that is not blank, in order. FileFault when the file goes away meanwhile."""
        try:
            with self.path.open(encoding=self.encoding, errors="surrogateescape", newline="") as file:
                yield from self._csv(_Lines(file)) if self.is_csv else self._json(_Lines(file))
        except (OSError, UnicodeError) as fault:
            raise FileFault(f"{self.path} cannot be read: {fault}.") from fault

    def _csv(self, lines: "_Lines") -> Iterator[Row | BadLine]:
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        next(reader)
        while True:
            first = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                mend = "If a quote opens here, close it, or double it where it is part of the text"
                yield BadLine(first, f"it is not CSV ({error}), nor can what follows be told. {mend}.")
                return
            if not any(cells):
                continue
            if lines.undecoded >= first:
                yield BadLine(first, self._not_text())
            elif len(cells) != len(self.columns):
                mend = "Quote a cell that holds the delimiter" if len(cells) > len(self.columns) else "Fill it up"
                yield BadLine(first, f"it has {len(cells)} cells, the first line {len(self.columns)}. {mend}.")
            else:
                yield Row(first, {name: cell for name, cell in zip(self.columns, cells, strict=True) if cell.strip()})

    def _json(self, lines: "_Lines") -> Iterator[Row | BadLine]:
        for text in lines:
            if not text.strip():
                continue
            if lines.undecoded == lines.number:
                yield BadLine(lines.number, self._not_text())
                continue
            try:
                found = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                yield BadLine(lines.number, f"it is not JSON: {error.msg} at {error.pos + 1}. Write one object a line.")
                continue
            if isinstance(found, dict):
                yield Row(lines.number, found)
            else:
                yield BadLine(lines.number, "it is JSON, but no object. Write one object a line.")

    def _not_text(self) -> str:
        name = "UTF-8" if self.encoding == ENCODING else self.encoding
        return f"it is not {name}. Save the file as UTF-8, or name its encoding with --encoding, such as cp1252."


class _Lines:
    """A file's lines, counted; `undecoded` is the last one that is not in the encoding."""

    def __init__(self, file: Iterator[str]) -> None:
        self._file = file
        self.number = 0
        self.undecoded = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        text = next(self._file)
        self.number += 1
        if not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text):
            self.undecoded = self.number
        return text


def look(path: Path, *, encoding: str = ENCODING, is_csv: bool | None = None) -> RowFile:
    """What form the file has: by its name, else by its first line; `is_csv` when it is known. FileFault."""
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            text = next((line for line in file if line.strip()), "")
    except LookupError as fault:
        raise FileFault(f"There is no encoding {encoding!r}: name one such as utf-8 or cp1252.") from fault
    except FileNotFoundError as fault:
        raise FileFault(f"There is no file {path}.") from fault
    except (OSError, UnicodeError) as fault:
        raise FileFault(f"{path} cannot be read: {fault}.") from fault
    if not text:
        raise FileFault(f"{path} is empty: give a CSV with a first line of names, or one JSON object a line.")
    if "\0" in text or text.startswith(("PK\x03\x04", "\x1f\udc8b")):
        mend = "Save it as CSV in UTF-8, or unpack it; for UTF-16 give --encoding utf-16"
        raise FileFault(f"{path}, line 1: this is no text. {mend}.")
    if is_csv is None:
        is_csv = path.suffix.lower() not in LINES and not text.lstrip().startswith("{")
    if not is_csv:
        return RowFile(path, is_csv=False, encoding=encoding)
    delimiter = max(DELIMITERS, key=text.count)
    return RowFile(path, True, encoding, delimiter, _columns(path, text, delimiter))


def _columns(path: Path, text: str, delimiter: str) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in next(csv.reader([text], delimiter=delimiter)))
    if "" in names:
        raise FileFault(f"{path}, line 1: column {names.index('') + 1} has no name. Name every column there.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise FileFault(f"{path}, line 1: two columns are named {twice!r}. Give each its own name.")
    return names


def check(file: RowFile, *, most: int = 5) -> tuple[int, list[BadLine]]:
    """How many rows there are, and the first bad lines; reads it all. FileFault when there is no row."""
    count, bad = 0, list[BadLine]()
    for row in file.rows():
        if isinstance(row, Row):
            count += 1
        elif len(bad) < most:
            bad.append(row)
    if not count and not bad:
        raise FileFault(f"{file.path} holds a first line of names and no row under it.")
    return count, bad
