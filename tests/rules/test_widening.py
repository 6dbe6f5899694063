"""Whether a policy widens: what the clauses say agrees with what deciding shows, on many policies and facts."""

import itertools

import pytest

from agents.rules import widening
from agents.rules.boundaries import Facts, compile_policy
from agents.rules.widening import compare

REGIONS = ("emea", "emea/de", "amer", "apac", None)
PLAYS = ("call", "mail")
ALL_PLAYS = (*PLAYS, "note")
RISKS = ("low", "medium", "high")
CONFIDENCES = (0, 10, 40, 69, 70, 99)
FACTS = [
    Facts(play=play, region=region, segment="smb", confidence_pct=confidence, risk=risk, stage="autonomous")
    for play, region, confidence, risk in itertools.product(ALL_PLAYS, REGIONS, CONFIDENCES, RISKS)
]


def policy(*clauses, **rest):
    return compile_policy({"clauses": [{"id": f"c{n}", **one} for n, one in enumerate(clauses)], **rest})


def widens(old, new):
    return compare(old, new).widens


ALONE, ASK, NEVER = {"say": "alone"}, {"say": "ask"}, {"say": "never"}


@pytest.mark.parametrize(
    ("old", "new", "wider", "narrower"),
    [
        ([ASK], [ALONE], True, False),
        ([ALONE], [ASK], False, True),
        ([ALONE], [ALONE], False, False),
        ([ASK], [NEVER], False, False),
        ([], [ASK], False, False),
        ([{**ALONE, "regions": ["emea"]}], [{**ALONE, "regions": ["emea/de"]}], False, True),
        ([{**ALONE, "regions": ["emea/de"]}], [{**ALONE, "regions": ["emea"]}], True, False),
        ([ALONE], [ALONE, {**ASK, "min_risk": "high"}], False, True),
        ([ALONE, {**ASK, "min_risk": "high"}], [ALONE, {**ASK, "min_risk": "medium"}], False, True),
        ([ALONE, {**ASK, "regions": ["emea"]}], [ALONE, {**ASK, "regions": ["amer"]}], True, True),
        ([ALONE, {**ASK, "below_confidence": 50}], [{**ALONE, "min_confidence": 50}], False, False),
        (
            [{**ALONE, "below_confidence": 50}, {**ALONE, "min_confidence": 50}],
            [ALONE],
            False,
            False,
        ),
        ([{**ALONE, "plays": ["call"]}], [{**ALONE, "plays": ["mail"]}], True, True),
        ([{**ALONE, "regions": ["unassigned"]}], [ALONE], True, False),
        ([ALONE], [ALONE, {**ASK, "regions": ["unassigned"]}], False, False),
    ],
)
def test_what_widens_and_what_narrows(old, new, wider, narrower):
    change = compare(policy(*old), policy(*new))
    assert (change.widens, change.narrower) == (wider, narrower)


def test_a_first_policy_widens_where_it_lets_anything_go_alone():
    assert widens(None, policy(ALONE))
    assert not widens(None, policy(ASK, NEVER))


def test_it_names_the_clauses_concerned():
    change = compare(
        policy(ALONE, {**ASK, "regions": ["apac"]}, {**NEVER, "plays": ["call"]}),
        policy(ALONE, {**ASK, "regions": ["apac"], "plays": ["mail"]}),
    )
    assert {(one.now, one.before, one.verdict) for one in change.wider} == {("c0", "c1", "ask"), ("c0", "c2", "never")}


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        ({"limits": {"hourly": 10}}, {"limits": {"hourly": 20}}, True),
        ({"limits": {"hourly": 10}}, {}, True),
        ({}, {"limits": {"hourly": 10}}, False),
        ({"max_signal_age_minutes": 60}, {"max_signal_age_minutes": 90}, True),
        ({"contact_lock_hours": 24}, {"contact_lock_hours": 12}, True),
        ({"contact_lock_hours": 12}, {"contact_lock_hours": 24}, False),
    ],
)
def test_a_looser_limit_widens_where_anything_goes_alone(old, new, wider):
    assert widens(policy(ALONE, **old), policy(ALONE, **new)) is wider
    assert not widens(policy(ASK, **old), policy(ASK, **new))


def test_too_many_pieces_to_be_sure_of_count_as_widening(monkeypatch):
    parts = [{**ASK, "plays": [f"p{n}"], "regions": [f"r{n}"], "min_confidence": n} for n in range(98)]
    old, new = policy(ALONE, *parts), policy(ALONE, *parts, {**ASK, "min_risk": "high"})
    assert not widens(old, new)
    monkeypatch.setattr(widening, "MOST_BOXES", 50)
    assert [one.kind for one in compare(old, new).wider] == ["unsure"]


def some(rng, ids):
    part = {"say": rng.choice(["alone", "alone", "ask", "never"])}
    if rng.random() < 0.5:
        part["plays"] = rng.sample(PLAYS, rng.choice([1, 2]))
    if rng.random() < 0.5:
        part["regions"] = rng.sample(["emea", "emea/de", "amer", "unassigned"], rng.choice([1, 2]))
    if rng.random() < 0.4:
        part["min_confidence"] = rng.choice([10, 40, 70])
    if rng.random() < 0.2:
        part["below_confidence"] = 90
    if rng.random() < 0.4:
        part["min_risk"] = rng.choice(RISKS)
    return part


def test_it_agrees_with_deciding_on_every_one_of_many_pairs(rng):
    for _ in range(1500):
        old = [some(rng, "a") for _ in range(rng.randrange(4))]
        new = [*old, some(rng, "b")] if rng.random() < 0.3 else [some(rng, "b") for _ in range(rng.randrange(4))]
        before, after = policy(*old), policy(*new)
        seen = any(after.decide(one).verdict == "alone" != before.decide(one).verdict for one in FACTS)
        assert compare(before, after).widens is seen, (old, new)
