import pytest

from agents.rules.errors import SpecError
from agents.rules.scoring import compile_scorecard, short


def criterion(key, weight, field, op="eq", value="yes", kind="fit"):
    return {
        "key": key,
        "label": key.title(),
        "kind": kind,
        "weight": weight,
        "condition": {"field": field, "op": op, "value": value},
    }


SPEC = {
    "criteria": [
        criterion("small", 10, "signal.a"),
        criterion("large", 60, "account.b"),
        criterion("again", 30, "history.signals_7d", "gte", 2, "recency"),
    ],
    "threshold": 60,
    "confidence_offset": 0.1,
}
LAST = [{"run": "r2"}, {"run": "r1"}]


def score(a, b, history, spec=SPEC):
    return compile_scorecard(spec).score({"signal": {"a": a}, "account": {"b": b}, "history": history})


def test_all_known():
    result = score("yes", "yes", {"signals_7d": 1, "last": []})
    assert (result.score, result.confidence_pct, result.confidence, result.reached) == (70, 80, 0.8, True)
    assert [reason["key"] for reason in result.reasons] == ["large", "again", "small"]
    assert result.reasons[1] == {
        "key": "again",
        "label": "Again",
        "kind": "recency",
        "weight": 30,
        "outcome": "not_matched",
        "value": "1",
        "why": "not so: history.signals_7d is at least 2",
    }


def test_missing_lowers_confidence_where_not_matched_does_not():
    known, unknown = score("no", "yes", {"signals_7d": 3}), score(None, "yes", {"signals_7d": 3})
    assert known.score == unknown.score == 90
    assert (known.confidence_pct, unknown.confidence_pct) == (99, 89)
    assert unknown.reasons[2]["outcome"] == "missing"
    assert unknown.reasons[2]["why"] == "not known: signal.a"
    assert score(None, None, {}).confidence_pct == 0


def test_reasons_about_history_cite_the_runs_they_stand_on():
    result = score("yes", "yes", {"signals_7d": 3, "last": LAST})
    assert [reason.get("cites") for reason in result.reasons] == [None, ["r2", "r1"], None]


@pytest.mark.parametrize(
    ("weights", "expected"), [((1, 2), 33), ((2, 1), 67), ((1, 1), 50), ((1, 199), 1), ((1, 200), 0)]
)
def test_scores_are_rounded_half_up(weights, expected):
    spec = {"criteria": [criterion("a", weights[0], "signal.a"), criterion("b", weights[1], "account.b")]}
    assert score("yes", "no", {}, spec).score == expected


def test_confidence_is_cut_and_never_below_zero_or_above_99():
    spec = {**SPEC, "confidence_offset": -1}
    assert score("yes", "yes", {"signals_7d": 3}, spec).confidence_pct == 0
    spec = {"criteria": [criterion("a", 2, "signal.a"), criterion("b", 1, "account.b")], "confidence_offset": 0.5}
    assert score("yes", None, {}, spec).confidence_pct == 99 * 2 // 3


def test_every_fault_is_listed_with_its_place():
    spec = {
        "criteria": [
            {"key": "", "weight": 0, "kind": "mood", "condition": {"field": "a", "op": "?"}},
            criterion("x", 1, "a"),
            criterion("x", True, "a"),
            criterion("x", 2, "a"),
            "what",
        ],
        "threshold": 101,
        "confidence_offset": "much",
    }
    with pytest.raises(SpecError) as caught:
        compile_scorecard(spec)
    assert [fault.where for fault in caught.value.faults] == [
        "criteria[0].key",
        "criteria[0].kind",
        "criteria[0].weight",
        "criteria[0].condition.op",
        "criteria[2].weight",
        "criteria[3].key",
        "criteria[4]",
        "threshold",
        "confidence_offset",
    ]
    for empty in ({}, {"criteria": []}, None):
        with pytest.raises(SpecError):
            compile_scorecard(empty)


def test_facts_are_shown_short():
    assert short("x" * 200) == "x" * 79 + "…"
    assert short([1, 2.5, True, None, "a", "b"]) == "1, 2.5, true, , a, …"
    assert short({"a": 1}) == "…"
    assert len(short(["y" * 70] * 9)) == 80
