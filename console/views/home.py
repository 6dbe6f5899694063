"""Home: what is in production, with whose name next to it, and is it working."""

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from agents import access
from agents.models import Agent, Connection, Play, Source, Stage
from console.views import page
from console.views.roster import STATES, roster


class Step(NamedTuple):
    """One thing to do before an agent can work."""

    title: str
    text: str
    href: str
    """Where to do it, or to look at what is done; "" for who may neither."""
    action: str
    done: bool


def home(request: HttpRequest) -> HttpResponse:
    """Every agent but the retired; `?owner= ?stage= ?state=` filter, `?order=` holds the order while it polls."""
    found = roster(request, access.visible(request.user, Agent.objects.exclude(stage=Stage.RETIRED)))
    at_work = [row for row in found.all if row.agent.stage != Stage.DRAFT]
    context = {
        "roster": found,
        "at_work": at_work,
        "steps": [] if at_work or not access.may(request.user, access.SEE, Source) else first_steps(request.user),
        "everywhere": access.reach(request.user, access.SEE).everywhere,
        "stages": [choice for choice in Stage.choices if choice[0] != Stage.RETIRED],
        "states": STATES,
        "delivered": found.lately.count("delivered"),
        "refused": found.lately.count("refused"),
        "failed": found.lately.count("failed", "unknown"),
        "asked": sum(row.waiting.count for row in found.all if row.waiting),
    }
    return page.render(request, "home/home.html", context, fragment="board")


def first_steps(person: Any) -> list[Step]:
    """From an empty Signalbox to an agent in shadow, each with whether it is done."""

    def step(verb: str, title: str, text: str, page: str, action: str, done: bool) -> Step:
        return Step(title, text, reverse(page) if done or access.may(person, verb) else "", action, done)

    return [
        step(
            access.CONNECT,
            "Let signals in",
            "A source has a key and says how to read what your site or product sends.",
            "sources",
            "Add a source",
            Source.objects.exists(),
        ),
        step(
            access.CONNECT,
            "Give it a way out",
            "A connection is where actions go: e-mail, HTTP, or the sandbox, which sends nothing.",
            "connections",
            "Add a connection",
            Connection.objects.exists(),
        ),
        step(
            access.BUILD,
            "Write a play",
            "A play is a way to act that you approve beforehand: its steps, its words, how to undo it.",
            "plays",
            "Write a play",
            Play.objects.exists(),
        ),
        step(
            access.BUILD,
            "Name an agent",
            "One job, one owner, one metric, its boundaries. It starts in shadow, where it only says what it would do.",
            "agent-new",
            "Create an agent",
            False,
        ),
    ]
