"""Editing what would be sent: which parts of a payload a person may change, and the payload as it then is."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import orjson

WHERE_TO = frozenset(
    ("to", "cc", "bcc", "from", "reply_to", "unsubscribe_url", "method", "path", "url", "headers")
)  # fmt: skip
"""Members of a payload that say where it goes, and how. No clause makes these editable: a person who wants it to go
elsewhere says no."""
LONGEST = 20_000


def may_edit(path: str, editable: Collection[str]) -> bool:
    """Whether the clause lets this path be edited: it is named, or lies beneath one that is."""
    return path.partition(".")[0] not in WHERE_TO and any(
        path == allowed or path.startswith(f"{allowed}.") for allowed in editable
    )


def leaves(payload: Any, editable: Collection[str]) -> dict[str, Any]:
    """What may be edited, by its dotted path: texts, numbers, yes or no and nothing; members of a list by number from
    0."""
    found: dict[str, Any] = {}
    _walk(payload, "", editable, found)
    return found


def edited(
    payload: Mapping[str, Any], fields: Mapping[str, str], editable: Collection[str]
) -> tuple[dict[str, Any], dict[str, list[Any]], dict[str, str]]:
    """
    The payload with `fields` (path → text) in place, what changed ({path: [before, after]}), and what is wrong by path.

    What was a number stays one, and likewise yes or no. Line ends are read as a browser sends them.
    """
    there = leaves(payload, editable)
    after: dict[str, Any] = copy.deepcopy(dict(payload))
    changes: dict[str, list[Any]] = {}
    wrong: dict[str, str] = {}
    for path, text in fields.items():
        if path not in there:
            wrong[path] = "This may not be edited here."
            continue
        value, fault = _read(text, there[path])
        if fault:
            wrong[path] = fault
        elif value != there[path]:
            changes[path] = [there[path], value]
            _put(after, path.split("."), value)
    return after, changes, wrong


def _walk(value: Any, path: str, editable: Collection[str], found: dict[str, Any]) -> None:
    if isinstance(value, dict):
        inner = [(str(key), part) for key, part in value.items() if "." not in str(key)]
    elif isinstance(value, list):
        inner = [(str(number), part) for number, part in enumerate(value)]
    else:
        if may_edit(path, editable):
            found[path] = value
        return
    for key, part in inner:
        _walk(part, f"{path}.{key}" if path else key, editable, found)


def _read(text: str, before: Any) -> tuple[Any, str]:
    text = text.replace("\r\n", "\n")
    if len(text) > LONGEST or "\0" in text:
        return None, f"It is too long, or holds a NUL: at most {LONGEST} characters."
    if isinstance(before, str) or before is None:
        return (None, "") if before is None and not text else (text, "")
    try:
        value = orjson.loads(text.strip() or "null")
    except orjson.JSONDecodeError:
        value = None
    if isinstance(before, bool):
        return (value, "") if isinstance(value, bool) else (None, "Write true or false.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, "Write a number, such as 12 or 12.5."
    return value, ""


def _put(document: Any, path: list[str], value: Any) -> None:
    for key in path[:-1]:
        document = document[int(key)] if isinstance(document, list) else document[key]
    if isinstance(document, list):
        document[int(path[-1])] = value
    else:
        document[path[-1]] = value
