"""What a decision is made from: facts about one action, and the document that keeps them with its run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.rules.hours import time_zone


@dataclass(slots=True)
class Facts:
    """
    What is to be decided on; what has a default is unknown until it is given.

    `region`, `segment`: codes; None, like the code "unassigned", is unassigned. `confidence_pct`: 0 to 99. A `risk`
    that is not low, medium or high counts as high; a `stage` that is none of the five is treated as draft. `account`:
    its key. `person`: the keyed hash of whom it reaches, in hex; "" is nobody known. `value` in `currency` (ISO 4217).
    `reversible`: the play names for each step how it is taken back. `at`: the moment it is decided or would go, aware.
    `zone`: IANA name of the recipient's time zone. `fields`: what the source's mapping found besides.
    """

    play: str
    region: str | None
    segment: str | None
    confidence_pct: int
    risk: str
    stage: str
    age_minutes: float = 0.0
    account: str = ""
    person: str = ""
    value: float | None = None
    currency: str = ""
    reversible: bool = False
    at: datetime | None = None
    zone: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


def facts_document(facts: Facts) -> dict[str, Any]:
    """
    The facts as plain JSON, to keep with the run; `facts_of` reads them back.

    Without `fields`: they stay with the signal, as personal data lies in one place only: who reads back gives them.
    """
    return {
        "play": facts.play,
        "region": facts.region,
        "segment": facts.segment,
        "confidence": facts.confidence_pct,
        "risk": facts.risk,
        "stage": facts.stage,
        "age": facts.age_minutes,
        "account": facts.account,
        "person": facts.person,
        "value": facts.value,
        "currency": facts.currency,
        "reversible": facts.reversible,
        "at": facts.at.isoformat() if facts.at else None,
        "zone": facts.zone,
    }


def facts_of(document: Any, fields: Mapping[str, Any] | None = None) -> Facts:
    """The facts that a document keeps, with the signal's `fields`. Total: what is missing or odd is unknown, so that a
    run from before there was a document has a play called "" and the risk high."""
    read = document if isinstance(document, dict) else {}
    return Facts(
        play=_text(read.get("play")),
        region=_text(read.get("region")) or None,
        segment=_text(read.get("segment")) or None,
        confidence_pct=int(known_number(read.get("confidence")) or 0),
        risk=risk if isinstance(risk := read.get("risk"), str) else "high",
        stage=_text(read.get("stage")),
        age_minutes=known_number(read.get("age")) or 0.0,
        account=_text(read.get("account")),
        person=_text(read.get("person")),
        value=known_number(read.get("value")),
        currency=_text(read.get("currency")),
        reversible=read.get("reversible") is True,
        at=_moment(read.get("at")),
        zone=_text(read.get("zone")),
        fields=fields if isinstance(fields, Mapping) else {},
    )


def as_currency(fact: Any) -> str:
    """Three letters in upper case (ISO 4217), or "" for anything else."""
    code = fact.strip() if isinstance(fact, str) else ""
    return code.upper() if len(code) == 3 and code.isascii() and code.isalpha() else ""


def as_zone(fact: Any) -> str:
    """The IANA name of a time zone known here, or "" for anything else."""
    return fact if isinstance(fact, str) and time_zone(fact) is not None else ""


def known_number(value: Any) -> float | None:
    """The number where it is one and finite, else None: not known."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return at if at.tzinfo else None
