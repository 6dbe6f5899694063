import pytest

from agents.rules.metrics import is_failing, metric_words, rate_words, wilson


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (41, 50, 0.6920, 0.9023)],
)
def test_wilson_against_published_values(hits, total, low, high):
    assert wilson(hits, total) == pytest.approx((low, high), abs=0.0001)


def test_wilson_of_nothing_is_anything():
    assert wilson(0, 0) == (0, 1)


def test_failing_needs_a_sample_and_to_pass_the_rate():
    assert not is_failing(9, 9, 0.05, 10)
    assert not is_failing(1, 20, 0.05, 10)
    assert is_failing(2, 20, 0.05, 10)
    assert not is_failing(0, 0, 0, 0)
    assert is_failing(1, 1, 0, 1)


def test_words():
    assert metric_words(12, 10, unit="meetings", direction="up") == "12 meetings, target at least 10: met"
    assert metric_words(4.25, 5, unit="%", direction="up") == "4.25 %, target at least 5 %: missed"
    assert metric_words(5, 5, unit="minutes", direction="down") == "5 minutes, target at most 5: met"
    assert metric_words(None, 1200, unit="trials", direction="up") == "No trials measured yet, target at least 1,200"
    assert rate_words(41, 50) == "41 of 50 (82 %, 69 % to 90 %)"
    assert rate_words(0, 0) == "none yet"
