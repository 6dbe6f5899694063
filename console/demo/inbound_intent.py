"""Inbound intent: acts alone, and asks where a person should look first."""

from typing import Any

from console.demo.spec import WORK_MAIL, criterion, fact

AGENT: dict[str, Any] = {
    "slug": "inbound-intent",
    "name": "Inbound intent",
    "job": "Answer companies that show they want to buy, within a minute: a mail, or a call when they ask for one.",
    "owner": "lena",
    "deputy": "marcus",
    "stage": "autonomous",
    "scorecard": {
        "criteria": [
            criterion(
                "asked", "Asked to talk", "intent", 25, fact("signal.type", "in", ["Demo Requested", "Contact Sales"])
            ),
            criterion("size", "200 to 5,000 people", "fit", 20, fact("signal.employees", "between", [200, 5000])),
            criterion(
                "senior",
                "Decides, or is close to who does",
                "fit",
                15,
                fact("signal.title", "contains", ["chief", "vp", "head", "director"]),
            ),
            criterion(
                "pricing",
                "Looked at prices",
                "intent",
                15,
                fact("signal.path", "starts", ["/pricing", "/compare", "/demo", "/contact"]),
            ),
            criterion(
                "industry",
                "An industry we serve",
                "fit",
                10,
                fact("signal.industry", "in", ["software", "logistics", "retail", "insurance"]),
            ),
            criterion("stayed", "Stayed 90 seconds or more", "intent", 5, fact("signal.seconds", "gte", 90)),
            criterion("again", "Was here before this week", "recency", 5, fact("history.signals_7d", "gte", 1)),
            WORK_MAIL,
        ],
        "threshold": 50,
        "confidence_offset": 0.1,
    },
    "choices": [
        {
            "play": "sales-call",
            "min_score": 65,
            "when": {
                "all": [
                    fact("signal.type", "in", ["Demo Requested", "Contact Sales"]),
                    fact("history.plays_30d", "lt", 3),
                ]
            },
        },
        {"play": "inbound-sequence", "min_score": 50, "when": fact("history.plays_30d", "lt", 1)},
    ],
    "policy": {
        "clauses": [
            {
                "id": "unsure",
                "say": "never",
                "below_confidence": 40,
                "note": "too little is known to write to a stranger",
            },
            {
                "id": "japan-calls",
                "say": "never",
                "plays": ["sales-call"],
                "regions": ["apac/jp"],
                "note": "calls in Japan go through our partner",
            },
            {
                "id": "enterprise-calls",
                "say": "ask",
                "plays": ["sales-call"],
                "segments": ["enterprise"],
                "note": "a person reads the brief before a large buyer is called",
            },
            {
                "id": "new-market",
                "say": "ask",
                "regions": ["apac"],
                "note": "a new market: the team wants to see each one",
            },
            {
                "id": "sequence",
                "say": "alone",
                "plays": ["inbound-sequence"],
                "regions": ["emea", "amer"],
                "min_confidence": 55,
            },
            {
                "id": "calls",
                "say": "alone",
                "plays": ["sales-call"],
                "regions": ["emea", "amer"],
                "segments": ["mid-market", "smb"],
                "min_confidence": 70,
            },
        ],
        "limits": {"hourly": 400, "daily": 4000},
        "contact_lock_hours": 24,
        "max_signal_age_minutes": 60,
    },
    "metric": {"name": "Meetings booked", "outcome": "meeting", "target": 12, "acceptable_failure_rate": 5},
    "routes": [
        {
            "source": "website",
            "types": ["Pricing Viewed", "Comparison Viewed", "Demo Requested", "Contact Sales", "Guide Downloaded"],
        }
    ],
}
