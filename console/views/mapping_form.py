"""A mapping as rows of a form and back. What rows cannot hold (nested conditions) is edited as JSON."""

from collections.abc import Iterable
from typing import Any

from django import forms

from agents.rules.comparisons import OPS
from agents.rules.errors import SpecError
from agents.rules.mapping import EXPRESSIONS
from agents.rules.mapping_defaults import DEFAULTS
from console.views.form_rows import read_value, show_value

OFF = "-"
PARTS = {
    "id": ("Event id", "Unique to each event: a repeat of it is taken in once."),
    "type": ("Type", "What happened."),
    "time": ("Time", "When it happened; without one, when it was received."),
    "account": ("Account", "The customer's key."),
    "account_name": ("Account name", "What people call them."),
    "person": ("Person", "A name. Join parts with +: traits.firstName + traits.lastName"),
    "email": ("E-mail", "The person's address."),
    "region": ("Region", "Where the customer is."),
    "segment": ("Segment", "Which kind of customer."),
    "value": ("Value", "A number: money, seats, …"),
    "currency": ("Currency", "Of the value: EUR. Without one, the region's."),
    "time_zone": ("Time zone", "The person's own: Europe/Berlin. Without one, the region's."),
}
TESTS = {"exists": "is known", **{op: phrase for op, (_, phrase) in OPS.items()}}
SPARE_RULES = 2


class NotRows(ValueError):
    """The mapping holds something that rows cannot show."""


