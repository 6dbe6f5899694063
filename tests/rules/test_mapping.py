from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.errors import SpecError
from agents.rules.mapping import compile_mapping
from agents.rules.times import parse_time

REGIONS = {"emea", "emea/de", "emea/uk", "amer", "amer/us", "apac"}
SEGMENTS = {"enterprise", "mid-market", "smb"}
NINE_THIRTY = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def mapped(spec, envelope, format="json"):
    return compile_mapping(spec, format=format, regions=REGIONS, segments=SEGMENTS).apply(envelope)


def test_our_json_works_unconfigured_with_flat_extra_keys():
    event = {
        "id": "s1",
        "type": "visit",
        "time": "2026-11-21T10:30:00+01:00",
        "account": " acme ",
        "person": "Ana Ito",
        "email": "Ana.Ito@Acme.example",
        "region": "DE",
        "segment": "mid_market",
        "value": "1200",
        "page": "/pricing",
        "properties": {"employees": 320, "nested": {"x": 1}, "tags": ["a", {"no": 1}]},
    }
    found = mapped({}, event)
    assert (found.external_id, found.type, found.occurred_at) == ("s1", "visit", NINE_THIRTY)
    assert (found.account, found.person, found.email) == ("acme", "Ana Ito", "ana.ito@acme.example")
    assert (found.region, found.segment, found.value) == ("emea/de", "mid-market", 1200)
    assert found.fields == {"employees": 320, "tags": ["a"], "page": "/pricing"}
    assert found.problems == []
    assert found.notes == []


def test_segment_track_identify_and_group_work_unconfigured():
    track = {
        "type": "track",
        "messageId": "m1",
        "event": "Trial Started",
        "userId": "u7",
        "timestamp": "2026-11-21T09:30:00.000Z",
        "context": {"traits": {"email": "ana@acme.example"}, "groupId": "acme"},
        "properties": {"plan": "pro", "revenue": 99.5},
    }
    found = mapped({}, track, "segment")
    assert (found.external_id, found.type, found.account, found.email) == (
        "m1",
        "Trial Started",
        "acme",
        "ana@acme.example",
    )
    assert (found.value, found.fields["plan"], found.occurred_at) == (99.5, "pro", NINE_THIRTY)

    identify = {
        "type": "identify",
        "messageId": "m2",
        "userId": "u7",
        "traits": {"firstName": "Ana", "lastName": "Ito", "address": {"country": "US"}, "company": {"name": "Acme"}},
    }
    found = mapped({}, identify, "segment")
    assert (found.person, found.account, found.account_name, found.region) == ("Ana Ito", "Acme", "Acme", "amer/us")
    assert found.occurred_at is None
    assert found.problems == []

    group = {"type": "group", "messageId": "m3", "userId": "u7", "groupId": "acme", "traits": {"employees": 50}}
    found = mapped({}, group, "segment")
    assert (found.type, found.account, found.fields) == ("group", "acme", {"employees": 50})

    alone = {"type": "page", "messageId": "m4", "anonymousId": "anon-1", "name": "Home"}
    assert mapped({}, alone, "segment").account == "anon-1"


def test_cloudevents_and_standard_webhooks_work_unconfigured():
    event = {
        "specversion": "1.0",
        "id": "7",
        "source": "/crm",
        "type": "deal.closed",
        "subject": "acme",
        "data": {"stage": "won"},
    }
    found = mapped({}, event, "cloudevents")
    assert (found.external_id, found.account, found.fields) == ("/crm 7", "acme", {"stage": "won"})
    other = mapped({}, {**event, "source": "/billing"}, "cloudevents")
    assert other.external_id != found.external_id

    hook = {"id": "msg_1", "type": "invoice.paid", "timestamp": "2026-11-21T09:30:00Z", "data": {"account": "acme"}}
    found = mapped({}, hook, "standard_webhooks")
    assert (found.external_id, found.type, found.account, found.occurred_at) == (
        "msg_1",
        "invoice.paid",
        "acme",
        NINE_THIRTY,
    )


def test_maps_alternatives_and_segment_rules():
    spec = {
        "id": ["nope", "ID"],
        "account": {"join": ["shop", "visitor"]},
        "region": "Region",
        "segment": None,
        "fields": {"employees": "firm.staff"},
        "spread": [],
        "region_map": {"US": "amer/us", "*": "apac", "gone": "emea/fr"},
        "segment_rules": [
            {"condition": {"field": "fields.employees", "op": "gte", "value": 1000}, "segment": "enterprise"},
            {"condition": {"field": "firm.staff", "op": "gte", "value": 200}, "segment": "mid_market"},
        ],
    }
    compiled = compile_mapping(spec, regions=REGIONS, segments=SEGMENTS)
    assert [w.where for w in compiled.warnings] == ["region_map.gone"]

    def one(region, staff):
        return compiled.apply({"ID": 4711, "shop": "s", "visitor": 9, "Region": region, "firm": {"staff": staff}})

    found = one("us", "1200")
    assert (found.external_id, found.account, found.region, found.segment) == ("4711", "s 9", "amer/us", "enterprise")
    assert found.fields == {"employees": "1200"}
    assert (one("EMEA", 300).region, one("EMEA", 300).segment) == ("emea", "mid-market")
    assert (one("mars", 3).region, one("mars", 3).segment) == ("apac", None)
    gone = one("gone", 3)
    assert gone.region is None
    assert "not known" in gone.notes[0]


