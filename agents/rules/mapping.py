"""From a payload as it was received to the facts Signalbox works with.

A mapping is plain JSON. Each of `id, type, time, account, account_name, person, email, region, segment, value,
currency, time_zone` is an expression: a path, {"join": [paths]} (parts joined with a space), or a list of those of
which the first that finds something wins; null switches it off. `currency` is that of the value, `time_zone` the
person's own (IANA). Further: `fields` {name: expression} (extra named facts), `spread` [paths]
(objects whose plain members become facts under their own names), `region_map`/`segment_map` {what the payload says:
code}, with "*" for anything else, and `segment_rules` [{"condition", "segment"}], in order, where none was found.
Conditions there read the payload, and the named facts under `fields.`. What a mapping leaves out comes from the default
of the source's format.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.rules.codes import Codes
from agents.rules.comparisons import as_number
from agents.rules.conditions import Condition, compile_condition
from agents.rules.errors import Fault, Faults
from agents.rules.facts import as_currency, as_zone
from agents.rules.mapping_defaults import DEFAULTS
from agents.rules.paths import MISSING, PLAIN, Document, Getter, compile_path
from agents.rules.scopes import UNASSIGNED
from agents.rules.text import FREE_MAIL, as_email, as_label, tidy
from agents.rules.times import parse_time

EXPRESSIONS = (
    *("id", "type", "time", "account", "account_name", "person", "email", "region", "segment"),
    *("value", "currency", "time_zone"),
)
STANDARD = frozenset((*EXPRESSIONS, "at", "payload", "fields")) - {"currency", "time_zone"}
"""Names that are never those of facts besides. The two that came later may be: then they are read there."""
MAX_ID = 512
MAX_FACTS = 60
MAX_FACT_TEXT = 2000
MAX_ALTERNATIVES = 20


@dataclass(slots=True)
class Mapped:
    """What a mapping found. With `problems` the signal is a dead letter, each saying how to mend it; `notes` are worth
    showing but stop nothing. `occurred_at` is UTC, or None when the payload gives no time (take the time of receipt).
    `region`, `segment`: a known code, or None, which is "unassigned"."""

    external_id: str = ""
    type: str = "signal"
    occurred_at: datetime | None = None
    account: str = ""
    account_name: str | None = None
    person: str | None = None
    email: str | None = None
    region: str | None = None
    segment: str | None = None
    value: float | None = None
    currency: str = ""
    time_zone: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class CompiledMapping:
    """A mapping ready to apply; made by `compile_mapping`, safe to share between threads."""

    def __init__(self, spec: dict[str, Any], faults: Faults, regions: Codes, segments: Codes) -> None:
        self.warnings: list[Fault] = [*regions.warnings, *segments.warnings]
        self._said = {name: _say(spec.get(name)) for name in EXPRESSIONS}
        get = {name: _expression(spec.get(name), name, faults) for name in EXPRESSIONS}
        self._id, self._type, self._time = get["id"], get["type"], get["time"]
        self._account, self._account_name = get["account"], get["account_name"]
        self._person, self._email, self._value = get["person"], get["email"], get["value"]
        self._currency, self._time_zone = get["currency"], get["time_zone"]
        self._region, self._segment = get["region"], get["segment"]
        self._regions, self._segments = regions, segments
        self._fields = _fields(spec.get("fields") or {}, faults)
        self._spread = _spread(spec.get("spread") or [], faults)
        self._rules = _rules(spec.get("segment_rules") or [], segments, faults)
        self._rules_read_fields = any(path.startswith("fields.") for c, _ in self._rules for path in c.fields)

    def apply(self, envelope: Document, *, id: str = "") -> Mapped:
        """What the mapping finds in one event; `id` is taken where it finds none. Never raises for parsed JSON."""
        mapped = Mapped()
        if not isinstance(envelope, dict):
            mapped.problems.append("The event is not a JSON object: send an object, or an array of objects.")
            return mapped
        problems, notes = mapped.problems, mapped.notes

        found = self._id(envelope)
        mapped.external_id = as_label(found, MAX_ID + 1) or as_label(id, MAX_ID)
        if not mapped.external_id:
            problems.append(f"No id found in {self._said['id']}: map id to the field that is unique to each event.")
        elif len(mapped.external_id) > MAX_ID:
            problems.append(f"The id is longer than {MAX_ID} characters: map id to a shorter field.")
        mapped.type = as_label(self._type(envelope)) or "signal"

        found = self._time(envelope)
        if found is not MISSING:
            try:
                mapped.occurred_at = parse_time(found)
            except ValueError as error:
                problems.append(f"Time: {error}, or map time to another field.")

        self._who(envelope, mapped)

        found = self._region(envelope)
        if found is not MISSING:
            mapped.region, note = self._regions.find(found)
            if note:
                notes.append(note)

        self._facts(envelope, mapped.fields, notes)

        found = self._segment(envelope)
        if found is not MISSING:
            mapped.segment, note = self._segments.find(found)
            if note:
                notes.append(note)
        if mapped.segment is None and self._rules:
            document = {**envelope, "fields": mapped.fields} if self._rules_read_fields else envelope
            for condition, code in self._rules:
                if condition.matches(document):
                    mapped.segment = code
                    break

        found = self._value(envelope)
        if found is not MISSING:
            mapped.value = as_number(found)
            if mapped.value is None:
                notes.append(f"The value {str(found)[:40]!r} is not a number and was left out.")
            else:
                mapped.currency = as_currency(self._currency(envelope))
        mapped.time_zone = as_zone(self._time_zone(envelope))
        return mapped

    def _who(self, envelope: Document, mapped: Mapped) -> None:
        mapped.account = as_label(self._account(envelope))
        mapped.account_name = as_label(self._account_name(envelope)) or None
        mapped.person = as_label(self._person(envelope)) or None
        found = self._email(envelope)
        if found is not MISSING:
            mapped.email = as_email(found)
            if mapped.email is None:
                text = f"The e-mail {str(found)[:80]!r} is not an address"
                if mapped.account:
                    mapped.notes.append(f"{text} and was left out.")
                else:
                    mapped.problems.append(f"{text}: mend it at the source, or map email to another field.")
        if not mapped.account:
            if mapped.email:
                domain = mapped.email.rpartition("@")[2]
                mapped.account = (mapped.email if domain in FREE_MAIL else domain)[:200]
                mapped.notes.append(f"No account given; {mapped.account} was taken from the e-mail.")
            else:
                mapped.problems.append(
                    f"No account found in {self._said['account']}: map account to the field that names the customer."
                )

    def _facts(self, envelope: Document, facts: dict[str, Any], notes: list[str]) -> None:
        for name, get in self._fields:
            found = get(envelope)
            if found is not MISSING:
                fact = _fact(found)
                if fact is None:
                    notes.append(f"{name} holds an object, not a fact: give the path of one of its members.")
                else:
                    facts[name] = fact
        for get in self._spread:
            members = get(envelope)
            if not isinstance(members, dict):
                continue
            for name, member in members.items():
                if member is None or type(member) is dict or name in STANDARD or name in facts:
                    continue
                if len(facts) >= MAX_FACTS:
                    break
                fact = _fact(member)
                if fact is not None and len(name) <= 100 and name.isprintable():
                    facts[name] = fact


def compile_mapping(
    spec: dict[str, Any], *, format: str = "json", regions: Collection[str], segments: Collection[str]
) -> CompiledMapping:
    """A mapping for a source of `format` (a key of mapping_defaults.DEFAULTS). `regions`, `segments`: the known codes.

    SpecError lists all that is wrong. A map that names an unknown code is no error (a scope may be deleted later): it
    stands in `.warnings`, and what it maps is unassigned, with a note.
    """
    faults = Faults()
    if not isinstance(spec, dict):
        faults.add("mapping", "a mapping is an object", "Write {} to use the default of the format")
        faults.raise_any()
    whole = {**DEFAULTS[format], **spec}
    known = {*EXPRESSIONS, "fields", "spread", "region_map", "segment_map", "segment_rules"}
    for key in sorted(spec.keys() - known):
        faults.add(str(key)[:60], "a mapping has no such part", f"Use {', '.join(sorted(known))}")
    maps: dict[str, Codes] = {}
    for noun, codes in (("region", regions), ("segment", segments)):
        chosen = whole.get(f"{noun}_map") or {}
        if not isinstance(chosen, dict) or not all(isinstance(v, str) for v in chosen.values()):
            faults.add(f"{noun}_map", "a map goes from text to a code", f'Write {{"us": "a {noun} code"}}')
            chosen = {}
        maps[noun] = Codes(noun, known=codes, chosen=chosen)
    compiled = CompiledMapping(whole, faults, maps["region"], maps["segment"])
    faults.raise_any()
    return compiled


def _expression(spec: Any, where: str, faults: Faults) -> Getter:
    alternatives = spec if isinstance(spec, list) else [] if spec is None else [spec]
    if len(alternatives) > MAX_ALTERNATIVES:
        faults.add(where, f"more than {MAX_ALTERNATIVES} alternatives", "Keep the ones that occur")
        return _nothing
    getters: list[Getter] = []
    for index, alternative in enumerate(alternatives):
        place = f"{where}[{index}]" if isinstance(spec, list) else where
        with faults.gather():
            if isinstance(alternative, dict) and set(alternative) == {"join"} and isinstance(alternative["join"], list):
                getters.append(_join([compile_path(part, where=place) for part in alternative["join"]]))
            else:
                getters.append(compile_path(alternative, where=place))
    if not getters:
        return _nothing
    return _first(getters)


def _nothing(document: Document) -> Any:
    return MISSING


def _first(getters: list[Getter]) -> Getter:
    def get(document: Document) -> Any:
        for getter in getters:
            found = getter(document)
            if found is MISSING or type(found) is dict:
                continue
            if type(found) is str and (not found or found.isspace()):
                continue
            return found
        return MISSING

    return get


def _join(getters: list[Getter]) -> Getter:
    def get(document: Document) -> Any:
        parts = [label for getter in getters if (label := as_label(getter(document), MAX_ID))]
        return " ".join(parts) or MISSING

    return get


def _fields(spec: Any, faults: Faults) -> list[tuple[str, Getter]]:
    if not isinstance(spec, dict):
        faults.add("fields", "fields is an object", 'Write {"employees": "properties.employees"}')
        return []
    if len(spec) > MAX_FACTS:
        faults.add("fields", f"more than {MAX_FACTS} named facts", "Keep the ones that conditions or templates use")
    for name in spec:
        if not PLAIN.fullmatch(name) or "." in name:
            faults.add(f"fields.{name}"[:80], "a name has letters, digits and _ only", "Rename it")
        elif name in STANDARD:
            faults.add(f"fields.{name}", "that name is taken", f"Set {name} itself, or choose another name")
    return [(name, _expression(path, f"fields.{name}", faults)) for name, path in spec.items()]


def _spread(spec: Any, faults: Faults) -> list[Getter]:
    getters: list[Getter] = []
    if not isinstance(spec, list):
        faults.add("spread", "spread is a list of paths", 'Write ["properties"]')
        return getters
    for index, path in enumerate(spec):
        with faults.gather():
            getters.append(compile_path(path, where=f"spread[{index}]"))
    return getters


def _rules(spec: Any, segments: Codes, faults: Faults) -> list[tuple[Condition, str | None]]:
    rules: list[tuple[Condition, str | None]] = []
    if not isinstance(spec, list):
        faults.add("segment_rules", "the rules are a list", 'Write [{"condition": {…}, "segment": "enterprise"}]')
        return rules
    for index, rule in enumerate(spec):
        where = f"segment_rules[{index}]"
        if not isinstance(rule, dict) or not isinstance(rule.get("segment"), str):
            faults.add(
                where, "a rule is a condition and a segment", 'Write {"condition": {…}, "segment": "enterprise"}'
            )
            continue
        with faults.gather():
            condition = compile_condition(rule.get("condition"), where=f"{where}.condition")
            code = segments.resolve(rule["segment"], where=f"{where}.segment")
            rules.append((condition, None if code == UNASSIGNED else code))
    return rules


def _fact(found: Any) -> Any:
    """A fact fit to keep: text tidied and cut, a list of plain values cut to 50; None for an object."""
    kind = type(found)
    if kind is str:
        return tidy(found, MAX_FACT_TEXT)
    if kind is list:
        plain: list[Any] = [_fact(item) for item in found[:50] if type(item) in PLAIN_TYPES]
        return plain
    return found if kind in PLAIN_TYPES else None


PLAIN_TYPES: frozenset[type] = frozenset((str, int, float, bool))


def _say(spec: Any) -> str:
    alternatives = spec if isinstance(spec, list) else [spec]
    said = [" + ".join(map(str, a.get("join", []))) if isinstance(a, dict) else str(a) for a in alternatives if a]
    return ", ".join(said[:6]) or "any field (the mapping names none)"
