"""The form of boundaries: what a person types, as rows of plain text, and the spec that the rows stand for.

Rows are kept as typed, so that a draft loses nothing to a field that can't be read; what can't be read goes into the
spec as it is, and the one compiler of policies says what is wrong with it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import QueryDict

from agents.models import Agent, Policy
from agents.rules.boundaries import compile_policy
from agents.rules.canonical import identity_hash
from agents.rules.hours import DAYS
from console.typed import read_json, whole
from console.views.boundaries import LIMITS, limit_of
from console.views.form_rows import moved, read_rows

PLAIN = ("id", "say", "min_confidence", "below_confidence", "min_risk", "max_risk", "note", "low", "low_value",
         "max_value", "currency", "from", "to", "reversible", "accounts", "people", "when", "approvers",
         "editable")  # fmt: skip
SCOPES = ("plays", "regions", "segments")
MANY = (*SCOPES, "days")
LOW = {"above_value": "above", "min_value": "from"}
"""Where a value begins: beyond the amount, or at it."""
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "JPY")
NEWEST = 50
_LISTED = re.compile(r"[\s,;]+")
_HASH = re.compile(r"[0-9a-f]{32}")

Form = dict[str, Any]
"""{"raw": whether it is JSON, "spec_json": text} or {"raw", "clauses": rows, "quiet": rows, "limits": {key: text}}."""


def form_of(spec: Mapping[str, Any], *, raw: bool = False) -> Form:
    """A spec that compiled, as the form shows it."""
    if raw:
        return {"raw": True, "spec_json": json.dumps(spec, indent=2, ensure_ascii=False)}
    return {
        "raw": False,
        "clauses": [_row(part) for part in spec.get("clauses") or ()],
        "quiet": [{**_hours(part), "days": part.get("days") or []} for part in spec.get("quiet_hours") or ()],
        "limits": {limit.key: _text(limit_of(spec, limit)) for limit in LIMITS},
    }


def read_form(data: QueryDict, do: str, used: set[str], *, raw: bool) -> Form:
    """What was posted, after the button `do` that adds, removes or moves a row; `used` ids are given to no new row."""
    if raw:
        return {"raw": True, "spec_json": data.get("spec_json", "")}
    rows = read_rows(data, "clauses", PLAIN, MANY)
    for row in rows:
        row["people"] = "\n".join(_person(one) for one in _split(row["people"]))
    taken = used | {row["id"] for row in rows}
    fresh = next(name for n in range(1, 10_000) if (name := f"c{n}") not in taken)
    return {
        "raw": False,
        "clauses": moved(rows, do, "clauses", blank(fresh)),
        "quiet": moved(
            read_rows(data, "quiet", ("from", "to"), ("days",)),
            do,
            "quiet",
            {"from": "18:00", "to": "08:00", "days": []},
        ),
        "limits": {limit.key: data.get(limit.key, "").strip() for limit in LIMITS},
    }


def blank(id: str) -> dict[str, Any]:
    """A new clause, which asks about everything until it is narrowed."""
    return {**dict.fromkeys(PLAIN, ""), "id": id, "say": "ask", "low": "above_value", **{name: [] for name in MANY}}


def spec_of(form: Form) -> dict[str, Any]:
    """The spec that the form stands for; what is empty is left out. SpecError for JSON that can't be read."""
    if form["raw"]:
        read: dict[str, Any] = read_json(form["spec_json"], "policy")
        return read
    spec: dict[str, Any] = {"clauses": [_part(row) for row in form["clauses"]]}
    for limit in LIMITS:
        if text := form["limits"].get(limit.key, ""):
            place = spec
            for name in limit.path[:-1]:
                place = place.setdefault(name, {})
            place[limit.path[-1]] = number(text)
    if form["quiet"]:
        spec["quiet_hours"] = [_stretch(row) for row in form["quiet"]]
    return spec


def ever_used(agent: Agent) -> set[str]:
    """Ids of the clauses of the newest versions, so that one id never comes to mean another clause."""
    specs = Policy.objects.filter(agent=agent).order_by("-version").values_list("spec", flat=True)[:NEWEST]
    return {part.get("id", "") for spec in specs for part in spec.get("clauses") or ()}


def as_other(form: Form) -> Form:
    """The same as JSON, or as rows; SpecError for JSON that does not hold, which rows could not show."""
    spec = spec_of(form)
    if not form["raw"]:
        return form_of(spec, raw=True)
    compile_policy(spec)
    return form_of(spec)


def number(text: str) -> Any:
    """A whole number or one with a point, "5,000" too; the text itself where it is none, for the compiler to refuse."""
    plain = text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text) else text
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return text


def _row(part: Mapping[str, Any]) -> dict[str, Any]:
    low = next((name for name in LOW if part.get(name) is not None), "above_value")
    return {
        **{name: _text(part.get(name)) for name in PLAIN},
        **{name: part.get(name) or [] for name in MANY},
        **_hours(part),
        "low": low,
        "low_value": _text(part.get(low)),
        "reversible": {"True": "yes", "False": "no"}.get(str(part.get("reversible")), ""),
        **{name: "\n".join(part.get(name) or ()) for name in ("accounts", "people")},
        "editable": ", ".join(part.get("editable") or ()),
    }


def _part(row: Mapping[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = {"id": row["id"], "say": row["say"]}
    part |= {name: row[name] for name in SCOPES if row[name]}
    part |= {name: whole(row[name]) for name in ("min_confidence", "below_confidence", "approvers") if row[name]}
    part |= {name: row[name] for name in ("min_risk", "max_risk", "note", "when") if row[name]}
    if row["low_value"]:
        part[row["low"] if row["low"] in LOW else "above_value"] = number(row["low_value"])
    if row["max_value"]:
        part["max_value"] = number(row["max_value"])
    if row["low_value"] or row["max_value"]:
        part["currency"] = row["currency"].upper() or CURRENCIES[0]
    if row["reversible"]:
        part["reversible"] = row["reversible"] == "yes"
    part |= {name: _split(row[name]) for name in ("accounts", "people", "editable") if _split(row[name])}
    if row["say"] != "ask":
        part.pop("approvers", None)
        part.pop("editable", None)
    return part | _stretch(row)


def _hours(part: Mapping[str, Any]) -> dict[str, str]:
    start, end = part.get("hours") or ("", "")
    return {"from": start, "to": "00:00" if end == "24:00" else end}


def _stretch(row: Mapping[str, Any]) -> dict[str, Any]:
    """Hours and days: without an end until midnight, without a beginning from then on."""
    out: dict[str, Any] = {}
    if row["from"] or row["to"]:
        end = row["to"] or "00:00"
        out["hours"] = [row["from"] or "00:00", "24:00" if end == "00:00" else end]
    days = [day for day in DAYS if day in row["days"]]
    if days:
        out["days"] = days
    return out


def _split(text: str) -> list[str]:
    return [part for part in _LISTED.split(text) if part]


def _person(typed: str) -> str:
    """A person as policies name them: an e-mail address becomes its keyed hash before anything is kept."""
    return typed if _HASH.fullmatch(typed) else identity_hash(settings.IDENTITY_KEY, typed).hex()


def _text(value: Any) -> str:
    return "" if value is None else str(value)
