"""Incidents, and the paging of owner, then deputy, then admins, by its own mail, never through a connection."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents.models import Agent, Connection, Incident, Page
from agents.page_mail import page_mail
from approvals.models import Person, Role
from audit.entries import Line, record
from audit.ids import floor_id

log = logging.getLogger(__name__)

NEXT_AFTER = timedelta(minutes=10)
"""How long each person has before the next one is told."""
AGAIN_AFTER = timedelta(hours=1)
"""How long it rests before somebody who was told already is told again: until someone takes it."""
GOOD_WITHIN = timedelta(days=30)
GOOD_AMONG = 10_000


def open_incident(
    kind: str, cause: str, *, actor: str, agent: Agent | None = None, connection_: Connection | None = None
) -> Incident:
    """
    Open the one incident of this kind for this agent or connection, or count another occurrence of it.

    The first occurrence makes it due for paging at once; a repeat tells nobody anew. A connection's cause holds the far
    side's words, so its entry goes without.
    """
    now = timezone.now()
    with transaction.atomic():
        incident, opened = _open(kind, agent, connection_, cause, now)
        if opened:
            record(_line("incident.opened", incident, actor, cause="" if connection_ else cause))
    return incident


def _open(
    kind: str, agent: Agent | None, connection_: Connection | None, cause: str, now: Any
) -> tuple[Incident, bool]:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO agents_incident AS i (kind, agent_id, connection_id, cause, count, state, opened_at, last_at, "
            "next_page_at, pages_sent) VALUES (%s, %s, %s, %s, 1, 'triggered', %s, %s, %s, 0) "
            "ON CONFLICT (kind, agent_id, connection_id) WHERE NOT state = 'resolved' "
            "DO UPDATE SET count = i.count + 1, last_at = excluded.last_at RETURNING id, count",
            [kind, agent.pk if agent else None, connection_.pk if connection_ else None, cause[:300], now, now, now],
        )
        id_, count = cursor.fetchone()
    incident = Incident.objects.select_related("agent", "connection").get(pk=id_)
    if count == 1 and agent is not None:
        Incident.objects.filter(pk=id_).update(last_good_run=_last_good_run(agent, now))
    return incident, count == 1


def _last_good_run(agent: Agent, now: datetime) -> UUID | None:
    """The newest run that delivered something, of the agent's last GOOD_AMONG in the last GOOD_WITHIN."""
    floor = floor_id(now - GOOD_WITHIN)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id FROM (SELECT id FROM agents_run WHERE agent_id = %s AND id >= %s ORDER BY id DESC LIMIT %s) r "
            "WHERE EXISTS (SELECT FROM agents_action a WHERE a.run_id = r.id AND a.id >= %s AND a.state = 'delivered') "
            "ORDER BY r.id DESC LIMIT 1",
            [agent.pk, floor, GOOD_AMONG, floor],
        )
        found = cursor.fetchone()
    return found[0] if found else None


def take(incident: Incident, *, person: Person) -> bool:
    """Take it on: nobody else is paged. False when someone already did; `incident` is then as it is now."""
    with transaction.atomic():
        taken = Incident.objects.filter(pk=incident.pk, state="triggered").update(
            state="taken", taken_by=person, taken_at=timezone.now(), next_page_at=None
        )
        incident.refresh_from_db()
        if taken:
            record(_line("incident.taken", incident, person.actor))
    return bool(taken)


def resolve(incident: Incident, *, person: Person | None, actor: str) -> bool:
    """Close it. False when it already was."""
    with transaction.atomic():
        resolved = (
            Incident.objects.filter(pk=incident.pk)
            .exclude(state="resolved")
            .update(state="resolved", resolved_by=person, resolved_at=timezone.now(), next_page_at=None)
        )
        incident.refresh_from_db()
        if resolved:
            record(_line("incident.resolved", incident, actor))
    return bool(resolved)


def escalate(incident: Incident, *, person: Person) -> None:
    """Have the next one told now instead of when their turn comes."""
    with transaction.atomic():
        Incident.objects.filter(pk=incident.pk, state="triggered").update(next_page_at=timezone.now())
        record(_line("incident.escalated", incident, person.actor))


