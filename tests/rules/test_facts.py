"""Facts come back from their document as they were, and from anything else as unknown."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.boundaries import compile_policy
from agents.rules.facts import Facts, as_currency, as_zone, facts_document, facts_of

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])
some_facts = st.builds(
    Facts,
    play=st.text(min_size=1),
    region=st.none() | st.text(min_size=1),
    segment=st.none() | st.text(min_size=1),
    confidence_pct=st.integers(0, 99),
    risk=st.sampled_from(["low", "medium", "high", "extreme"]),
    stage=st.sampled_from(["draft", "autonomous"]),
    age_minutes=st.integers(0, 10**6),
    account=st.text(),
    person=st.text(),
    value=st.none() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False),
    currency=st.sampled_from(["", "EUR"]),
    reversible=st.booleans(),
    at=st.none() | st.datetimes(timezones=zones),
    zone=st.sampled_from(["", "Europe/Berlin"]),
    fields=st.dictionaries(st.text(), json_values),
)


EVERYTHING = compile_policy(
    {
        "clauses": [
            {"id": "a", "say": "alone", "when": "fields.a > value || account == play"},
            {"id": "b", "say": "never", "hours": ["18:00", "08:00"], "days": ["sat"], "accounts": ["x"]},
            {"id": "c", "say": "ask", "min_value": 0, "currency": "EUR", "min_confidence": 10, "regions": ["emea"]},
        ],
        "max_signal_age_minutes": 5,
    }
)


@given(some_facts)
def test_facts_come_back_as_they_were(facts):
    assert facts_of(json.loads(json.dumps(facts_document(facts))), facts.fields) == facts


@given(json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(facts_document(facts_of({})), json_values)))
def test_anything_reads_as_facts(document):
    facts = facts_of(document)
    assert facts_of(facts_document(facts)) == facts
    assert EVERYTHING.decide(replace(facts, stage="autonomous")).verdict in ("alone", "ask", "never")


def test_fields_are_the_signal_s_and_given_by_who_reads_back():
    facts = replace(facts_of({}), fields={"seats": 1})
    assert facts_of(facts_document(facts)).fields == {}
    assert facts_of(facts_document(facts), facts.fields).fields == {"seats": 1}


def test_a_moment_without_a_zone_stays_unknown():
    facts = replace(facts_of({}), stage="autonomous", zone="Europe/Berlin", at=datetime(2026, 1, 1))  # noqa: DTZ001
    kept = facts_of(facts_document(facts))
    night = compile_policy({"clauses": [{"id": "a", "say": "never", "hours": ["23:59", "00:01"]}]})
    assert (kept.at, night.decide(facts).clause, night.decide(kept).clause) == (None, "a", "a")


@pytest.mark.parametrize(
    "value", ["5000", "", [1], {}, True, float("nan"), float("inf"), float("-inf"), 10**400, datetime.now(UTC)]
)
def test_a_value_that_is_no_finite_number_is_unknown(value):
    facts = Facts("call", "emea", "smb", 50, "low", "autonomous", value=value, currency="EUR")
    clauses = [{"min_value": -1}, {"above_value": -1}, {"max_value": 10**6}]
    clauses = [clause | {"currency": "EUR"} for clause in clauses] + [{"when": "value < 1.0"}, {"when": "true"}]
    for clause in clauses:
        sure = clause == {"when": "true"}
        for say, untold in (("alone", sure), ("ask", True), ("never", True)):
            policy = compile_policy({"clauses": [clause | {"id": "a", "say": say}]})
            assert (policy.decide(facts).clause == "a") is untold, (say, clause)
    null = compile_policy({"clauses": [{"id": "a", "say": "alone", "when": "value == null"}]})
    assert null.decide(facts).verdict == "alone"


@pytest.mark.parametrize("risk", ["", "low", "Low", "critical"])
def test_a_risk_is_kept_as_it_is(risk):
    assert facts_of(facts_document(replace(facts_of({}), risk=risk))).risk == risk


def test_nothing_reads_as_the_dangerous_side():
    facts = facts_of({})
    assert (facts.risk, facts.confidence_pct, facts.region, facts.stage) == ("high", 0, None, "")
    assert (facts.value, facts.at, facts.reversible) == (None, None, False)


def test_currencies_and_zones():
    assert [as_currency(x) for x in (" eur ", "US$", "Euro", None, 978, "ﬀe")] == ["EUR", "", "", "", "", ""]
    assert as_zone("Europe/Berlin") == "Europe/Berlin"
    assert [as_zone(x) for x in ("Mars/Olympus", "../../etc/passwd", "", None, 3, "europe/berlin")] == [""] * 6
