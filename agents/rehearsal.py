"""Trying out: what a scorecard, plays, boundaries or routes would make of signals already received. Writes nothing."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from agents.brains.contract import Thought
from agents.brains.scorecard import ScorecardBrain
from agents.loop.handle import document_of
from agents.loop.render import Heard
from agents.models import Account, Play, Region, Route, Segment, Signal, Stage
from agents.registry import RouteNow, ScopeNow, Snapshot, compile_route
from agents.rules import history
from agents.rules.boundaries import Decision, Facts, Policy
from agents.rules.comparisons import as_number
from agents.rules.errors import SpecError
from agents.rules.facts import as_currency, as_zone
from agents.rules.plays import PlayChoices
from agents.rules.scopes import UNASSIGNED
from agents.rules.scoring import Scorecard

LOOKED_AT = 200
"""How many of the newest signals are looked through for some that the routes hear."""
BRAIN = ScorecardBrain()


class Past(NamedTuple):
    """A signal received, as scorecards and conditions read it; its account's history is that of now."""

    signal: Signal
    document: dict[str, Any]


class Tried(NamedTuple):
    """What would come of one signal. `decision` is None where no play is chosen."""

    signal: Signal
    thought: Thought
    decision: Decision | None


def received(signals_: QuerySet[Signal], *, limit: int = LOOKED_AT) -> list[Past]:
    """The newest of these signals with their documents, newest first; five statements for any number."""
    signals = list(signals_.select_related("source").order_by("-id")[:limit])
    scopes = Snapshot(0, regions=_scopes(Region), segments=_scopes(Segment))
    accounts = dict(
        Account.objects.filter(key__in={signal.account for signal in signals}).values_list("key", "history")
    )
    return [Past(one, _document(one, scopes, accounts.get(one.account) or {})) for one in signals]


def heard(pasts: Sequence[Past], routes: Sequence[RouteNow]) -> list[Past]:
    """Those that one of `routes` hears."""
    return [
        past
        for past in pasts
        if any(route.hears(past.signal.source_id, past.signal.type, past.document) for route in routes)
    ]


def compiled_routes(routes: Sequence[Route]) -> list[RouteNow]:
    """Active routes, ready to hear; one that is faulty hears nothing."""
    out = []
    for route in routes:
        try:
            if route.is_active:
                out.append(compile_route(route.agent_id, route.source_id, route.types, route.condition))
        except SpecError:
            continue
    return out


def rehearse(
    pasts: Sequence[Past],
    *,
    scorecard: Scorecard,
    choices: PlayChoices,
    policy: Policy | None = None,
    stage: str = Stage.AUTONOMOUS,
) -> list[Tried]:
    """Score each, choose a play, and ask the boundaries, as though it came in now to an agent in `stage`. Whether a
    play can be taken back is not known here, so it counts as one that can't."""
    risks = dict(Play.objects.values_list("slug", "risk"))
    local = {code: more for code, *more in Region.objects.values_list("code", "currency", "time_zone")}
    out = []
    for past in pasts:
        thought = BRAIN.decide(past.document, scorecard=scorecard, choices=choices)
        decision = None
        if thought.play and policy is not None:
            region, segment = past.document["signal"]["region"], past.document["signal"]["segment"]
            fields, (currency, zone) = past.signal.fields, local.get(region, ("", ""))
            decision = policy.decide(
                Facts(
                    play=thought.play,
                    region=None if region == UNASSIGNED else region,
                    segment=None if segment == UNASSIGNED else segment,
                    confidence_pct=thought.confidence_pct,
                    risk=risks.get(thought.play, "high"),
                    stage=stage,
                    account=past.signal.account,
                    person=bytes(past.signal.contact).hex() if past.signal.contact else "",
                    value=as_number(fields.get("value")),
                    currency=as_currency(fields.get("currency")) or currency,
                    at=timezone.now(),
                    zone=as_zone(fields.get("time_zone")) or zone,
                    fields=fields,
                )
            )
        out.append(Tried(past.signal, thought, decision))
    return out


def known_fields(pasts: Sequence[Past]) -> list[str]:
    """Paths that these signals have values for, for a form to suggest."""
    found = {f"signal.{name}" for past in pasts for name, value in past.document["signal"].items() if _plain(value)}
    found |= {f"history.{name}" for name in history.facts({}, now=pasts[0].signal.received_at)} if pasts else set()
    return sorted(found - {"history.last", "signal.id", "signal.at"})


def _plain(value: Any) -> bool:
    return value is not None and not isinstance(value, dict | list)


def _document(signal: Signal, scopes: Snapshot, state: dict[str, Any]) -> dict[str, Any]:
    one = Heard(
        signal.pk,
        signal.source_id,
        signal.external_id,
        signal.type,
        signal.occurred_at,
        signal.received_at,
        signal.account,
        signal.account_name,
        signal.person,
        signal.email,
        bytes(signal.contact) if signal.contact else None,
        signal.region_id,
        signal.segment_id,
        signal.fields,
        bytes(signal.payload),
        signal.is_demo,
    )
    return document_of(one, scopes, history.facts(state, now=signal.received_at))


def _scopes(model: type[Region] | type[Segment]) -> dict[int, ScopeNow]:
    return {pk: ScopeNow(pk, code, name, (pk,)) for pk, code, name in model.objects.values_list("pk", "code", "name")}
