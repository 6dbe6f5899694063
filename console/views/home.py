"""Home: what is in production, with whose name next to it, and is it working."""

from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from agents import access
from agents.models import Agent, Connection, Play, Source, Stage
from console.views import page
from console.views.roster import STATES, roster


class Step(NamedTuple):
    """One thing to do before an agent can work."""

    title: str
    text: str
    href: str
    action: str
    done: bool


def home(request: HttpRequest) -> HttpResponse:
    """Every agent but the retired; `?owner= ?stage= ?state=` filter, `?order=` holds the order while it polls."""
    found = roster(request, access.visible(request.user, Agent.objects.exclude(stage=Stage.RETIRED)))
    at_work = [row for row in found.all if row.agent.stage != Stage.DRAFT]
    context = {
        "roster": found,
        "at_work": at_work,
        "steps": [] if at_work or not access.may(request.user, access.SEE, Source) else first_steps(),
        "stages": [choice for choice in Stage.choices if choice[0] != Stage.RETIRED],
        "states": STATES,
        "delivered": found.lately.count("delivered"),
        "refused": found.lately.count("refused"),
        "failed": found.lately.count("failed", "unknown"),
        "asked": sum(row.waiting.count for row in found.all if row.waiting),
    }
    return page.render(request, "home/home.html", context, fragment="board")


def first_steps() -> list[Step]:
    """From an empty Signalbox to an agent in shadow, each with whether it is done."""
    return [
        Step(
            "Let signals in",
            "A source has a key and says how to read what your site or product sends.",
            _address("sources"),
            "Add a source",
            Source.objects.exists(),
        ),
        Step(
            "Give it a way out",
            "A connection is where actions go: e-mail, HTTP, or the sandbox, which sends nothing.",
            _address("connections"),
            "Add a connection",
            Connection.objects.exists(),
        ),
        Step(
            "Write a play",
            "A play is a way to act that you approve beforehand: its steps, its words, how to undo it.",
            _address("plays"),
            "Write a play",
            Play.objects.exists(),
        ),
        Step(
            "Name an agent",
            "One job, one owner, one metric, its boundaries. It starts in shadow, where it only says what it would do.",
            _address("agent-new"),
            "Create an agent",
            False,
        ),
    ]


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
