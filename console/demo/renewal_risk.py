"""Renewal risk: in shadow, it says what it would have done."""

from typing import Any

from console.demo.spec import criterion, fact

AGENT: dict[str, Any] = {
    "slug": "renewal-risk",
    "name": "Renewal risk",
    "job": "Notice customers who may not renew early enough that a person can still do something about it.",
    "owner": "lena",
    "deputy": "marcus",
    "stage": "shadow",
    "scorecard": {
        "criteria": [
            criterion(
                "usage", "Uses it a third less than before", "intent", 25, fact("signal.usage_change", "lte", -33)
            ),
            criterion("champion", "Their champion left", "intent", 20, fact("signal.type", "eq", "champion.left")),
            criterion("near", "Renews within 90 days", "recency", 20, fact("signal.days_to_renewal", "lte", 90)),
            criterion("worth", "Worth 50,000 a year or more", "fit", 15, fact("signal.arr", "gte", 50000)),
            criterion("tickets", "Three or more open tickets", "intent", 15, fact("signal.open_tickets", "gte", 3)),
            criterion("again", "Warned before this month", "recency", 5, fact("history.signals_30d", "gte", 1)),
        ],
        "threshold": 35,
        "confidence_offset": 0.2,
    },
    "choices": [
        {"play": "executive-check-in", "min_score": 60, "when": fact("signal.arr", "gte", 50000)},
        {"play": "csm-task", "min_score": 35, "when": None},
    ],
    "policy": {
        "clauses": [
            {
                "id": "unsure",
                "say": "never",
                "below_confidence": 35,
                "note": "a wrong alarm costs a customer's patience",
            },
            {"id": "no-team", "say": "never", "regions": ["apac"], "note": "there is no renewals team in APAC yet"},
            {
                "id": "check-ins",
                "say": "ask",
                "plays": ["executive-check-in"],
                "note": "an executive's name stands under it",
            },
            {"id": "tasks", "say": "alone", "plays": ["csm-task"], "min_confidence": 50},
        ],
        "limits": {"hourly": 60, "daily": 400},
        "contact_lock_hours": 72,
        "max_signal_age_minutes": 1440,
    },
    "metric": {
        "name": "Renewals saved",
        "outcome": "renewed",
        "target": 40,
        "window_days": 90,
        "acceptable_failure_rate": 3,
    },
    "routes": [
        {"source": "customer-desk", "types": ["usage.dropped", "champion.left", "ticket.escalated", "invoice.overdue"]}
    ],
}
