"""Away: from when until when, and who stands in for one's questions meanwhile."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents import absence, access
from approvals.models import Person
from console.views import page
from console.views.page import signed_in

LOCAL = "%Y-%m-%dT%H:%M"


def _moment() -> forms.DateTimeInput:
    return forms.DateTimeInput(format=LOCAL, attrs={"type": "datetime-local"})


class AwayForm(forms.Form):
    since = forms.DateTimeField(label="From", widget=_moment(), input_formats=[LOCAL])
    until = forms.DateTimeField(
        label="Until",
        required=False,
        widget=_moment(),
        input_formats=[LOCAL],
        help_text="Empty: until you say so.",
    )
    delegate = forms.ModelChoiceField(
        Person.objects.none(),
        label="Stands in for you",
        required=False,
        empty_label="Nobody",
        help_text="What would be handed to you goes to them, and what you have in hand shows first at theirs. They "
        "answer by grants of their own. With nobody, you are passed over.",
    )

    def __init__(self, person: Person, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Person.objects.filter(is_active=True).exclude(pk=person.pk).order_by("name")
        able = [one.pk for one in others if access.may_somewhere(one, access.APPROVE)]
        chosen = self.fields["delegate"]
        assert isinstance(chosen, forms.ModelChoiceField)
        chosen.queryset = others.filter(pk__in=able)


def away(request: HttpRequest) -> HttpResponse:
    """One's own absence: said, changed, or taken back with `back`."""
    person = Person.objects.select_related("delegate").get(pk=signed_in(request).pk)
    if request.method == "POST" and "back" in request.POST:
        absence.clear(person, by=person)
        messages.success(request, "Welcome back: questions reach you again.")
        return page.redirect(request, "away")
    now = timezone.localtime().replace(second=0, microsecond=0)
    said = {"since": person.away_from or now, "until": person.away_until, "delegate": person.delegate}
    form = AwayForm(person, request.POST or None, initial=said)
    if request.method == "POST" and form.is_valid():
        try:
            absence.set_away(person, by=person, **form.cleaned_data)
        except ValidationError as fault:
            form.add_error(None, fault)
        else:
            messages.success(request, "Saved: it is known that you are away.")
            return page.redirect(request, "away")
    context = {"form": form, "person": person, "is_away": absence.is_away(person)}
    return page.render(request, "me/away.html", context, status=422 if form.errors else 200)