def test_numeric_regions_map_by_their_digits():
    found = mapped({"region_map": {"3": "emea/de"}}, {"id": "1", "account": "a", "region": 3})
    assert found.region == "emea/de"


@pytest.mark.parametrize(
    ("envelope", "words"),
    [
        ({"account": "a"}, "map id to"),
        ({"id": "  ", "account": "a"}, "map id to"),
        ({"id": {"x": 1}, "account": "a"}, "map id to"),
        ({"id": "x" * 600, "account": "a"}, "longer than"),
        ({"id": "1"}, "map account to"),
        ({"id": "1", "email": "not-an-address"}, "map email to"),
        ({"id": "1", "account": "a", "time": "yesterday"}, "map time to"),
        ({"id": "1", "account": "a", "time": 99999999999999999}, "map time to"),
        ([], "not a JSON object"),
    ],
)
def test_what_cannot_be_understood_says_how_to_mend_it(envelope, words):
    assert any(words in problem for problem in mapped({}, envelope).problems)


def test_email_is_a_note_with_an_account_and_a_source_of_one_without():
    kept = mapped({}, {"id": "1", "account": "a", "email": "bad@"})
    assert (kept.problems, kept.email) == ([], None)
    assert "left out" in kept.notes[0]
    assert mapped({}, {"id": "1", "email": "Ana@Acme.example"}).account == "acme.example"
    assert mapped({}, {"id": "1", "email": "ana@gmail.com"}).account == "ana@gmail.com"
    for written in ("ana@b\u00fccher.example", "Ana@XN--bcher-kva.example"):
        assert mapped({}, {"id": "1", "email": written}).email == "ana@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "address",
    [
        "a b@x.example",
        "a@x",
        "@x.example",
        "a@@x.example",
        "a@x.example\nBcc: b@x.example",
        "a@.example",
        "a@\u00fc_.example",
        7,
    ],
)
def test_shapes_that_are_no_address(address):
    assert mapped({}, {"id": "1", "account": "a", "email": address}).email is None


def test_control_characters_never_reach_a_name():
    found = mapped(
        {}, {"id": "a\x00b", "account": "x\x00\ny", "person": "Ana\u202e\x07 Ito", "extra": "n\x00ul", "k\x00": 1}
    )
    assert (found.external_id, found.account, found.person) == ("ab", "x y", "Ana Ito")
    assert found.fields == {"extra": "nul"}
    assert len(mapped({}, {"id": "1", "account": "ä" * 900}).account) == 200


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T09:30:00Z",
        "2026-11-21T09:30:00z",
        "2026-11-21t10:30:00+01:00",
        "2026-11-21 09:30:00",
        1795253400,
        1795253400000,
        "1795253400",
        "1795253400000",
        1795253400.0,
    ],
)
def test_times(value):
    assert parse_time(value) == NINE_THIRTY


def test_a_bad_mapping_lists_all_faults():
    spec = {
        "id": ["a[", "b"],
        "fields": {"region": "x", "a b": "y", "ok": "z["},
        "region_map": {"us": 1},
        "segment_rules": [{"condition": {"field": "a", "op": "?"}, "segment": "smb"}, {"segment": 3}],
        "colour": "x",
    }
    with pytest.raises(SpecError) as caught:
        compile_mapping(spec, regions=REGIONS, segments=SEGMENTS)
    assert {fault.where for fault in caught.value.faults} == {
        "id[0]",
        "fields.region",
        "fields.a b",
        "fields.ok",
        "region_map",
        "segment_rules[0].condition.op",
        "segment_rules[1]",
        "colour",
    }


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        "id",
        "type",
        "time",
        "account",
        "email",
        "region",
        "segment",
        "value",
        "properties",
        "traits",
        "context",
        "data",
        "source",
        "subject",
        "messageId",
    ]
)


@given(st.dictionaries(keys | st.text(max_size=6), values, max_size=8))
def test_no_payload_raises_and_all_text_is_fit_to_store(envelope):
    for format in ("json", "segment", "cloudevents", "standard_webhooks"):
        found = mapped({}, envelope, format)
        texts = [found.external_id, found.type, found.account, found.account_name, found.person, found.email]
        texts += [fact for fact in found.fields.values() if isinstance(fact, str)] + list(found.fields)
        for text in texts:
            assert text is None or text.isprintable()
        assert bool(found.external_id) or found.problems


def test_a_value_has_a_currency_and_a_person_a_time_zone():
    def found(**event):
        read = mapped({}, {"id": "1", "account": "acme", **event})
        return read.value, read.currency, read.time_zone, read.fields.get("currency")

    assert found(value="12.5", currency=" usd ", timezone="Asia/Tokyo") == (12.5, "USD", "Asia/Tokyo", "usd")
    assert found(value=3, properties={"currency": "Euro", "time_zone": "Mars/Olympus"}) == (3, "", "", "Euro")
    assert found(currency="EUR") == (None, "", "", "EUR")
