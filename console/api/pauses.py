"""
`/api/v1/pauses`: what is paused, what a pause would stop, setting one, opening it by stages, lifting it.

A section is any of region, segment, agent, play, connection, by code or slug; all given must match. Closing everything
is asked for by `"everything": true`, never by leaving all out.
"""

from datetime import datetime
from typing import Any

from django.db import OperationalError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from agents import access, held, pauses, reach
from agents.models import Agent, Pause
from agents.sections import Section
from agents.tasks import wake
from console.api.endpoint import Endpoint
from console.api.errors import Conflict, Invalid
from console.standing import Held
from console.until import parse_until
from console.views.pause_form import PARTS, staying

BUSY = "Nothing was changed: other work held the lock for three seconds. Try again, or pause a smaller section first."
GIVEN = {*PARTS, "everything", "reason", "until", "drill"}
CHANGED = {"share", "until", "why"}
SHARES = (0, *pauses.STAGES, 100)


class _Pauses(Endpoint):
    """What the addresses of pauses share."""

    verbs = {"GET": access.SEE, "POST": access.PAUSE, "PATCH": access.PAUSE, "DELETE": access.PAUSE}

    def section(self, given: Any, *, everything: bool) -> Section:
        """The section that `given` names; Invalid names each part that does not hold and what there is."""
        found, wrong = dict[str, Any](), dict[str, str]()
        for name, (model, key) in PARTS.items():
            code = given.get(name)
            if code in (None, ""):
                continue
            seen = self.visible(model._default_manager.all())
            one = seen.filter(**{key: code}).first() if _plain(code) else None
            if one is None:
                known = ", ".join(seen.order_by(key).values_list(key, flat=True)[:30])
                wrong[name] = f"There is no {name} {code!r:.80}. There is: {known or 'none that you see'}."
            found[name] = one
        if not wrong and not found and not everything:
            wrong["everything"] = f"Name a section by some of {', '.join(PARTS)}, or send true here to close it all."
        if not wrong and found and everything:
            wrong["everything"] = "Leave it out where a section is named: the two contradict each other."
        if wrong:
            raise Invalid(errors=wrong)
        section = Section(**found)
        self.require(access.PAUSE, section if found else None)
        return section

    def body(self, request: Request, allowed: set[str]) -> dict[str, Any]:
        """The body as an object of these members."""
        if not isinstance(request.data, dict):
            raise Invalid("Send one JSON object.")
        if strange := sorted(set(request.data) - allowed):
            known = ", ".join(sorted(allowed))
            raise Invalid(errors=dict.fromkeys(strange, f"There is no such member; there is: {known}."))
        return request.data


class Pauses(_Pauses):
    """GET lists those in force (`?all=1`: every one there was, drills too); POST sets or drills one."""

    def get(self, request: Request) -> Response:
        rows = self.visible(Pause.objects.with_parts())
        if request.query_params.get("all") != "1":
            rows = rows.filter(pk__in=Pause.objects.standing().values("pk"))
        work = list[reach.Work]()

        def show(pause: Pause) -> dict[str, Any]:
            if not work and not pause.lifted_at:
                work.extend(reach.open_work())
            return shown(pause, reach.reach(Section.of(pause), work))

        return Response(self.page(rows, show))

    def post(self, request: Request) -> Response:
        given = self.body(request, GIVEN)
        section = self.section(given, everything=_yes(given, "everything"))
        person = self.person
        if _yes(given, "drill"):
            made = _having_lock(lambda: pauses.drill(section, actor=person.actor, person=person))
        else:
            reason, until = _text(given, "reason", needed=True), _until(given)
            made = _having_lock(
                lambda: pauses.set_pause(section, reason=reason, actor=person.actor, person=person, until=until)
            )
        there = request.build_absolute_uri(reverse("api-pause", args=[made.pk]))
        now = Pause.objects.with_parts().get(pk=made.pk)
        return Response(shown(now, reach.now(section)), status=201, headers={"Location": there})


class Blast(_Pauses):
    """GET, with a section as parameters: what pausing it would stop now, and what is closed there already."""

    def get(self, request: Request) -> Response:
        given = request.query_params
        section = self.section(given, everything=given.get("everything") == "true")
        closed = staying(section, seen=self.visible(Pause.objects.standing()))
        blast = reach.blast(section, among=self.visible(Agent.objects.all()))
        return Response(
            {
                "section": section.detail,
                "words": section.words,
                **blast.document,
                "at_least": sorted(blast.reach.floor),
                "closed_already": [_stays(one) for one in closed],
            }
        )


