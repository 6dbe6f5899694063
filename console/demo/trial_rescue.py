"""Trial rescue: small help alone, bigger help only when a person agrees."""

from typing import Any

from console.demo.spec import WORK_MAIL, criterion, fact

AGENT: dict[str, Any] = {
    "slug": "trial-rescue",
    "name": "Trial rescue",
    "job": "Help trials that got stuck to their first useful result before the trial ends.",
    "owner": "marcus",
    "deputy": "lena",
    "stage": "autonomous",
    "scorecard": {
        "criteria": [
            criterion("team", "Three or more people use it", "fit", 20, fact("signal.team_size", "gte", 3)),
            criterion(
                "wall",
                "Ran into a limit or the end",
                "intent",
                20,
                fact("signal.type", "in", ["trial.limit_reached", "trial.expiring"]),
            ),
            criterion("result", "Had a first useful result", "intent", 15, fact("signal.first_result", "eq", True)),
            criterion("quiet", "Quiet for three days or more", "recency", 15, fact("signal.days_idle", "gte", 3)),
            criterion("size", "20 people or more", "fit", 15, fact("signal.employees", "gte", 20)),
            criterion("ending", "Ends within five days", "recency", 10, fact("signal.days_left", "lte", 5)),
            WORK_MAIL,
        ],
        "threshold": 35,
        "confidence_offset": 0.15,
    },
    "choices": [
        {
            "play": "extend-trial",
            "min_score": 70,
            "when": {
                "all": [
                    fact("signal.type", "eq", "trial.expiring"),
                    fact("signal.first_result", "eq", True),
                    fact("history.plays_30d", "lt", 3),
                ]
            },
        },
        {
            "play": "rescue-mail",
            "min_score": 45,
            "when": {
                "all": [
                    fact("signal.type", "in", ["trial.stalled", "trial.expiring"]),
                    fact("history.plays_30d", "lt", 2),
                ]
            },
        },
        {"play": "in-app-tip", "min_score": 25, "when": fact("history.plays_30d", "lt", 4)},
    ],
    "policy": {
        "clauses": [
            {
                "id": "prices",
                "say": "never",
                "plays": ["trial-discount"],
                "note": "prices are not the agent's to change",
            },
            {
                "id": "german-mail",
                "say": "never",
                "plays": ["rescue-mail"],
                "regions": ["emea/de"],
                "note": "no mail to trials in Germany without consent",
            },
            {"id": "more-time", "say": "ask", "plays": ["extend-trial"], "note": "giving time away is a person's call"},
            {
                "id": "bigger",
                "say": "ask",
                "plays": ["rescue-mail"],
                "segments": ["enterprise", "mid-market"],
                "note": "bigger customers hear from a person first",
            },
            {"id": "tips", "say": "alone", "plays": ["in-app-tip"]},
            {"id": "small-mail", "say": "alone", "plays": ["rescue-mail"], "segments": ["smb"], "min_confidence": 55},
        ],
        "limits": {"hourly": 300, "daily": 3000},
        "contact_lock_hours": 48,
        "max_signal_age_minutes": 240,
    },
    "metric": {"name": "Trials turned paying", "outcome": "paid", "target": 18, "acceptable_failure_rate": 4},
    "routes": [
        {
            "source": "product",
            "types": ["trial.*"],
            "condition": {"field": "signal.type", "op": "ne", "value": "trial.started"},
        }
    ],
}
