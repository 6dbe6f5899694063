"""Forms of many rows, without a script: rows are added, removed and moved by buttons that post the form."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import QueryDict

from agents.rules.comparisons import OPS
from agents.rules.errors import Fault
from console.typed import counted, read_json

LISTS = ("in", "not_in", "matches_any")
OP_WORDS = [*((op, words) for op, (_, words) in OPS.items()), ("exists", "is known (yes or no)")]
_PLACE = re.compile(r"(\w+)\[(\d+)\]")


def read_rows(data: QueryDict, name: str, fields: Sequence[str], many: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows posted as `<name>-<n>-<field>`, in order of n; `many` are lists. Each row posts `<name>-<n>-row`."""
    named = (found[1] for key in data if (found := re.fullmatch(rf"{name}-(\d+)-row", key)))
    numbers = sorted(n for digits in named if (n := counted(digits)) is not None)
    return [
        {field: data.get(f"{name}-{n}-{field}", "").strip() for field in fields}
        | {field: data.getlist(f"{name}-{n}-{field}") for field in many}
        for n in numbers[:200]
    ]


def moved(rows: list[dict[str, Any]], do: str, name: str, blank: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows after the button `do`: add-<name>, remove-<name>-<n> or up-<name>-<n>; else as they are."""
    what, _, number = do.partition(f"-{name}")
    if what == "add" and not number:
        return [*rows, dict(blank)]
    return shifted(rows, what, counted(number[1:]))


def shifted(rows: list[dict[str, Any]], what: str, n: int | None) -> list[dict[str, Any]]:
    """The rows without the nth ("remove"), or with it one place up ("up"); as they are where there is no such row."""
    if n is None or n >= len(rows):
        return rows
    if what == "remove":
        return [*rows[:n], *rows[n + 1 :]]
    if what == "up" and n > 0:
        return [*rows[: n - 1], rows[n], rows[n - 1], *rows[n + 1 :]]
    return rows


def by_row(faults: Iterable[Fault], name: str) -> dict[int, list[Fault]]:
    """The faults of each row of `name`, such as criteria[2].weight."""
    out: dict[int, list[Fault]] = {}
    for fault in faults:
        if (found := _PLACE.match(fault.where)) and found[1] == name:
            out.setdefault(int(found[2]), []).append(fault)
    return out


def read_condition(row: dict[str, Any]) -> dict[str, Any] | None:
    """The condition of a row with `json`, or `field`, `op` and `value`; None for an empty one. SpecError: bad JSON."""
    if row.get("json"):
        return read_json(row["json"], "condition")
    if not row.get("field"):
        return None
    return {"field": row["field"], "op": row.get("op") or "eq", "value": read_value(row.get("op", ""), row["value"])}


def show_condition(condition: dict[str, Any] | None) -> dict[str, str]:
    """A condition as a row's `field`, `op` and `value`; as `json` when it is a group."""
    if not condition:
        return {"field": "", "op": "eq", "value": "", "json": ""}
    if set(condition) <= {"field", "op", "value"} and isinstance(condition.get("field"), str):
        return {
            "field": condition["field"],
            "op": str(condition.get("op", "eq")),
            "value": show_value(condition.get("value")),
            "json": "",
        }
    return {"field": "", "op": "eq", "value": "", "json": json.dumps(condition, ensure_ascii=False, indent=1)}


def read_value(op: str, text: str) -> Any:
    """What a person typed, as the op takes it: a number where it reads as one, a list at commas, quoted as text."""
    if op == "exists":
        return text.casefold() not in ("no", "false", "0")
    if op in LISTS:
        return [_one(part) for part in text.split(",") if part.strip()]
    if op == "between":
        return [_one(part) for part in re.split(r",| and ", text) if part.strip()]
    if op in ("contains", "starts", "ends"):
        return text.strip('"')
    return _one(text)


def show_value(value: Any) -> str:
    """A value as a person would type it."""
    if isinstance(value, list):
        return ", ".join(show_value(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not isinstance(_one(value), str):
        return f'"{value}"'
    return "" if value is None else str(value)


def _one(text: str) -> Any:
    text = text.strip()
    try:
        value = read_json(text, "value")
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text
