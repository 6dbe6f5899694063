"""The document that conditions, scorecards, plays and templates read."""

from __future__ import annotations

from typing import Any

from agents.rules.mapping import Mapped
from agents.rules.reasons import Reason

Facts = dict[str, Any]


def build_document(mapped: Mapped, *, payload: Facts, account: Facts, history: Facts) -> Facts:
    """{"signal", "account", "history"}. `signal` holds the mapped facts under their names (id, type, at, account,
    account_name, person, email, region, segment, value), the extra ones beside them, and the event as received under
    `payload`. Shares its parts with what is given: treat it as read-only."""
    signal: Facts = {
        **mapped.fields,
        "id": mapped.external_id,
        "type": mapped.type,
        "at": mapped.occurred_at.isoformat() if mapped.occurred_at else None,
        "account": mapped.account,
        "account_name": mapped.account_name,
        "person": mapped.person,
        "email": mapped.email,
        "region": mapped.region,
        "segment": mapped.segment,
        "value": mapped.value,
        "payload": payload,
    }
    return {"signal": signal, "account": account, "history": history}


def with_decision(
    document: Facts, *, score: int, confidence_pct: int, play: str | None, reasons: list[Reason]
) -> Facts:
    """The document as templates read it: beside its parts `score`, `confidence` (percent), `play` and `hits`, the keys
    of the criteria that matched, heaviest first."""
    hits = [reason["key"] for reason in reasons if reason["outcome"] == "matched" and reason["weight"]]
    return {**document, "score": score, "confidence": confidence_pct, "play": play, "hits": hits}
