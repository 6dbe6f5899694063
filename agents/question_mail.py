"""The mail that tells a person of questions: what they are, how long each may wait, and one link for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from agents.question_words import sentence
from approvals.models import Approval, Call, Notice, Told
from approvals.models.person import Mails

SHOWN = 20
"""How many of a kind a mail lists; the rest it counts."""
HEADS = {
    Told.Kind.ESCALATED: "Nobody answered: it falls to you",
    Told.Kind.HANDED: "Handed to you",
    Told.Kind.QUERIED: "You are asked something",
    Told.Kind.REPLIED: "Your question was answered",
    Told.Kind.LATE: "Expires soon",
    Told.Kind.ASKED: "Waits for a yes or no",
    Told.Kind.ANEW: "Changed, and asked anew",
    Told.Kind.WITHDRAWN: "No longer asked",
    Told.Kind.PLANTED: "A check, now over",
}
"""Kinds in the order in which a mail has them, most pressing first."""
STILL = {Told.Kind.ASKED, Told.Kind.LATE, Told.Kind.HANDED, Told.Kind.ESCALATED, Told.Kind.QUERIED}
"""What is only worth telling while the question waits."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question in a mail; `call` is what the person was called for, if they were."""

    approval: Approval
    call: Call | None

    @property
    def sentence(self) -> str:
        return " ".join(sentence(self.approval.question).split())

    @property
    def agent(self) -> str:
        return str(self.approval.question["agent"])

    @property
    def waits(self) -> bool:
        return self.approval.state == "waiting"


@dataclass(frozen=True, slots=True)
class Part:
    """What a mail says under one head."""

    head: str
    items: list[Item]

    @property
    def shown(self) -> list[Item]:
        return self.items[:SHOWN]

    @property
    def more(self) -> int:
        return len(self.items) - SHOWN if len(self.items) > SHOWN else 0


def question_mail(notice: Notice, *, now: datetime) -> EmailMultiAlternatives | None:
    """The message as text and as HTML, times in the person's zone; None when nothing of it is worth telling now."""
    parts = _parts(notice, now)
    if not parts:
        return None
    person = notice.person
    context: dict[str, Any] = {
        "person": person,
        "parts": parts,
        "zone": person.zone,
        "base_url": settings.BASE_URL,
        "because": _because(person.mails),
    }
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "signalbox"
    mail = EmailMultiAlternatives(
        f"[Signalbox] {_subject(parts)}",
        render_to_string("inbox/mail.txt", context),
        to=[person.email],
        headers={"Message-ID": f"<{notice.pk}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("inbox/mail.html", context), "text/html")
    return mail


def _parts(notice: Notice, now: datetime) -> list[Part]:
    """What is told, by head; a question stands under the most pressing one only."""
    lines = list(notice.lines.select_related("approval").order_by("approval__expires_at", "approval_id"))
    calls = Call.objects.select_related("by").in_bulk([int(line.key) for line in lines if line.key.isdecimal()])
    seen: set[Any] = set()
    parts = []
    for kind, head in HEADS.items():
        items = []
        for line in lines:
            approval = line.approval
            over = kind in STILL and (approval.state != "waiting" or approval.expires_at <= now)
            if line.kind != kind or approval.pk in seen or over:
                continue
            seen.add(approval.pk)
            items.append(Item(approval, calls.get(int(line.key)) if line.key.isdecimal() else None))
        if items:
            parts.append(Part(head, items))
    return parts


def _subject(parts: Iterable[Part]) -> str:
    first, *others = parts
    if not others and len(first.items) == 1:
        return f"{first.head}: {first.items[0].sentence}"
    counts = [f"{part.head.split(':')[0].lower()} {len(part.items)}" for part in (first, *others)]
    return (counts[0][:1].upper() + counts[0][1:]) + "".join(f", {count}" for count in counts[1:])


def _because(wish: str) -> str:
    return {
        Mails.NOW: "You are mailed at once, and at most every ten minutes",
        Mails.HOURLY: "You are mailed every hour; what is meant for you alone comes at once",
        Mails.DAILY: "You are mailed once a day; what is meant for you alone comes at once",
    }.get(Mails(wish), "You wanted no mails; this one comes because it fell to you")
