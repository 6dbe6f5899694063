"""What the rules cost on the hot path: `python -m tests.rules.timing` prints microseconds, the best of seven rounds."""

import timeit

from agents.brains.scorecard import ScorecardBrain
from agents.rules.boundaries import Facts, compile_policy
from agents.rules.canonical import identity_hash, payload_hash
from agents.rules.history import facts, fold
from agents.rules.mapping import compile_mapping
from agents.rules.plays import compile_choices
from agents.rules.scoring import compile_scorecard
from agents.rules.templates import compile_payload, compile_text
from agents.rules.times import parse_time
from bench import work

SIX = {
    **dict.fromkeys(("time", "account_name", "person", "value"), None),
    "id": "messageId",
    "type": "event",
    "account": "context.groupId",
    "email": "context.traits.email",
    "region": "context.traits.region",
    "segment": "context.traits.segment",
    "spread": [],
}
SEGMENT_EVENT = {
    "messageId": "m1",
    "type": "track",
    "event": "Trial Started",
    "timestamp": "2026-11-21T09:30:00.000Z",
    "userId": "u1",
    "context": {
        "groupId": "acme",
        "traits": {"email": "ana@acme.example", "region": "emea/dach", "segment": "enterprise", "name": "Ana Ito"},
    },
    "properties": {"plan": "pro", "seats": 12, "page": "/pricing"},
}
CLAUSES = [
    {"id": "n1", "say": "never", "plays": ["gift"]},
    {"id": "n2", "say": "never", "regions": ["emea/dach"], "max_risk": "low", "below_confidence": 20},
    {"id": "q1", "say": "ask", "segments": ["enterprise"], "min_risk": "high"},
    {"id": "q2", "say": "ask", "below_confidence": 60},
    {"id": "a1", "say": "alone", "plays": ["sdr_call"], "min_confidence": 80},
    {"id": "a2", "say": "alone", "plays": ["sequence_enroll", "exec_outreach"], "regions": ["emea", "amer"]},
]


def main() -> None:
    six, default = compile_mapping(SIX, **work.KNOWN), compile_mapping(work.MAPPING, **work.KNOWN)
    segment = compile_mapping({}, format="segment", **work.KNOWN)
    scorecard, choices = compile_scorecard(work.SCORECARD), compile_choices(work.CHOICES)
    payload, brain, policy = compile_payload(work.PAYLOAD), ScorecardBrain(), compile_policy({"clauses": CLAUSES})
    signal = next(iter(work.signals(1)))
    now, state = parse_time(1795000000), None
    for number in range(12):
        state = fold(state, signal=f"s{number}", type="t", at=now, run=f"r{number}", score=1, play="p", agent="a")
    mapped = default.apply(signal)
    document = work.document(mapped, signal, facts(state, now=now))
    thought = brain.decide(document, scorecard=scorecard, choices=choices)
    whole = work.decided(document, thought)
    action = Facts("exec_outreach", "emea/dach", "enterprise", 70, "medium", "autonomous")
    letter = compile_text(
        "Hello {{ signal.person }}, {{ signal.title }} at {{ signal.account }}: {{ score }} {{ play }}"
    )
    filtered = compile_text("Hello {{ signal.person|title }}{% if signal.title %}, {{ signal.title }}{% endif %}")
    body = payload.render(whole)
    work_items = {
        "mapping, 6 fields": lambda: six.apply(SEGMENT_EVENT),
        "mapping, Segment default": lambda: segment.apply(SEGMENT_EVENT),
        "mapping, the bench's signal, 17 keys kept as facts": lambda: default.apply(signal),
        "score, 12 criteria": lambda: scorecard.score(document),
        "play, last of 4": lambda: choices.choose(document, score=40, confidence_pct=50),
        "score + play + history (brain)": lambda: brain.decide(document, scorecard=scorecard, choices=choices),
        "policy, 6 clauses, last fits": lambda: policy.decide(action),
        "payload, 8 fields": lambda: payload.render(whole),
        "text, 5 fields": lambda: letter.render(whole),
        "text, Jinja with a filter and an if": lambda: filtered.render(whole),
        "payload hash": lambda: payload_hash(body),
        "identity hash": lambda: identity_hash(b"k" * 32, "ana@acme.example"),
        "history facts": lambda: facts(state, now=now),
        "history fold": lambda: fold(state, signal="x", type="t", at=now, run="x", score=1, play="p", agent="a"),
    }
    for name, call in work_items.items():
        best = min(timeit.repeat(call, number=5000, repeat=7)) / 5000
        print(f"{best * 1e6:7.2f} µs  {name}")


if __name__ == "__main__":
    main()
