import hashlib

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.canonical import canonical_bytes, identity_hash, payload_hash

whole = st.integers(-(2**53) + 1, 2**53 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
trees = st.recursive(
    st.none() | st.booleans() | whole | floats | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=15,
)


@given(trees)
def test_the_fast_way_writes_the_bytes_of_rfc_8785(tree):
    assert canonical_bytes(tree) == rfc8785.dumps(tree)


def test_key_order_is_that_of_utf_16():
    tree = {"\ufb33": 1, "\U0001f600": 2, "b": 3}
    assert canonical_bytes(tree) == '{"b":3,"\U0001f600":2,"\ufb33":1}'.encode()


def test_payload_hash_is_sha256_and_ignores_order():
    assert payload_hash({"b": 1, "a": 1.0}) == payload_hash({"a": 1.0, "b": 1})
    assert payload_hash({"a": "x"}) == hashlib.sha256(b'{"a":"x"}').digest()
    assert payload_hash({"a": "1"}) != payload_hash({"a": 1})


@pytest.mark.parametrize(
    "tree", [{"n": 2**53}, {"n": -(2**60)}, {"n": float("nan")}, {"n": "\ud800"}, {1: 2}, {"n": {3}}]
)
def test_what_json_cannot_carry_exactly_is_refused(tree):
    with pytest.raises(ValueError):
        canonical_bytes(tree)


def test_identity_is_one_person_however_written_and_keyed():
    key = b"k" * 32
    assert len(identity_hash(key, "ana@acme.example")) == 16
    assert identity_hash(key, " ANA@Acme.example ") == identity_hash(key, "ana@acme.example")
    assert identity_hash(key, "\uff21na@acme.example") == identity_hash(key, "ana@acme.example")
    assert identity_hash(key, "STRASSE") == identity_hash(key, "straße")
    assert identity_hash(key, "ana\uff20B\u00dcCHER.example") == identity_hash(key, "ana@xn--bcher-kva.example")
    assert identity_hash(key, "ana@stra\u00dfe.example") != identity_hash(key, "ana@strasse.example")
    assert identity_hash(key, "ana@\u00fc_!.example") != identity_hash(key, "ana@\u00fc_?.example")
    assert identity_hash(b"other" * 4, "ana@acme.example") != identity_hash(key, "ana@acme.example")
    for bad in (b"", b"k" * 65):
        with pytest.raises(ValueError):
            identity_hash(bad, "ana@acme.example")
