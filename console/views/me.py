"""A person's own settings: how Signalbox looks, tells time and listens to keys."""

import zoneinfo
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from approvals.models import Person
from approvals.models.person import Theme
from audit.entries import Line, record
from console.views import page
from console.views.page import signed_in

FIELDS = ("name", "time_zone", "mails", "mails_at", "theme", "density", "shortcuts")


class SettingsForm(forms.ModelForm):
    class Meta:
        model = Person
        fields = FIELDS
        labels = {
            "shortcuts": "Keys (j, k, a, g + letter …) do things",
            "mails": "Mail me about questions that wait for me",
            "mails_at": "Once a day at",
        }
        help_texts = {
            "time_zone": "Times are shown in it, with UTC on hover.",
            "density": "Rows of 36 or 28 pixels.",
            "mails": "What is handed to you, asked of you or about to expire comes at once. Never: only what falls to "
            "you as owner or deputy because nobody answered.",
        }
        widgets = {"mails_at": forms.TimeInput(format="%H:%M", attrs={"type": "time"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
        self.fields["time_zone"].widget = forms.Select(choices=[(name, name.replace("_", " ")) for name in zones])


def prefer(person: Person, **wishes: Any) -> None:
    """Write a person's own preferences, and that they did."""
    with transaction.atomic():
        for name, value in wishes.items():
            setattr(person, name, value)
        person.save(update_fields=list(wishes))
        record(Line("person.changed", person.actor, person.actor, detail={"fields": sorted(wishes)}))


def settings(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    form = SettingsForm(request.POST or None, instance=person)
    if request.method == "POST":
        if form.is_valid():
            if form.changed_data:
                prefer(person, **{name: form.cleaned_data[name] for name in form.changed_data})
            messages.success(request, "Saved.")
            return page.redirect(request, "settings")
        return page.render(request, "me/settings.html", {"form": form}, status=422)
    return page.render(request, "me/settings.html", {"form": form})


def strips(request: HttpRequest) -> HttpResponse:
    """What the frame of every page asks for again: what is paused, and the rail's counts."""
    return page.render(request, "strips.html", fragment="strips")


@require_POST
def look(request: HttpRequest) -> HttpResponse:
    """The switch in the person menu: theme only."""
    theme = request.POST.get("theme", "")
    if theme in Theme.values:
        prefer(signed_in(request), theme=theme)
    return page.back(request, "settings")
