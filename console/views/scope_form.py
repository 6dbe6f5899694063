"""A region or a segment as a form: its name, and a region's clock, working hours and currency."""

import zoneinfo
from datetime import datetime
from itertools import groupby
from typing import Any

from django import forms

from agents.changes.scope import DAYS
from agents.models import Region, Segment

NAMES = {"mon": "Mon", "tue": "Tue", "wed": "Wed", "thu": "Thu", "fri": "Fri", "sat": "Sat", "sun": "Sun"}
TIME = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


def zones() -> list[tuple[str, str]]:
    """Every time zone to choose from."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
    return [(name, name.replace("_", " ")) for name in names]


def hours_words(hours: dict[str, list[str]]) -> str:
    """Working hours in few words: "Mon to Fri 09:00–18:00, Sat 10:00–14:00"; "none" when there are none."""
    said = []
    for times, group in groupby(DAYS, key=lambda day: hours.get(day)):
        days = [NAMES[day] for day in group]
        if times:
            said.append(f"{days[0]}{f' to {days[-1]}' if len(days) > 1 else ''} {times[0]}–{times[1]}")
    return ", ".join(said) or "none"


def open_now(region: Region, at: datetime) -> tuple[str, bool]:
    """What the clock says there, and whether that is within working hours."""
    local = at.astimezone(zoneinfo.ZoneInfo(region.time_zone))
    clock, hours = f"{local:%H:%M}", region.working_hours.get(DAYS[local.weekday()])
    return clock, bool(hours) and hours[0] <= clock < hours[1]


class ScopeForm(forms.Form):
    """A segment; with `tree=Region` a region. A new one (`scope` None) has a key and a place in the tree too."""

    name = forms.CharField(max_length=80)

    def __init__(self, data: Any = None, *, tree: type[Region] | type[Segment], scope: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        if scope is None:
            self.fields["key"] = forms.SlugField(
                max_length=40, help_text="Short, for payloads and boundaries: de makes emea/de."
            )
            self.fields["parent"] = beneath(tree, None)
        self.days: list[str] = []
        if tree is not Region:
            return
        self.fields["time_zone"] = forms.ChoiceField(label="Time zone", choices=zones())
        self.fields["currency"] = forms.CharField(max_length=3)
        for day in DAYS:
            for end in ("from", "to"):
                self.fields[f"{day}-{end}"] = forms.TimeField(
                    label=f"{NAMES[day]} {end}", required=False, widget=TIME, input_formats=["%H:%M", "%H:%M:%S"]
                )

    @property
    def hours(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        """Each day with its two ends."""
        return (
            [(NAMES[day], self[f"{day}-from"], self[f"{day}-to"]) for day in DAYS] if "currency" in self.fields else []
        )

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> None:
        said = self.cleaned_data
        for day in DAYS if "currency" in self.fields else ():
            begins, ends = said.get(f"{day}-from"), said.get(f"{day}-to")
            if (begins is None) != (ends is None) and not self.has_error(f"{day}-from"):
                self.add_error(f"{day}-to" if ends is None else f"{day}-from", "Give both, or neither for a day off.")
            elif begins and ends and begins >= ends:
                self.add_error(f"{day}-to", "It ends before it begins.")

    def values(self) -> dict[str, Any]:
        """What the form says, as `agents.changes.scope` takes it; a valid form only."""
        said = self.cleaned_data
        out: dict[str, Any] = {
            name: said[name] for name in ("name", "time_zone", "currency", "key", "parent") if name in said
        }
        if "currency" in self.fields:
            out["working_hours"] = {
                day: [f"{said[f'{day}-from']:%H:%M}", f"{said[f'{day}-to']:%H:%M}"]
                for day in DAYS
                if said.get(f"{day}-from")
            }
        return out

    def show(self, error: forms.ValidationError) -> None:
        """Each fault beside its field; those of no field of this form on top."""
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, faults in error.error_dict.items():
            self.add_error(name if name in self.fields else None, faults)


class ByCode(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.code})"


class MoveForm(forms.Form):
    """Where in the tree it is to be."""

    def __init__(self, data: Any = None, *, scope: Region | Segment, **more: Any) -> None:
        super().__init__(data, **more)
        self.fields["parent"] = beneath(type(scope), scope)


def beneath(tree: type[Region] | type[Segment], scope: Region | Segment | None) -> forms.ModelChoiceField:
    """The choice of a parent: never Unassigned, `scope` itself, or what is beneath it."""
    rows = tree.objects.exclude(code="unassigned")
    if scope is not None:
        rows = rows.exclude(code=scope.code).exclude(code__startswith=f"{scope.code}/")
    return ByCode(rows, label="Beneath", required=False, to_field_name="code", empty_label="nothing: at the top")


def initial(scope: Region | Segment) -> dict[str, Any]:
    """The form's values for `scope`."""
    if not isinstance(scope, Region):
        return {"name": scope.name}
    hours = {f"{day}-from": ends[0] for day, ends in scope.working_hours.items()}
    hours |= {f"{day}-to": ends[1] for day, ends in scope.working_hours.items()}
    return {"name": scope.name, "time_zone": scope.time_zone, "currency": scope.currency, **hours}
