"""Boundaries to start from, each a policy that compiles on its own."""

from __future__ import annotations

from typing import Any, NamedTuple


class Preset(NamedTuple):
    """One start: its key, what it is called, and what it lets an agent do, in a sentence."""

    key: str
    title: str
    text: str
    spec: dict[str, Any]


PRESETS = (
    Preset(
        "shadow",
        "Shadow",
        "Nothing goes out: every run is decided and recorded, and that is all.",
        {"clauses": [{"id": "watch", "say": "never", "note": "it only watches"}]},
    ),
    Preset(
        "ask",
        "Ask everything",
        "A person says yes to every action, old signals are left alone.",
        {
            "clauses": [{"id": "every", "say": "ask", "note": "a person reads everything first"}],
            "contact_lock_hours": 24,
            "max_signal_age_minutes": 240,
        },
    ),
    Preset(
        "inbound",
        "Inbound standard",
        "Low risk and sure goes alone by day; the rest asks, high risk two people; the doubtful never goes.",
        {
            "clauses": [
                {"id": "sure", "say": "alone", "max_risk": "low", "min_confidence": 70},
                {"id": "rest", "say": "ask", "max_risk": "medium", "note": "everything else that is worth a look"},
                {"id": "high", "say": "ask", "min_risk": "high", "approvers": 2, "note": "two people for high risk"},
                {"id": "unsure", "say": "never", "below_confidence": 40, "note": "too little is known"},
            ],
            "limits": {"hourly": 50, "daily": 300, "account_daily": 3, "person_daily": 1},
            "contact_lock_hours": 48,
            "max_signal_age_minutes": 120,
            "quiet_hours": [{"hours": ["20:00", "08:00"]}, {"days": ["sat", "sun"]}],
        },
    ),
)
