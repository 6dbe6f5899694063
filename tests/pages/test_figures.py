"""Figures: every value that is known can be seen."""

import pytest

from console.templatetags.figures import path


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0, 10, None], "M0.0 100.0L500.0 0.0"),
        ([None, None, 10], "M988.0 0.0h12.0"),
        ([10, None, 0], "M0.0 0.0h12.0M988.0 100.0h12.0"),
        ([None, 5, None], "M494.0 50.0h12.0"),
        ([5], "M0.0 50.0h12.0"),
        ([None, None], ""),
    ],
)
def test_a_value_between_gaps_is_drawn_as_a_dash(values, drawn):
    assert path(values, 0, 10, 1000, 100) == drawn
