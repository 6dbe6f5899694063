import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.errors import SpecError
from agents.rules.paths import MISSING, compile_path

names = st.sampled_from(["a", "b", "c"])
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(names, documents, max_size=3), st.lists(names, min_size=1, max_size=4))
def test_the_fast_way_finds_what_jmespath_finds(document, parts):
    expected = jmespath.search(".".join(parts), document)
    found = compile_path(".".join(parts))(document)
    assert found is MISSING if expected is None else found == expected


def test_expressions_beyond_plain_paths():
    document = {"items": [{"sku": "x", "n": 3}, {"sku": "y", "n": 5}], "context": {"user-id": 7}}
    assert compile_path("items[?n > `4`].sku | [0]")(document) == "y"
    assert compile_path('context."user-id"')(document) == 7
    assert compile_path("sum(items[].n)")(document) == 8
    assert compile_path("@")(document) is document


@pytest.mark.parametrize("expression", ["length(nothing)", "sum(text)", "items[9]", "text.deeper"])
def test_what_cannot_be_had_is_missing_and_never_raises(expression):
    assert compile_path(expression)({"text": "abc", "items": []}) is MISSING


@pytest.mark.parametrize("expression", ["", "  ", "a..b", "a[", "user-id", "(" * 400, "a" * 501, None, 7, "nosuch(@)["])
def test_a_bad_path_says_where_and_how_to_mend(expression):
    with pytest.raises(SpecError) as caught:
        compile_path(expression, where="fields.email")
    (fault,) = caught.value.faults
    assert fault.where == "fields.email"
    assert fault.mend
