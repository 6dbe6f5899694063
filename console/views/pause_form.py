"""The forms of pausing: which section, why, until when, how far it opens; and what is said beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from agents import access, reach
from agents.models import Agent, Connection, Pause, Play, Region, Segment
from agents.sections import Section
from console.until import parse_until

REASONS = ("Wrong messages", "Customer asked", "Something broke", "Freeze", "Other")
UNTIL = (("", "never"), ("30m", "in 30 minutes"), ("2h", "in 2 hours"), ("1d", "in a day"), ("7d", "in a week"))
PARTS: dict[str, tuple[type[Model], str]] = {
    "region": (Region, "code"),
    "segment": (Segment, "code"),
    "agent": (Agent, "slug"),
    "play": (Play, "slug"),
    "connection": (Connection, "slug"),
}


class SectionForm(forms.Form):
    """Which section: any of these; all given must match; none is everything."""

    region = forms.ModelChoiceField(Region.objects.all(), to_field_name="code", required=False, empty_label="all")
    segment = forms.ModelChoiceField(Segment.objects.all(), to_field_name="code", required=False, empty_label="all")
    agent = forms.ModelChoiceField(
        Agent.objects.exclude(stage="retired"), to_field_name="slug", required=False, empty_label="all"
    )
    play = forms.ModelChoiceField(Play.objects.all(), to_field_name="slug", required=False, empty_label="all")
    connection = forms.ModelChoiceField(
        Connection.objects.all(), to_field_name="slug", required=False, empty_label="all"
    )

    def __init__(self, *args: Any, person: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in PARTS:
            field: Any = self.fields[name]
            field.queryset = access.visible(person, field.queryset)

    @property
    def section(self) -> Section:
        return Section(**{name: self.cleaned_data.get(name) for name in PARTS})

    @property
    def strangers(self) -> list[str]:
        """Each part that names nothing there is, in words."""
        return [f"There is no {name} “{self.data.get(name, '')}”." for name in PARTS if name in self.errors]


class UntilForm(forms.Form):
    """When it resumes by itself: one of UNTIL, or a moment in the person's time zone."""

    until = forms.CharField(required=False, max_length=30)
    until_at = forms.CharField(required=False, max_length=30)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        try:
            given["moment"] = parse_until(given.get("until_at") or given.get("until") or "")
        except ValueError as fault:
            self.add_error("until_at", str(fault))
        return given

    @property
    def moment(self) -> datetime | None:
        """Aware; None for never."""
        moment: datetime | None = self.cleaned_data["moment"]
        return moment


class ExtendForm(UntilForm):
    """Another end for a pause that stands: "never" is said, an empty form is none."""

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if not (given.get("until_at") or given.get("until") or self.errors):
            self.add_error("until_at", "Say until when, or “never”.")
        return given


class PauseForm(SectionForm, UntilForm):
    """Closing it: why, and until when."""

    reason = forms.ChoiceField(choices=[(reason, reason) for reason in REASONS])
    note = forms.CharField(required=False, max_length=300)

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("reason") == "Other" and not given.get("note"):
            self.add_error("note", "Say what it is.")
        return given

    @property
    def why(self) -> str:
        reason, note = self.cleaned_data["reason"], self.cleaned_data["note"].strip()
        return note if reason == "Other" else f"{reason}: {note}" if note else reason


@dataclass(frozen=True)
class Stays:
    """What another standing pause keeps closed of a section: `part` of it, which may be all. `seen`: whether whoever
    asks may see that pause; else it is told of without naming what it is of."""

    pause: Pause
    part: Section
    whole: bool
    seen: bool = True

    @property
    def what(self) -> str:
        """ "EMEA · Inbound intent" """
        return self.part.words if self.seen else "All of it" if self.whole else "Some of it"

    @property
    def by(self) -> str:
        """ "the pause of EMEA (Priya: Wrong messages)" """
        if not self.seen:
            return "a pause of what you may not see"
        who = self.pause.set_by.name if self.pause.set_by else "the command line"
        staged = f", {self.pause.share} % go" if self.pause.share else ""
        return f"the pause of {self.pause} ({who}: {self.pause.reason}{staged})"


def staying(section: Section, *, but: int = 0, seen: QuerySet[Pause] | None = None) -> list[Stays]:
    """What stays closed of `section` without the pause of id `but`; the pauses that close all of it first. `seen`: the
    standing ones that whoever asks may see (None: all); the others are told of, too, but not named."""
    standing = list(Pause.objects.standing())
    known = {pause.pk for pause in standing} if seen is None else set(seen.values_list("pk", flat=True))
    found = []
    for pause in reach.others(section, standing, but=but):
        part = reach.overlap(section, Section.of(pause))
        if part is not None:
            found.append(Stays(pause, part, reach.covers(Section.of(pause), section), pause.pk in known))
    return sorted(found, key=lambda one: (not one.whole, one.pause.pk))


def pausing(section: Section) -> str:
    """The address of the question whether to pause it."""
    return f"{reverse('pause-new')}?{urlencode(section.detail)}" if section.detail else reverse("pause-new")


def seen_work(person: Any, work: Sequence[reach.Work]) -> Sequence[reach.Work]:
    """What of the open work this person sees."""
    seen = access.reach(person, access.SEE)
    if seen.everywhere:
        return work
    return [one for one in work if seen.holds(agent=one.agent) or seen.names(region=one.region, segment=one.segment)]


def asking(person: Any, section: Section, form: PauseForm) -> dict[str, Any]:
    """The context of the question: what it would stop, what is closed there already, why and until when."""
    return {
        "section": section,
        "blast": reach.blast(section, among=access.visible(person, Agent.objects.all())),
        "closed": staying(section, seen=access.visible(person, Pause.objects.standing())),
        "form": form,
        "reasons": REASONS,
        "untils": UNTIL,
        "chosen": form["reason"].value() or REASONS[0],
    }