class MappingForm(forms.Form):
    """Rows: one line a path, the first that finds something wins."""

    fields_ = forms.CharField(
        label="Further facts",
        required=False,
        help_text="One a line, name = path. Conditions and templates use them as signal.name.",
        widget=forms.Textarea(attrs={"class": "code", "rows": 3, "spellcheck": "false"}),
    )
    spread = forms.CharField(
        label="Objects whose members all become facts",
        required=False,
        help_text="One path a line.",
        widget=forms.Textarea(attrs={"class": "code", "rows": 2, "spellcheck": "false"}),
    )
    region_map = forms.CharField(
        label="Their words for regions",
        required=False,
        help_text="One a line, what the payload says = our code. * is anything else.",
        widget=forms.Textarea(attrs={"class": "code", "rows": 3, "spellcheck": "false"}),
    )
    segment_map = forms.CharField(
        label="Their words for segments",
        required=False,
        help_text="One a line, what the payload says = our code. * is anything else.",
        widget=forms.Textarea(attrs={"class": "code", "rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None, *, spec: dict[str, Any], format: str, segments: Iterable[str]) -> None:
        super().__init__(data)
        for name, (label, help) in PARTS.items():
            usual = _lines(DEFAULTS[format].get(name))
            attrs = {"class": "code", "rows": 1, "placeholder": usual or "none", "spellcheck": "false"}
            self.fields[name] = forms.CharField(
                label=label, help_text=help, required=False, widget=forms.Textarea(attrs=attrs)
            )
        self.fields["spread"].widget.attrs["placeholder"] = "\n".join(DEFAULTS[format]["spread"])
        given = spec.get("segment_rules") or []
        self.rules = max(len(given), _count(data)) + (0 if data else SPARE_RULES)
        codes = [("", "–"), *((code, code) for code in segments)]
        for n in range(self.rules):
            self.fields[f"rule-{n}-field"] = forms.CharField(label="Field", required=False)
            self.fields[f"rule-{n}-op"] = forms.ChoiceField(label="Test", required=False, choices=[*TESTS.items()])
            self.fields[f"rule-{n}-value"] = forms.CharField(label="Value", required=False)
            self.fields[f"rule-{n}-segment"] = forms.ChoiceField(label="Segment", required=False, choices=codes)
        if data is None:
            self.initial = _rows(spec)

    @property
    def parts(self) -> list[forms.BoundField]:
        return [self[name] for name in PARTS]

    @property
    def rule_rows(self) -> list[dict[str, forms.BoundField]]:
        return [{part: self[f"rule-{n}-{part}"] for part in _RULE} for n in range(self.rules)]

    def clean_fields_(self) -> dict[str, Any]:
        return _pairs(self.cleaned_data["fields_"], "Write name = path.", repeated=True)

    def clean_region_map(self) -> dict[str, Any]:
        return _pairs(self.cleaned_data["region_map"], "Write what the payload says = code.")

    def clean_segment_map(self) -> dict[str, Any]:
        return _pairs(self.cleaned_data["segment_map"], "Write what the payload says = code.")

    def spec(self) -> dict[str, Any]:
        """The mapping that the rows say; a valid form only."""
        said = self.cleaned_data
        spec: dict[str, Any] = {}
        for name in EXPRESSIONS:
            if said[name].strip():
                spec[name] = _expression(said[name].splitlines())
        if said["spread"].strip():
            spec["spread"] = [line.strip() for line in said["spread"].splitlines() if line.strip()]
        for name, key in (("fields", "fields_"), ("region_map", "region_map"), ("segment_map", "segment_map")):
            if said[key]:
                spec[name] = said[key]
        rules = [_rule(said, n) for n in range(self.rules) if said[f"rule-{n}-field"].strip()]
        return {**spec, "segment_rules": rules} if rules else spec

    def show(self, error: SpecError) -> None:
        """Put each fault of the mapping where its row is."""
        for fault in error.faults:
            self.add_error(self._row_of(fault.where), f"{fault.what}. {fault.mend}")

    def _row_of(self, where: str) -> str | None:
        head = where.partition("[")[0].partition(".")[0]
        if head == "segment_rules":
            n = int(where.partition("[")[2].partition("]")[0] or 0)
            part = where.rpartition(".")[2]
            filled = [i for i in range(self.rules) if self.cleaned_data.get(f"rule-{i}-field", "").strip()]
            return f"rule-{filled[n]}-{part if part in _RULE else 'field'}" if n < len(filled) else None
        name = {"fields": "fields_"}.get(head, head)
        return name if name in self.fields else None


_RULE = ("field", "op", "value", "segment")


def _count(data: Any) -> int:
    """How many rows of rules a posted form holds."""
    n = 0
    while data is not None and f"rule-{n}-field" in data and n < 50:
        n += 1
    return n


def _expression(lines: list[str]) -> Any:
    found = [_alternative(line.strip()) for line in lines if line.strip()]
    if found == [OFF]:
        return None
    return found[0] if len(found) == 1 else found


def _alternative(line: str) -> Any:
    parts = [part.strip() for part in line.split(" + ")]
    return {"join": parts} if len(parts) > 1 else line


def _lines(expression: Any) -> str:
    """An expression as lines of a row. NotRows."""
    if expression is None:
        return ""
    said = []
    for one in expression if isinstance(expression, list) else [expression]:
        parts = one.get("join") if isinstance(one, dict) and set(one) == {"join"} else [one]
        if not parts or not all(isinstance(p, str) and p.strip() and "\n" not in p and " + " not in p for p in parts):
            raise NotRows
        said.append(" + ".join(parts))
    return "\n".join(said)


def _rows(spec: dict[str, Any]) -> dict[str, Any]:
    """The rows' values for a mapping. NotRows when they cannot show all of it."""
    if spec.keys() - {*EXPRESSIONS, "spread", "fields", "region_map", "segment_map", "segment_rules"}:
        raise NotRows
    rows: dict[str, Any] = {
        name: OFF if spec[name] is None else _lines(spec[name]) for name in EXPRESSIONS if name in spec
    }
    rows["spread"] = "\n".join(spec.get("spread") or [])
    facts = spec.get("fields") or {}
    rows["fields_"] = "\n".join(f"{name} = {line}" for name, path in facts.items() for line in _lines(path).split("\n"))
    for name in ("region_map", "segment_map"):
        if any("=" in said or "\n" in said for said in spec.get(name) or {}):
            raise NotRows
        rows[name] = "\n".join(f"{said} = {code}" for said, code in _last(spec.get(name) or {}))
    for n, rule in enumerate(spec.get("segment_rules") or []):
        condition = rule.get("condition") if isinstance(rule, dict) else None
        if not isinstance(condition, dict) or condition.keys() - {"field", "op", "value"} or "field" not in condition:
            raise NotRows
        value = condition.get("value")
        rows |= {f"rule-{n}-field": condition["field"], f"rule-{n}-op": condition.get("op")}
        rows |= {f"rule-{n}-value": show_value(value), f"rule-{n}-segment": rule.get("segment")}
    return rows


def _last(words: dict[str, str]) -> list[tuple[str, str]]:
    """In order, "*" (anything else) at the end."""
    return sorted(words.items(), key=lambda pair: (pair[0] == "*", pair[0].casefold()))


def _rule(said: dict[str, Any], n: int) -> dict[str, Any]:
    op, text = said[f"rule-{n}-op"], said[f"rule-{n}-value"].strip()
    condition: dict[str, Any] = {"field": said[f"rule-{n}-field"].strip(), "op": op}
    if op != "exists" or text:
        condition["value"] = read_value(op, text)
    return {"condition": condition, "segment": said[f"rule-{n}-segment"]}


def _pairs(text: str, how: str, *, repeated: bool = False) -> dict[str, Any]:
    """`name = value` lines as an object; with `repeated` a name's further lines are alternatives."""
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cut = line.partition("=") if repeated else line.rpartition("=")
        name, sign, value = (part.strip() for part in cut)
        if not (name and sign and value):
            raise forms.ValidationError(f"Line {number}: {how}")
        found.setdefault(name, []).append(value)
    return {name: _expression(values) if repeated else values[-1] for name, values in found.items()}
