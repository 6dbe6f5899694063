"""The bench's work as specs, beside a plain Python telling of the same work, and signals for it."""

import math
import random

REGIONS = {"amer", "amer/us", "amer/latam", "emea", "emea/dach", "emea/uki", "apac"}
SEGMENTS = {"enterprise", "mid-market", "smb"}
KNOWN = {"regions": REGIONS, "segments": SEGMENTS}

MAPPING = {
    "time": "ts",
    "region_map": {"us": "amer/us", "dach": "emea/dach", "uki": "emea/uki", "latam": "amer/latam"},
    "segment_map": {"mid_market": "mid-market"},
}


def _criterion(key, weight, field, op, value, kind="fit"):
    return {
        "key": key,
        "label": key.replace("_", " "),
        "kind": kind,
        "weight": weight,
        "condition": {"field": f"signal.{field}", "op": op, "value": value},
    }


SCORECARD = {
    "criteria": [
        _criterion("segment_fit", 14, "segment", "in", ["enterprise", "mid-market"]),
        _criterion("region_covered", 8, "region", "in", ["amer/us", "emea", "emea/dach", "emea/uki"]),
        _criterion("size_200_5000", 12, "employees", "between", [200, 5000]),
        _criterion("industry_fit", 10, "industry", "in", ["software", "fintech", "healthtech", "logistics"]),
        _criterion("title_buyer", 12, "title", "contains", ["vp", "chief", "head", "director"]),
        _criterion("page_intent", 14, "page", "in", ["/pricing", "/demo", "/security", "/integrations"], "intent"),
        _criterion("repeat_visits", 8, "visits_7d", "gte", 3, "intent"),
        _criterion("tech_match", 6, "tech", "in", ["salesforce", "hubspot", "snowflake"]),
        _criterion("source_quality", 4, "source", "in", ["g2", "organic", "referral"], "intent"),
        {
            "key": "known_person",
            "label": "known person",
            "kind": "fit",
            "weight": 6,
            "condition": {"not": {"field": "signal.email", "op": "ends", "value": "@gmail.com"}},
        },
        _criterion("has_open_opp", 3, "open_opp", "eq", True, "intent"),
        _criterion("recent_funding", 3, "funding_months", "lte", 12, "recency"),
    ],
    "confidence_offset": 0.1,
}

CHOICES = [
    {
        "play": "exec_outreach",
        "when": {"field": "signal.segment", "op": "eq", "value": "enterprise"},
        "min_score": 80,
    },
    {"play": "ae_same_minute", "min_score": 80},
    {"play": "sdr_call", "when": {"field": "signal.page", "op": "in", "value": ["/pricing", "/demo"]}},
    {"play": "sequence_enroll"},
]

PLAYS = ("exec_outreach", "ae_same_minute", "sdr_call", "sequence_enroll")

POLICY = {
    "clauses": [
        {"id": "sure", "say": "alone", "min_confidence": 65},
        {"id": "unsure", "say": "ask", "below_confidence": 65},
    ]
}

PAYLOAD = {
    "id": "{{ signal.id }}",
    "account": "{{ signal.account }}",
    "person": "{{ signal.person }}",
    "play": "{{ play }}",
    "score": "{{ score }}",
    "hits": "{{ hits }}",
    "region": "{{ signal.payload.region }}",
    "segment": "{{ signal.payload.segment }}",
}


def signals(count, seed=7):
    """Signals of the bench's shape and spread."""
    pick = random.Random(seed)
    for number in range(count):
        account = f"acct-{pick.randrange(1500):04d}"
        own = pick.random() < 0.85
        yield {
            "id": f"s{number:06d}",
            "account": account,
            "domain": f"{account}.example",
            "person": f"Person {number}",
            "email": f"person.{number}@{account}.example" if own else f"person{number}@gmail.com",
            "title": pick.choice(["VP Sales", "Chief Revenue Officer", "Head of RevOps", "Engineer", "Analyst"]),
            "page": pick.choice(["/pricing", "/demo", "/security", "/integrations", "/blog/agents", "/careers"]),
            "region": pick.choice(["us", "emea", "dach", "uki", "apac", "latam"]),
            "segment": pick.choice(["enterprise", "mid_market", "smb"]),
            "employees": int(math.exp(pick.gauss(6.3, 1.3))),
            "industry": pick.choice(["software", "fintech", "healthtech", "logistics", "retail", "education"]),
            "visits_7d": pick.randrange(9),
            "tech": pick.choice(["salesforce", "hubspot", "snowflake", "none"]),
            "source": pick.choice(["g2", "organic", "referral", "paid", "email"]),
            "open_opp": pick.random() < 0.2,
            "funding_months": pick.randrange(1, 60),
            "ts": 1795000000 + number,
        }


def expected(signal):
    """(score, confidence in percent, play, alone?, body) by hand."""
    buyer = any(word in signal["title"].lower() for word in ("vp", "chief", "head", "director"))
    points = {
        "segment_fit": 14 * (signal["segment"] != "smb"),
        "region_covered": 8 * (signal["region"] not in ("apac", "latam")),
        "size_200_5000": 12 * (200 <= signal["employees"] <= 5000),
        "industry_fit": 10 * (signal["industry"] not in ("retail", "education")),
        "title_buyer": 12 * buyer,
        "page_intent": 14 * (signal["page"] not in ("/blog/agents", "/careers")),
        "repeat_visits": 8 * (signal["visits_7d"] > 2),
        "tech_match": 6 * (signal["tech"] != "none"),
        "source_quality": 4 * (signal["source"] not in ("paid", "email")),
        "known_person": 6 * ("@gmail" not in signal["email"]),
        "has_open_opp": 3 * signal["open_opp"],
        "recent_funding": 3 * (signal["funding_months"] < 13),
    }
    score = sum(points.values())
    if score >= 80:
        play = "exec_outreach" if signal["segment"] == "enterprise" else "ae_same_minute"
    else:
        play = "sdr_call" if signal["page"] in ("/pricing", "/demo") else "sequence_enroll"
    body = {key: signal[key] for key in ("id", "account", "person", "region", "segment")}
    hits = {key for key, value in points.items() if value}
    return score, min(99, score + 10), play, score >= 55, {**body, "play": play, "score": score, "hits": hits}


def sure_signals(count, seed=7):
    """`count` signals that both systems act on alone: those that score 55 or more."""
    for batch in range(seed * 1000, seed * 1000 + 1000):
        for signal in signals(2000, seed=batch):
            if count and expected(signal)[3]:
                count -= 1
                yield signal
        if not count:
            return


def document(mapped, payload, history=None):
    """What the loop makes of a mapped signal for scorecards, conditions and templates."""
    signal = {
        **mapped.fields,
        "id": mapped.external_id,
        "type": mapped.type,
        "account": mapped.account,
        "person": mapped.person,
        "email": mapped.email,
        "region": mapped.region,
        "segment": mapped.segment,
        "payload": payload,
    }
    return {"signal": signal, "account": {"key": mapped.account}, "history": history or {}}


def decided(document, thought):
    """The document as a play's templates read it."""
    hits = [reason["key"] for reason in thought.reasons if reason["outcome"] == "matched" and reason["weight"]]
    return {
        **document,
        "score": thought.score,
        "confidence": thought.confidence_pct,
        "play": thought.play,
        "hits": hits,
    }
