import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.comparisons import as_number
from agents.rules.conditions import compile_condition
from agents.rules.errors import SpecError


def outcome(fact, op, value=None):
    return compile_condition({"field": "f", "op": op, "value": value}).outcome({} if fact is ... else {"f": fact})


@pytest.mark.parametrize(
    ("fact", "op", "value", "expected"),
    [
        ("enterprise", "eq", "Enterprise ", "matched"),
        ("smb", "eq", "enterprise", "not_matched"),
        ("1200", "eq", 1200, "matched"),
        (1200, "eq", "1200", "matched"),
        (1200.0, "eq", "1200", "matched"),
        (1, "eq", True, "not_matched"),
        (True, "eq", 1, "not_matched"),
        ("TRUE", "eq", True, "matched"),
        ("false", "eq", False, "matched"),
        ("yes", "eq", True, "not_matched"),
        (False, "eq", False, "matched"),
        (..., "eq", "x", "missing"),
        (None, "eq", "x", "missing"),
        ("", "eq", "x", "missing"),
        (0, "eq", 0, "matched"),
        ("smb", "ne", "enterprise", "matched"),
        (..., "ne", "enterprise", "missing"),
        ("us", "in", ["US", "uki"], "matched"),
        ("3", "in", [1, 2, 3], "matched"),
        ("true", "in", [True], "matched"),
        (1, "in", [True], "not_matched"),
        (["a", "b"], "in", ["b"], "matched"),
        ("fr", "not_in", ["us"], "matched"),
        (..., "not_in", ["us"], "missing"),
        ("1200", "gt", 1000, "matched"),
        ("1200", "gt", "1000", "matched"),
        (1000, "gt", 1000, "not_matched"),
        (1000, "gte", 1000, "matched"),
        (999.5, "lt", 1000, "matched"),
        (1000, "lte", 1000, "matched"),
        ("n/a", "gte", 1, "missing"),
        ("1,200", "gte", 1, "missing"),
        ("1_200", "gte", 1, "missing"),
        ("nan", "gte", 1, "missing"),
        ("inf", "gte", 1, "missing"),
        (True, "gte", 1, "missing"),
        (200, "between", [200, 5000], "matched"),
        (5000, "between", [200, 5000], "matched"),
        (5001, "between", [200, 5000], "not_matched"),
        ("VP Sales", "contains", ["vp", "chief"], "matched"),
        ("Engineer", "contains", "vp", "not_matched"),
        (["Trial", "paid"], "contains", "trial", "matched"),
        ({"a": 1}, "contains", "a", "not_matched"),
        ("/pricing/eu", "starts", "/pricing", "matched"),
        ("Ana@Gmail.com", "ends", ["@gmail.com", "@gmx.de"], "matched"),
        ("ana@acme.example", "matches_any", ["*@acme.*", "root@*"], "matched"),
        ("ana@other.example", "matches_any", ["*@acme.*"], "not_matched"),
        ("aba", "matches_any", ["ab*ba"], "not_matched"),
        ("abba", "matches_any", ["ab*ba"], "matched"),
        ("xaybz", "matches_any", ["x*a*b*z"], "matched"),
        ("x", "exists", None, "matched"),
        ("", "exists", True, "not_matched"),
        (0, "exists", True, "matched"),
        (..., "exists", True, "not_matched"),
        (..., "exists", False, "matched"),
    ],
)
def test_each_op(fact, op, value, expected):
    assert outcome(fact, op, value) == expected


LEAVES = {
    "matched": {"field": "yes", "op": "eq", "value": True},
    "not_matched": {"field": "yes", "op": "eq", "value": False},
    "missing": {"field": "absent", "op": "eq", "value": 1},
}
RANK = {"not_matched": 0, "missing": 1, "matched": 2}


@given(st.lists(st.sampled_from(list(LEAVES)), min_size=1, max_size=6))
def test_groups_are_three_valued(outcomes):
    parts = [LEAVES[o] for o in outcomes]
    document = {"yes": True}
    worst, best = min(outcomes, key=RANK.__getitem__), max(outcomes, key=RANK.__getitem__)
    assert compile_condition({"all": parts}).outcome(document) == worst
    assert compile_condition({"any": parts}).outcome(document) == best
    flipped = {"matched": "not_matched", "not_matched": "matched", "missing": "missing"}
    assert compile_condition({"not": {"all": parts}}).outcome(document) == flipped[worst]


def test_the_fact_that_decided_is_told():
    condition = compile_condition(
        {"all": [{"field": "a", "op": "gt", "value": 1}, {"field": "b", "op": "eq", "value": "x"}]}
    )
    assert condition.probe({"a": 5, "b": "y"}) == ("not_matched", "y")
    assert condition.words == "a is above 1 and b is x"
    assert condition.fields == ("a", "b")


def test_every_fault_is_listed_with_its_place():
    spec = {
        "all": [
            {"field": "a[", "op": "between", "value": [9, 1]},
            {
                "any": [
                    {"field": "b", "op": "regex", "value": "(a+)+$"},
                    {"not": {"field": "", "op": "eq", "value": ""}},
                ]
            },
            {"field": "c", "op": "in", "value": "x", "extra": 1},
        ]
    }
    with pytest.raises(SpecError) as caught:
        compile_condition(spec, where="criteria[0].condition")
    places = [fault.where.removeprefix("criteria[0].condition") for fault in caught.value.faults]
    assert places == [
        ".all[0].field",
        ".all[0].value",
        ".all[1].any[0].op",
        ".all[1].any[1].not.field",
        ".all[1].any[1].not.value",
        ".all[2]",
        ".all[2].value",
    ]


@pytest.mark.parametrize("spec", [None, [], {}, {"all": []}, {"any": "x"}, {"all": [LEAVES["matched"]], "op": "eq"}])
def test_what_is_not_a_condition_is_refused(spec):
    with pytest.raises(SpecError):
        compile_condition(spec)


def test_a_very_deep_group_is_refused_not_overflowed():
    spec = LEAVES["matched"]
    for _ in range(5000):
        spec = {"not": spec}
    with pytest.raises(SpecError):
        compile_condition(spec)


def test_hostile_patterns_take_no_time():
    condition = compile_condition({"field": "f", "op": "matches_any", "value": ["*a" * 200 + "b"]})
    begun = time.perf_counter()
    assert condition.outcome({"f": "a" * 100_000}) == "not_matched"
    assert time.perf_counter() - begun < 1


@given(st.one_of(st.integers(), st.floats(allow_nan=True), st.text(max_size=50), st.none(), st.lists(st.integers())))
def test_any_fact_under_any_op_gives_one_of_three_outcomes(fact):
    for op, value in [("eq", 1), ("in", ["a", 2, True]), ("gt", 0), ("contains", "a"), ("matches_any", ["a*"])]:
        assert outcome(fact, op, value) in RANK
    number = as_number(fact)
    assert number is None or number == number
