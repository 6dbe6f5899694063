"""A play as a form: itself, and a row of fields for each step, made of what its connection sends."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.http import QueryDict

from agents.changes.play import OURS
from agents.connectors import registry
from agents.models import Connection, Play, Risk
from agents.rules.errors import SpecError
from console.typed import counted
from console.views.connector_form import JsonField, form_field

PAYLOAD = "p-"
_PLACE = re.compile(r"steps\[(\d+)\]\.?(\w*)\.?(\w*)")


class PlayForm(forms.ModelForm):
    risk = forms.ChoiceField(
        choices=Risk.choices,
        widget=forms.RadioSelect,
        help_text="Boundaries can ask or refuse by it.",
    )

    class Meta:
        model = Play
        fields = ("name", "purpose", "risk", "is_active")
        labels = {"is_active": "Agents may choose it"}
        widgets = {"purpose": forms.Textarea(attrs={"rows": 2})}
        help_texts = {"purpose": "When it is right, in a sentence."}


class StepForm(forms.Form):
    """One step. What it sends depends on the kind of its connection."""

    key = forms.CharField(max_length=40, label="Key", help_text="Short, for the record: intro.")
    connection = forms.ChoiceField(label="Through")
    delay_minutes = forms.IntegerField(label="After (minutes)", initial=0, help_text="0: at once.")
    cost = forms.FloatField(
        label="Costs", min_value=0, required=False, help_text="What one takes of a budget; nothing if left out."
    )
    may_undo = forms.BooleanField(
        label="Can be taken back", required=False, help_text="By what its connection says, where that can undo."
    )
    undo = JsonField(
        label="Sent to take it back, besides",
        required=False,
        help_text="A JSON object of templates; action.id, action.payload and action.receipt may be used.",
        widget=forms.Textarea(attrs={"class": "code", "rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, connections: Mapping[str, Connection], **more: Any) -> None:
        super().__init__(*args, **more)
        through = cast(forms.ChoiceField, self.fields["connection"])
        through.choices = [
            ("", "Choose a connection"),
            *((one.slug, one.name) for one in connections.values()),
        ]
        chosen = self.data.get(self.add_prefix("connection")) if self.is_bound else self.initial.get("connection")
        to = connections.get(str(chosen or ""))
        self.kind = to.kind if to else ""
        for field in registry[self.kind].payload_fields if self.kind in registry else ():
            if field.name not in OURS:
                self.fields[PAYLOAD + field.name] = form_field(field, templates=True)

    @property
    def payload(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(PAYLOAD)]

    def step(self) -> dict[str, Any]:
        """The step as far as its rows hold; what is empty is left out of its payload."""
        said = self.cleaned_data
        payload = {name[len(PAYLOAD) :]: value for name, value in said.items() if name.startswith(PAYLOAD)}
        cost = {"cost": said["cost"]} if said.get("cost") else {}
        return {
            **cost,
            "key": said.get("key", ""),
            "connection": said.get("connection", ""),
            "payload": {name: value for name, value in payload.items() if value not in (None, "", {})},
            "delay_minutes": said.get("delay_minutes") or 0,
            "undo": (said.get("undo") or {}) if said.get("may_undo") else None,
        }

    def clean_undo(self) -> Any:
        undo = self.cleaned_data["undo"]
        if undo is not None and not isinstance(undo, dict):
            raise forms.ValidationError('Write a JSON object, such as {"text": "Taken back"}.')
        return undo


def rows_of(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each step as the initial values of its form."""
    return [
        {
            "key": step["key"],
            "connection": step["connection"],
            "delay_minutes": step.get("delay_minutes") or 0,
            "cost": step.get("cost") or None,
            "may_undo": step.get("undo") is not None,
            "undo": step.get("undo") or None,
            **{PAYLOAD + name: value for name, value in (step.get("payload") or {}).items()},
        }
        for step in steps
    ]


def posted_rows(data: QueryDict) -> list[dict[str, Any]]:
    """What was typed into each step, as it was typed."""
    count = min(counted(data.get("steps", "")) or 0, 50)
    return [
        {key.removeprefix(f"step-{n}-"): data[key] for key in data if key.startswith(f"step-{n}-")}
        for n in range(count)
    ]


def place_faults(error: SpecError, play: forms.BaseForm, steps: list[StepForm]) -> None:
    """Each fault beside the row it speaks of, else on top."""
    for fault in error.faults:
        says = f"{fault.what}. {fault.mend}."
        found = _PLACE.match(fault.where)
        if not found or int(found[1]) >= len(steps):
            play.add_error(None, f"{fault.where}: {says}")
            continue
        form = steps[int(found[1])]
        name = PAYLOAD + found[3] if found[2] == "payload" and found[3] else found[2]
        form.add_error(name if name in form.fields else None, says)


def flat(name: str, risk: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """A version as fields to compare."""
    said: dict[str, Any] = {"name": name, "risk": risk}
    for n, step in enumerate(steps, 1):
        at = f"{n}. {step['key']}"
        said |= {f"{at}: through": step["connection"], f"{at}: after": f"{step.get('delay_minutes') or 0} min"}
        for part, value in (step.get("payload") or {}).items():
            said[f"{at}: {part}"] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if step.get("cost"):
            said[f"{at}: costs"] = f"{step['cost']:,g}"
        if step.get("undo") is not None:
            said[f"{at}: taken back with"] = json.dumps(step["undo"], ensure_ascii=False)
    return said
