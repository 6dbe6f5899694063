"""Expressions: what is wrong is said with its place, and what can't be told is never taken for a yes."""

import string
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.expressions import VARIABLES, ExpressionFault, activate, check_expression, compile_expression
from agents.rules.facts import Facts

FACTS = Facts(
    play="mail", region="emea/de", segment=None, confidence_pct=80, risk="low", stage="autonomous", age_minutes=5.5,
    value=5000, currency="EUR", fields={"seats": 6, "ratio": 2.0, "hot": True, "tags": ["a"], "big": 2**70},
)  # fmt: skip
LOCAL = datetime(2026, 11, 20, 18, 5, tzinfo=UTC)


def told(text, facts=FACTS, local=LOCAL):
    compiled = compile_expression(text)
    assert not isinstance(compiled, list), compiled
    return compiled.holds(activate(facts, local))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("value >= 5000 && currency == 'EUR'", True),
        ("value > 5000", False),
        ("value * 2.0 == 10000.0", True),
        ("value * 2 == 10000", None),
        ("region.startsWith('emea') && segment == 'unassigned'", True),
        ("hour == 18 && minute == 5 && weekday == 'fri'", True),
        ("fields.seats > 5 && fields.hot && 'a' in fields.tags", True),
        ("fields.seats", None),
        ("fields.hot", True),
        ("fields.nothing > 5", None),
        ("fields.nothing > 5 || true", True),
        ("has(fields.nothing)", False),
        ("fields.big > 1.0", True),
        ("1 / 0 == 1", None),
        ("age_minutes > 5", True),
        ("fields.tags.exists(tag, tag.matches('^(a+)+$'))", True),
    ],
)
def test_what_expressions_say(text, answer):
    assert told(text) is answer


def test_the_hour_of_nowhere_is_not_told():
    assert told("hour >= 0", local=None) is None


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("vlaue > 5", 1, 1, "There is no “vlaue”"),
        ("value >", 1, 8, "It ends too early"),
        ("region = 'emea'", 1, 8, "“=” means nothing here"),
        ("value > 1 &&\n  confidence > 'x'", 2, 14, "“>” does not go with a whole number and text"),
        ("region", 1, 1, "It gives no yes or no"),
        ("  ", 1, 1, "There is no expression"),
        (None, 1, 1, "There is no expression"),
        ("!" * 600 + "true", 1, 1, ""),
        ("(" * 300 + "true" + ")" * 300, 1, 1, "It is"),
        ("fields.a.all(x, x.all(y, y.all(z, true)))", 1, 28, "It loops more than 2 times"),
        ("1" + "+1" * 30 + " > 3", 1, 1, "It adds more than 20 times"),
        ("true || " * 200 + "true", 1, 1000, "The expression is too long"),
    ],
)
def test_a_fault_has_its_place(text, line, column, what):
    faults = check_expression(text)
    if not what:
        assert all(isinstance(fault, ExpressionFault) for fault in faults)
        return
    assert faults[0].what.startswith(what)
    assert (faults[0].line, faults[0].column) == (line, column)
    assert faults[0].mend


def test_it_cannot_take_long_or_much():
    doubled = '["' + "a" * 60 + '"]' + ".map(x, x + x)" * 2 + ".exists(x, x == '')"
    assert check_expression(doubled)
    inner = ", ".join(["x"] * 150)
    began = time.monotonic()
    assert told(f"[1].map(x, [{inner}]).exists(y, y == [{'1, ' * 20}1])") in (True, False, None)
    assert time.monotonic() - began < 1


words = st.sampled_from([*VARIABLES, "fields.seats", "'x'", "1", "2.5", "null", "true", "[1]", "{}", "x"])
operators = st.sampled_from(
    [" > ", " == ", " && ", " || ", " + ", " in ", ".", " ? ", " : ", "(", ")", "!", " / ", "\n"]
)


@given(
    st.text(max_size=60) | st.text(string.printable, max_size=60) | st.lists(words | operators, max_size=9).map("".join)
)
def test_nothing_that_is_typed_raises(text):
    faults = check_expression(text)
    compiled = compile_expression(text)
    assert isinstance(compiled, list) is bool(faults)
    if not isinstance(compiled, list):
        assert compiled.holds(activate(FACTS, LOCAL)) in (True, False, None)


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["seats", "a", ""]), odd), st.none() | st.floats(), st.text(max_size=5))
def test_no_facts_make_it_raise(fields, value, text):
    facts = Facts(text, text, text, 50, text, text, value=value, account=text, currency=text, fields=fields)
    for expression in ("fields.seats > 5", "value > 5", "account == fields.a", "size(fields) > 1"):
        assert told(expression, facts) in (True, False, None)
