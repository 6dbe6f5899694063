"""Planted questions: after how many real ones an agent asks something that deserves a no. For admins."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from agents import access, plants
from agents.models import Agent, Stage
from approvals.models.planting import Planting
from console.views import page
from console.views.page import signed_in

HELP = f"After how many of its questions one is planted: {plants.LEAST} to {plants.MOST}, or 0 for none."


class PlantingForm(forms.Form):
    """A number for each agent that asks."""

    def __init__(self, agents: list[Agent], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        every = dict(Planting.objects.values_list("agent", "every"))
        for agent in agents:
            self.fields[agent.slug] = forms.IntegerField(
                label=agent.name, help_text=HELP, initial=every.get(agent.slug, 0), min_value=0, max_value=plants.MOST
            )


def planting(request: HttpRequest) -> HttpResponse:
    """Every agent that asks, with its number; a POST changes those that differ, and says what does not hold."""
    person = signed_in(request)
    access.require(person, access.ADMINISTER)
    agents = list(Agent.objects.filter(stage__in=(Stage.SUPERVISED, Stage.AUTONOMOUS)).order_by("name"))
    form = PlantingForm(agents, request.POST or None)
    if request.method == "POST" and form.is_valid():
        for agent in agents:
            try:
                plants.switch(agent, every=form.cleaned_data[agent.slug], person=person)
            except ValidationError as fault:
                form.add_error(agent.slug, fault.messages)
        if not form.errors:
            messages.success(request, "Saved.")
            return page.redirect(request, "planting")
    return page.render(request, "inbox/planting.html", {"form": form}, status=422 if form.errors else 200)