class One(_Pauses):
    """One pause or drill: GET, and what it did; PATCH puts off its end or opens it by a share; DELETE lifts it."""

    def get(self, request: Request, pk: int) -> Response:
        return Response(self._whole(self._one(pk)))

    def patch(self, request: Request, pk: int) -> Response:
        pause, given = self._one(pk), self.body(request, CHANGED)
        self.require(access.PAUSE, pause)
        actor, why = self.person.actor, _text(given, "why")
        if not {"share", "until"} & set(given):
            raise Invalid("Send share, until, or both.")
        share, until = given.get("share"), _until(given)
        if "share" in given and (isinstance(share, bool) or share not in SHARES):
            raise Invalid(errors={"share": f"Send one of {', '.join(map(str, SHARES))}, in per cent of runs."})
        stood = True
        if "until" in given:
            stood = _having_lock(lambda: pauses.extend(pause, until, actor=actor, why=why))
        if stood and share == 100:
            stood = self._lift(pause, why)
        elif stood and share is not None:
            stood = _having_lock(lambda: pauses.stage(pause, share=int(share), actor=actor, why=why))
            wake()
        if not stood:
            raise Conflict(_first(self._one(pk)))
        return Response(self._whole(self._one(pk)))

    def delete(self, request: Request, pk: int) -> Response:
        pause = self._one(pk)
        self.require(access.PAUSE, pause)
        if not self._lift(pause, _text(request.query_params, "why")):
            raise Conflict(_first(self._one(pk)))
        return Response(self._whole(self._one(pk)))

    def _lift(self, pause: Pause, why: str) -> bool:
        person = self.person
        lifted: bool = _having_lock(lambda: pauses.lift(pause, actor=person.actor, person=person, why=why))
        wake()
        return lifted

    def _one(self, pk: int) -> Pause:
        return get_object_or_404(self.visible(Pause.objects.with_parts()), pk=pk)

    def _whole(self, pause: Pause) -> dict[str, Any]:
        section, flight, fates = Section.of(pause), held.flight(pause), held.fates(pause)
        stays = staying(section, but=pause.pk, seen=self.visible(Pause.objects.standing()))
        now = reach.now(section) if not pause.lifted_at else reach.Reach()
        return {
            **shown(pause, now),
            "in_flight_then": flight.at_first,
            "quiet_at": flight.quiet_at,
            "unknown_then": flight.unknown,
            "held": {name: getattr(fates, name) for name in fates.__slots__},
            "stays_closed": [_stays(one) for one in stays],
            "found": pause.found if pause.is_drill else None,
        }


def shown(pause: Pause, now: reach.Reach) -> dict[str, Any]:
    """A pause as the API shows it; `state` is `paused` only once nothing that passed the gate before is under way."""
    state = "drill" if pause.is_drill else "over" if pause.lifted_at else Held(pause, now).state
    return {
        "id": pause.pk,
        "section": Section.of(pause).detail,
        "words": str(pause),
        "state": state,
        "share": 100 if pause.lifted_at else pause.share,
        "reason": pause.reason,
        "set_by": pause.set_by.email if pause.set_by else None,
        "set_at": pause.set_at,
        "until": pause.until,
        "lifted_by": pause.lifted_by.email if pause.lifted_by else None,
        "lifted_at": pause.lifted_at,
        "lock_ms": pause.lock_ms,
        "now": now.counts,
        "page": reverse("pause", args=[pause.pk]),
    }


def _stays(one: Any) -> dict[str, Any]:
    named = {"section": one.part.detail, "by": one.pause.pk} if one.seen else {"section": None, "by": None}
    return {**named, "words": one.what, "whole": one.whole}


def _having_lock(change: Any) -> Any:
    try:
        return change()
    except OperationalError:
        raise Conflict(BUSY) from None


def _first(pause: Pause) -> str:
    by = pause.lifted_by.name if pause.lifted_by else "Its end"
    return f"{pause} already goes on: {by} resumed it at {(pause.lifted_at or pause.until):%Y-%m-%dT%H:%M:%SZ}."


def _yes(given: Any, name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise Invalid(errors={name: "Send true or false."})
    return value


def _plain(value: Any) -> bool:
    """Whether it is text that the database can hold."""
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def _text(given: Any, name: str, *, needed: bool = False) -> str:
    text = given.get(name, "")
    if not _plain(text) or len(text) > 300 or (needed and not text.strip()):
        raise Invalid(errors={name: "Say why, in at most 300 characters: everybody reads it."})
    return text.strip()


def _until(given: Any) -> datetime | None:
    text = given.get("until")
    if text is None:
        return None
    if not isinstance(text, str) or not text.strip():
        raise Invalid(errors={"until": "Send text such as 2h, 3d or 2026-11-30T09:00, or null for no end."})
    try:
        return parse_until(text)
    except ValueError as fault:
        raise Invalid(errors={"until": str(fault)}) from None
