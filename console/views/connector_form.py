"""Forms made from what a connector asks for: text, numbers, choices, pairs as lines, secrets that are only written."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from agents.connectors import Field
from agents.rules.errors import SpecError
from console.typed import read_json


class PairsField(forms.CharField):
    """An object of text to text, as `Name: value` lines."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, Mapping) else value

    def to_python(self, value: Any) -> Any:
        found: dict[str, str] = {}
        for number, line in enumerate((value or "").splitlines(), 1):
            name, sign, text = (part.strip() for part in line.partition(":"))
            if line.strip() and not (name and sign):
                raise forms.ValidationError(f"Line {number}: write Name: value.")
            if line.strip():
                found[name] = text
        return found


class JsonField(forms.CharField):
    """Any JSON; what is no JSON is taken as a text, so that a template can stand there alone."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        text = (value or "").strip()
        if not text:
            return None
        if text[0] not in "{[" or text.startswith("{{"):
            return text
        try:
            return read_json(text, str(self.label or "JSON"))
        except SpecError as error:
            raise forms.ValidationError([f"{one.where}: {one.what}. {one.mend}." for one in error.faults]) from error


def form_field(field: Field, *, templates: bool = False) -> forms.Field:
    """The form's field for one of a connector's; with `templates` everything but a choice is text."""
    common: dict[str, Any] = {"label": field.label, "help_text": field.help, "required": field.required}
    code = {"class": "code", "rows": 3, "spellcheck": "false"}
    if field.kind == "choice":
        blank = [] if field.required or field.default else [("", "–")]
        return forms.ChoiceField(choices=[*blank, *field.choices], **common)
    if field.kind == "pairs":
        return PairsField(widget=forms.Textarea(attrs=code), **common)
    if field.kind == "json":
        return JsonField(widget=forms.Textarea(attrs={**code, "rows": 6}), **common)
    if field.kind == "long":
        return forms.CharField(widget=forms.Textarea(attrs=code), strip=False, **common)
    if templates:
        return forms.CharField(widget=forms.TextInput(attrs={"class": "code"}), **common)
    if field.kind == "boolean":
        return forms.BooleanField(**{**common, "required": False})
    if field.kind == "number":
        return forms.FloatField(min_value=field.low, max_value=field.high, localize=False, **common)
    return forms.CharField(**common)


class SecretInput(forms.PasswordInput):
    """Never shows what is kept."""

    def __init__(self, *, kept: bool) -> None:
        says = "set; leave empty to keep it" if kept else "not set"
        super().__init__(attrs={"placeholder": says, "autocomplete": "new-password"}, render_value=False)


class ConnectionForm(forms.Form):
    """Name and what the connector asks for. `values` splits it into config, new secrets and those to forget."""

    name = forms.CharField(max_length=120, help_text="What people call it.")
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, asks: Iterable[Field], kept: Iterable[str] = (), admin: bool, **more: Any
    ) -> None:
        super().__init__(data, **more)
        self.asks, self.kept = tuple(asks), set(kept)
        for one in self.asks:
            made = form_field(one)
            if one.secret:
                made.required, made.widget = False, SecretInput(kept=one.name in self.kept)
                if one.name in self.kept:
                    self.fields[f"forget-{one.name}"] = forms.BooleanField(
                        label=f"Remove the {one.label.lower()} that is set", required=False
                    )
            self.fields[one.name] = made
            if one.default is not None and not one.secret:
                made.initial = int(one.default) if one.kind == "number" and one.default % 1 == 0 else one.default
        self.fields["allowed_hosts"] = forms.CharField(
            label="Private hosts it may reach",
            required=False,
            disabled=not admin,
            help_text="One a line: a host, host:port, address or range. Everything private is refused else. "
            + ("" if admin else "Only an admin may change this."),
            widget=forms.Textarea(attrs={"class": "code", "rows": 2, "spellcheck": "false"}),
        )

    @property
    def rows(self) -> list[forms.BoundField]:
        """The connector's own fields, a secret's removal beside it."""
        found = []
        for one in self.asks:
            found.append(self[one.name])
            if f"forget-{one.name}" in self.fields:
                found.append(self[f"forget-{one.name}"])
        return found

    def clean_allowed_hosts(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["allowed_hosts"].splitlines() if line.strip()]

    def config(self) -> dict[str, Any]:
        """What is not secret and not left empty; a default that was left as it is stands for itself."""
        said = {one.name: self.cleaned_data.get(one.name) for one in self.asks if not one.secret}
        return {name: value for name, value in said.items() if value not in (None, "", {})}

    def secrets(self) -> dict[str, str]:
        """The new ones."""
        return {
            one.name: self.cleaned_data[one.name] for one in self.asks if one.secret and self.cleaned_data[one.name]
        }

    def forget(self) -> list[str]:
        return [
            name.removeprefix("forget-")
            for name, value in self.cleaned_data.items()
            if name.startswith("forget-") and value
        ]

    def show(self, error: forms.ValidationError) -> None:
        """Each fault beside its field; those of no field of this form on top."""
        for name, lines in error.message_dict.items():
            self.add_error(name if name in self.fields else None, lines)
