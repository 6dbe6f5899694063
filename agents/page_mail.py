"""The mail that tells a person of an incident: what broke, since when, what to do, and why they are the one told."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from agents.aftermath import aftermath
from agents.models import Incident
from approvals.models import Person


def page_mail(incident: Incident, person: Person, *, following: Person | None) -> EmailMultiAlternatives:
    """The message as text and as HTML, times in the person's zone; `following` is told next if nobody takes it."""
    cause = " ".join(incident.cause.split())
    context: dict[str, Any] = {
        "incident": incident,
        "cause": cause,
        "person": person,
        "because": _because(incident, person),
        "following": following,
        "since": aftermath(incident.opened_at, agent=incident.agent, connection_=incident.connection),
        "zone": person.zone,
        "base_url": settings.BASE_URL,
    }
    mail = EmailMultiAlternatives(
        f"[Signalbox] {cause}", render_to_string("incidents/mail.txt", context), to=[person.email]
    )
    mail.attach_alternative(render_to_string("incidents/mail.html", context), "text/html")
    return mail


def _because(incident: Incident, person: Person) -> str:
    agent = incident.agent
    if agent and agent.owner_id == person.pk:
        return f"you own {agent.name}"
    if agent and agent.deputy_id == person.pk:
        return f"you are the deputy for {agent.name}"
    if incident.connection and person.role != "admin":
        return f"an agent of yours uses {incident.connection.name}"
    return "you are an admin"
