"""Whether a policy widens: what the clauses say agrees with what deciding shows, on many policies and facts."""

import itertools
from datetime import UTC, datetime

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
WORTH = [(None, ""), *((value, "EUR") for value in (0, 999, 1000, 1001, 5000, 5001)), (9000, "USD")]
CLOCKS = [None, *(datetime(2026, 11, day, hour, tzinfo=UTC) for day in (20, 21, 22) for hour in (3, 8, 12, 18, 23))]
RICHER = [
    Facts(
        play="call",
        region="emea",
        segment="smb",
        confidence_pct=50,
        risk="low",
        stage="autonomous",
        value=value,
        currency=currency,
        at=at,
        zone="UTC",
        account=account,
        reversible=reversible,
        fields=fields,
    )
    for (value, currency), at, account, reversible, fields in itertools.product(
        WORTH, CLOCKS, ("acme", "other"), (True, False), ({"seats": 3}, {"seats": 99}, {})
    )
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


def richer(rng):
    part = {"say": rng.choice(["alone", "alone", "ask", "never"])}
    if rng.random() < 0.5:
        part |= {rng.choice(["min_value", "above_value", "max_value"]): rng.choice([1000, 5000]), "currency": "EUR"}
    if rng.random() < 0.4:
        part["hours"] = rng.choice([["18:00", "08:00"], ["08:00", "18:00"], ["08:00", "24:00"]])
    if rng.random() < 0.2:
        part["days"] = rng.choice([["fri"], ["sat", "sun"]])
    if rng.random() < 0.3:
        part["accounts"] = rng.choice([["acme"], ["acme", "globex"]])
    if rng.random() < 0.3:
        part["reversible"] = rng.choice([True, False])
    if rng.random() < 0.3:
        part["when"] = rng.choice(["fields.seats > 10", "fields.seats > 50"])
    return part


def test_it_never_says_that_something_does_not_widen_which_does(rng):
    """Values, hours, lists and expressions: what deciding shows to widen always counts as widening."""
    shown = told = 0
    for _ in range(250):
        old = [richer(rng) for _ in range(rng.randrange(1, 4))]
        new = [*old, richer(rng)] if rng.random() < 0.5 else [richer(rng) for _ in range(rng.randrange(1, 4))]
        before, after = policy(*old), policy(*new)
        seen = any(after.decide(one).verdict == "alone" != before.decide(one).verdict for one in RICHER)
        said = compare(before, after).widens
        assert said or not seen, (old, new)
        shown, told = shown + seen, told + said
    assert shown <= told < 250
    assert shown > 20


def test_fewer_approvers_and_less_quiet_widen():
    two, one = {**ASK, "approvers": 2}, {**ASK, "regions": ["emea"]}
    assert [part.kind for part in compare(policy(two), policy(ASK)).wider] == ["approvers"]
    assert not widens(policy(two, one), policy(two, one)), "of several that fit, the one that wants most asks"
    assert not widens(policy(ASK), policy(two))
    night, evening = ({"quiet_hours": [{"hours": [start, "08:00"]}]} for start in ("20:00", "18:00"))
    assert widens(policy(ALONE, **evening), policy(ALONE, **night))
    assert not widens(policy(ALONE, **night), policy(ALONE, **evening))


def test_above_five_thousand_ask_and_never_in_germany_after_six_does_not_widen():
    above = {**ASK, "above_value": 5000, "currency": "EUR"}
    late = {**NEVER, "regions": ["emea/de"], "hours": ["18:00", "24:00"]}
    change = compare(policy(ALONE), policy(ALONE, above, late))
    assert (change.widens, change.narrower) == (False, True)


def test_it_agrees_with_deciding_on_every_one_of_many_pairs(rng):
    for _ in range(1500):
        old = [some(rng, "a") for _ in range(rng.randrange(4))]
        new = [*old, some(rng, "b")] if rng.random() < 0.3 else [some(rng, "b") for _ in range(rng.randrange(4))]
        before, after = policy(*old), policy(*new)
        seen = any(after.decide(one).verdict == "alone" != before.decide(one).verdict for one in FACTS)
        assert compare(before, after).widens is seen, (old, new)
