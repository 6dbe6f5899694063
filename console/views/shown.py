"""What several pages say of a change: who was first, and in which row of a form a fault belongs."""

from django.http import HttpRequest, HttpResponse

from agents.changes.seen import ChangedSince
from agents.rules.errors import SpecError
from approvals.models import Person
from console.views import page

HANDS = {"cli": "The command line", "worker": "Signalbox"}
"""Who changes things and is no person."""


def changed_since(request: HttpRequest, error: ChangedSince) -> HttpResponse:
    """412, naming who changed it first."""
    kind, _, key = error.actor.partition(":")
    person = Person.objects.filter(pk=key).first() if kind == "person" and key.isdigit() else None
    who = person.name if person else HANDS.get(error.actor.partition(":")[0], "Someone")
    text = "Nothing of yours was saved. Open it again to see how it is now, then make your change."
    return page.trouble(request, status=412, title=f"{who} changed this while you had it open", text=text)


def in_words(error: SpecError) -> list[str]:
    """Each fault with its place and mend, for where no row of a form holds it."""
    return [f"{fault.where}: {fault.what}. {fault.mend}" for fault in error.faults]
