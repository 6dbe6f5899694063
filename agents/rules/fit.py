"""What JSON data can be kept and shown again: PostgreSQL holds no NUL, no text half of a surrogate pair, and what is
nested without end nobody can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from agents.rules.errors import Fault

DEEPEST = 50
MOST = 20
UNFIT = re.compile("[\0\ud800-\udfff]")


def unfit(value: Any, where: str = "") -> list[Fault]:
    """The first `MOST` places that hold a NUL or half of a surrogate pair, in a text or a key, or are nested more than
    `DEEPEST` deep; `where` is the place of `value` itself. What a fault says is fit to be shown."""
    return list(islice(_walk(value, where, DEEPEST), MOST))


def _walk(value: Any, where: str, left: int) -> Iterator[Fault]:
    if isinstance(value, str):
        if found := UNFIT.search(value):
            what = "a NUL" if found[0] == "\0" else "half of a character (a lone surrogate)"
            yield Fault(where, f"the text holds {what}", "Take it out")
    elif isinstance(value, dict | list) and not left:
        yield Fault(where, f"it is nested more than {DEEPEST} deep", "Write it flatter")
    elif isinstance(value, dict):
        for key, part in value.items():
            name = ascii(key)[1:-1] if isinstance(key, str) and UNFIT.search(key) else str(key)
            place = f"{where}.{name[:60]}" if where else name[:60]
            if isinstance(key, str):
                yield from _walk(key, place, left)
            yield from _walk(part, place, left - 1)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _walk(part, f"{where}[{index}]", left - 1)
