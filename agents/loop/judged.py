"""What there is to decide on: the facts of one play on one signal, for the agent's boundaries."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from agents.registry import AgentNow, PlayNow, Snapshot
from agents.rules.comparisons import as_number
from agents.rules.facts import Facts, as_currency, as_zone
from agents.rules.scopes import UNASSIGNED

if TYPE_CHECKING:
    from agents.loop.render import Heard


def facts_for(signal: Heard, agent: AgentNow, now: Snapshot, play: PlayNow, confidence_pct: int, at: datetime) -> Facts:
    """What there is to decide on when the agent would do `play` about the signal, at `at`."""
    region, segment, fields = now.regions[signal.region], now.segments[signal.segment].code, signal.fields
    return Facts(
        play=play.slug,
        region=None if region.code == UNASSIGNED else region.code,
        segment=None if segment == UNASSIGNED else segment,
        confidence_pct=confidence_pct,
        risk=play.risk,
        stage=agent.stage,
        age_minutes=max(0.0, (at - signal.received_at).total_seconds() / 60),
        account=signal.account,
        person=signal.contact.hex() if signal.contact else "",
        value=as_number(fields.get("value")),
        currency=as_currency(fields.get("currency")) or region.currency,
        reversible=play.reversible,
        at=at,
        zone=as_zone(fields.get("time_zone")) or region.time_zone,
        fields=fields,
    )