def chain(incident: Incident) -> list[Person]:
    """Who is told, in order: the owner (of a connection: of the agents that use it), the deputy, the active admins."""
    people: list[Person | None] = []
    agents = agents_of(incident)
    people += [agent.owner for agent in agents]
    people += [agent.deputy for agent in agents]
    people += list(Person.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk"))
    return list(dict.fromkeys(person for person in people if person is not None and person.is_active))


def agents_of(incident: Incident) -> list[Agent]:
    """The agents it concerns: its own, or those that lately used its connection."""
    return [incident.agent] if incident.agent else _users_of(incident.connection)


def page_due() -> int:
    """
    Tell the next person of each incident whose time has come; how many were told.

    The row is claimed before the mail goes and the page is recorded after, so after a crash between the same person is
    told NEXT_AFTER later; a mail that fails is kept as such, and whoever was not told yet is told at once.
    """
    told = 0
    due = Incident.objects.filter(state="triggered", next_page_at__lte=timezone.now()).values_list("pk", flat=True)[:50]
    for pk in due:
        with transaction.atomic():
            incident = (
                Incident.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("agent", "connection")
                .filter(pk=pk, state="triggered", next_page_at__lte=timezone.now())
                .first()
            )
            if incident is None:
                continue
            people, times = chain(incident), _times_told(incident)
            person = _next(people, times)
            incident.pages_sent += 1
            incident.next_page_at = None
            if person is not None:
                times[person.pk] += 1
                following = _next(people, times)
                anew = following is not None and not times[following.pk]
                incident.next_page_at = timezone.now() + (NEXT_AFTER if anew else AGAIN_AFTER)
            incident.save(update_fields=["pages_sent", "next_page_at"])
        if person is not None:
            told += _tell(incident, person, following, anew=anew)
    return told


def next_of(incident: Incident) -> Person | None:
    """Who is told next unless someone takes it; None when there is nobody to tell."""
    return _next(chain(incident), _times_told(incident)) if incident.next_page_at else None


def _times_told(incident: Incident) -> Counter[int]:
    """How often each person was told of it, by id."""
    return Counter(incident.pages.values_list("person_id", flat=True))


def _next(people: list[Person], times: Counter[int]) -> Person | None:
    """The first of those told least often: a new owner at once, and from the top when everybody was told."""
    return min(people, key=lambda person: times[person.pk], default=None)


def _tell(incident: Incident, person: Person, following: Person | None, *, anew: bool) -> int:
    error = kind = ""
    try:
        page_mail(incident, person, following=following).send()
    except Exception as failure:
        log.exception("a page could not be sent")
        error, kind = f"{type(failure).__name__}: {failure}"[:300], kind_of(failure)
    with transaction.atomic():
        Page.objects.create(incident=incident, person=person, sent_at=timezone.now(), error=error)
        record(_line("incident.paged", incident, "worker:paging", person=person.actor, error=kind))
        if error and anew:
            Incident.objects.filter(pk=incident.pk, state="triggered").update(next_page_at=timezone.now())
    return 1


def kind_of(failure: Exception) -> str:
    """The failure's class and SMTP codes: its text may hold addresses."""
    codes: set[int] = set()
    if isinstance(failure, SMTPRecipientsRefused):
        codes = {code for code, _ in failure.recipients.values()}
    elif isinstance(failure, SMTPResponseException):
        codes = {failure.smtp_code}
    return " ".join([type(failure).__name__, *map(str, sorted(codes))])


def _users_of(connection_: Connection | None) -> list[Agent]:
    if connection_ is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT agent_id FROM (SELECT agent_id FROM agents_action a JOIN agents_attempt t "
            "ON t.action_id = a.id WHERE t.connection_id = %s ORDER BY t.id DESC LIMIT 200) AS recent",
            [connection_.pk],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Agent.objects.filter(pk__in=ids).select_related("owner", "deputy").order_by("pk"))


def _line(verb: str, incident: Incident, actor: str, **detail: Any) -> Line:
    if incident.connection:
        detail["connection"] = incident.connection.slug
    return Line(
        verb=verb,
        subject=f"incident:{incident.pk}",
        actor=actor,
        agent=incident.agent.slug if incident.agent else "",
        detail={"kind": incident.kind, **{key: value for key, value in detail.items() if value}},
    )
