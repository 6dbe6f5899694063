"""
Pauses: closing a section so that nothing in it passes the gate once the pause has committed (I2), opening it again at
once or in stages, and drilling it. What a pause closes, and the gate's side: `agents.sections`.

Each change takes the section's one exclusive lock, waiting at most 3 s, then django.db.OperationalError is raised and
nothing is changed. Held actions are let go after the commit, in batches that the sweeper finishes where a process dies
(`agents.held`).
"""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents import deadlines, held, reach
from agents.models import Pause
from agents.sections import Lock, Section, Standing, standing, take_shared
from approvals.models import Person
from audit.entries import Line, record

__all__ = [
    "STAGES", "Lock", "Section", "Standing", "drill", "extend", "in_flight", "lift", "lift_due", "set_pause", "stage",
    "standing", "take_shared",
]  # fmt: skip

STAGES = (10, 50)
"""The shares, in per cent of runs, by which a section is opened before it is wholly open."""


def set_pause(
    section: Section, *, reason: str, actor: str, person: Person | None = None, until: datetime | None = None
) -> Pause:
    """Close a section. Once this returns, nothing in it passes the gate anywhere; what is in flight goes on."""
    with transaction.atomic():
        waited = _close(section)
        pause = _made(section, reason=reason, person=person, until=until, lock_ms=waited)
        record(_line("pause.set", pause, section, actor, reason=reason, until=until, in_flight=len(pause.in_flight)))
    return pause


def drill(section: Section, *, actor: str, person: Person | None = None, reason: str = "Drill") -> Pause:
    """
    All that a pause does but closing: counts what it would hold and tell, takes the lock, lets it go again.

    The result is kept as a pause that never stood; when nothing of what was in flight is left, its `quiet_at` says so.
    """
    found = reach.blast(section)
    with transaction.atomic():
        waited = _close(section)
        pause = _made(section, reason=reason, person=person, lock_ms=waited, is_drill=True, found=found.document)
        record(
            _line("pause.drilled", pause, section, actor, reason=reason, lock_ms=round(waited), **found.counts),
        )
    return pause


def stage(pause: Pause, *, share: int, actor: str, why: str = "") -> bool:
    """
    Let `share` per cent of its runs through, 0 to 99, and keep the rest: on, or back. False: it no longer stands.

    Back takes hold as a pause does: once this returns, nothing beyond the share passes the gate.
    """
    section = Section.of(pause)
    with transaction.atomic():
        _close(section)
        now = Pause.objects.standing().select_for_update(of=("self",)).filter(pk=pause.pk).first()
        if now is None:
            return False
        if share == now.share:
            return True
        changes: dict[str, Any] = {"share": share}
        if share < now.share:
            changes |= {"closed_at": timezone.now(), "in_flight": _attempts(section), "quiet_at": None}
        Pause.objects.filter(pk=pause.pk).update(**changes)
        if share > now.share:
            deadlines.thaw(now, actor=actor, turns=(now.share, share))
        record(_line("pause.staged", pause, section, actor, share=share, before=now.share, why=why))
    pause.share = share
    held.let_go(pause.pk, actor=actor)
    return True


def extend(pause: Pause, until: datetime | None, *, actor: str, why: str = "") -> bool:
    """Have it resume by itself at another time, or (None) only by hand. False: it no longer stands."""
    section = Section.of(pause)
    with transaction.atomic():
        _close(section)
        now = Pause.objects.standing().select_for_update(of=("self",)).filter(pk=pause.pk).first()
        if now is None:
            return False
        Pause.objects.filter(pk=pause.pk).update(until=until)
        record(_line("pause.extended", pause, section, actor, until=until or "never", before=now.until, why=why))
    pause.until = until
    return True


def lift(pause: Pause, *, actor: str, person: Person | None = None, why: str = "") -> bool:
    """
    Open a section again and let go what this pause held; other pauses hold on at the gate. False: already lifted.

    Takes the pauser's lock, so that no gate still marking actions as held is overlooked.
    """
    section = Section.of(pause)
    with transaction.atomic():
        _close(section)
        now = Pause.objects.select_for_update().filter(pk=pause.pk, lifted_at=None).first()
        if now is None:
            return False
        Pause.objects.filter(pk=pause.pk).update(lifted_at=timezone.now(), lifted_by=person)
        deadlines.thaw(now, actor=actor, turns=(now.share, 100))
        record(_line("pause.lifted", pause, section, actor, released=held.kept(pause.pk), why=why))
    held.let_go(pause.pk, actor=actor)
    return True


def lift_due(*, actor: str) -> int:
    """Lift every pause whose time is up; how many."""
    due = Pause.objects.filter(lifted_at=None, until__lte=timezone.now()).with_parts()
    return sum(lift(pause, actor=actor, why="its time was up") for pause in due)


def in_flight(section: Section) -> int:
    """Actions of the section that passed the gate before and are not settled. "Paused" may be said when it is 0."""
    return reach.now(section, "sending").in_flight


def _close(section: Section) -> float:
    """Take the section's lock until the transaction ends; the milliseconds it took."""
    begun = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '3s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", list(section.lock))
    return round((time.perf_counter() - begun) * 1000, 2)


def _made(section: Section, *, is_drill: bool = False, **given: Any) -> Pause:
    at, flight = timezone.now(), _attempts(section)
    return Pause.objects.create(
        agent=section.agent,
        region=section.region,
        segment=section.segment,
        play=section.play,
        connection=section.connection,
        set_by=given.pop("person"),
        set_at=at,
        closed_at=at,
        in_flight=flight,
        quiet_at=None if flight else at,
        is_drill=is_drill,
        lifted_at=at if is_drill else None,
        **given,
    )


def _attempts(section: Section) -> list[UUID]:
    """The attempts of the section under way now: as many as its connections have slots, at most."""
    where, values = section.where()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT attempt FROM agents_action WHERE state = 'sending' AND {where}", values)  # noqa: S608
        return [row[0] for row in cursor.fetchall() if row[0]]


def _line(verb: str, pause: Pause, section: Section, actor: str, **more: Any) -> Line:
    detail = {**section.detail, **{key: _plain(value) for key, value in more.items() if value not in (None, "")}}
    return Line(
        verb=verb,
        subject=f"pause:{pause.pk}",
        actor=actor,
        agent=detail.get("agent", ""),
        region=detail.get("region", ""),
        segment=detail.get("segment", ""),
        detail=detail,
    )


def _plain(value: Any) -> Any:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
