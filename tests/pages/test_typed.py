"""What is typed as JSON, or stands as a number in a form's key or an address, is read or refused with its place."""

import json
from urllib.parse import urlencode

import pytest

from agents.models import Policy, PolicyDraft
from agents.rules.boundaries import compile_policy
from agents.rules.errors import SpecError
from agents.rules.fit import DEEPEST
from console.typed import counted, read_json
from tests import making
from tests.deciding import furnish

pytestmark = pytest.mark.django_db
PLACE = "/agents/inbound-intent/policy"
LONG = "9" * 5000
HALF = "\\ud800"
NUL = "\\u0000"


@pytest.fixture
def world(client, alice):
    client.force_login(alice)
    return furnish(alice)


def noted(text):
    return '{"clauses": [{"id": "c1", "say": "ask", "note": "' + text + '"}]}'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[" * 100_000, "policy"),
        ('{"a":' * 50_000, "policy"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "[0]" * DEEPEST),
        ('{"a": "\\ud800"}', "a"),
        ('{"a": [1, {"b": "x\\u0000"}]}', "a[1].b"),
        ('{"a": {"\\ud800": 1}}', "a.\\ud800"),
        ('"\\u0000"', "policy"),
        ("NaN", "policy"),
        ("-Infinity", "policy"),
        ("1e999", "policy"),
        (LONG, "policy"),
        ("", "policy"),
    ],
    ids=lambda text: text[:24],
)
def test_json_that_could_not_be_kept_or_shown_is_refused_with_its_place(text, where):
    with pytest.raises(SpecError) as refused:
        read_json(text, "policy")
    assert refused.value.faults[0].where == where
    str(refused.value).encode()


def test_json_is_read_as_it_is():
    for value in ({"a": [1, 2.5, True, None, "ü €"]}, "\U0001f600", 10**17, json.loads("[" * DEEPEST + "]" * DEEPEST)):
        assert read_json(json.dumps(value), "it") == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("12", 12),
        ("9" * 9, 999_999_999),
        ("9" * 10, None),
        (LONG, None),
        ("", None),
        ("-1", None),
        ("²", None),
    ],
)
def test_a_number_in_a_key_or_an_address(text, number):
    assert counted(text) == number


@pytest.mark.parametrize("held", ["a\0b", "a\ud800b"], ids=["nul", "surrogate"])
@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("clauses[0].note", lambda text: {"note": text}),
        ("clauses[0].id", lambda text: {"id": text}),
        ("clauses[0].accounts[1]", lambda text: {"accounts": ["acme.example", text]}),
        ("clauses[0].when", lambda text: {"when": f"fields.a == '{text}'"}),
    ],
)
def test_a_policy_holds_only_text_that_can_be_kept(held, where, part):
    with pytest.raises(SpecError) as refused:
        compile_policy({"clauses": [{"id": "c1", "say": "ask"} | part(held)]})
    assert [fault.where for fault in refused.value.faults] == [where]


@pytest.mark.parametrize("do", ["review", "as-rows"])
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 50_000, noted(HALF), noted(NUL)], ids=["array", "object", "half", "nul"]
)
def test_a_draft_of_json_is_refused_and_its_page_still_opens(world, client, text, do):
    answer = client.post(PLACE, {"as": "json", "spec_json": text, "do": do})
    assert answer.status_code == 422
    assert PolicyDraft.objects.get().form == {"raw": True, "spec_json": text}
    for place in (PLACE, f"{PLACE}?as=json"):
        shown = client.get(place)
        assert (shown.status_code, shown.context["wrong"]) == (200, 1)
    assert client.get(f"{PLACE}/review").status_code == 303
    assert not Policy.objects.filter(agent=world.agent).exclude(pk=world.agent.policy_id).exists()


@pytest.mark.parametrize(
    "spec",
    [
        *({"clauses": [part]} for part in ({"accounts": 5}, {"accounts": [5]}, {"hours": 5}, {"editable": 3}, 5)),
        {"clauses": [{"hours": ["a", "b", "c"]}]},
        {"clauses": [], "quiet_hours": 5},
        {"clauses": [], "quiet_hours": [5]},
        {"clauses": [], "quiet_hours": {"a": 1}},
        {"clauses": [], "budget": 5},
        {"clauses": [], "limits": [1]},
        {"clauses": [], "limits": "x"},
        {"clauses": [{"id": "c1", "say": "ask", "plays": [7]}]},
        [5],
        {"a": 1},
        None,
    ],
    ids=json.dumps,
)
def test_json_that_is_no_policy_stays_json_with_its_faults(world, client, spec):
    text = json.dumps(spec)
    answer = client.post(PLACE, {"as": "json", "spec_json": text, "do": "as-rows"})
    assert (answer.status_code, answer.context["raw"]) == (422, True)
    assert answer.context["faults"]
    assert PolicyDraft.objects.get().form == {"raw": True, "spec_json": text}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": "\\ud800"}', '{"a": "\\u0000"}'], ids=["deep", "half", "nul"])
def test_other_forms_of_json_refuse_it_too(world, client, text):
    making.source("website")
    agent = "/agents/inbound-intent"
    row = {"row": "1", "label": "Page", "kind": "fit", "weight": "10", "json": text}
    rows = {f"criteria-0-{name}": value for name, value in row.items()}
    for do in ("try", "save"):
        assert client.post(f"{agent}/scorecard", {**rows, "do": do}).status_code == 422
        card = {"as": "json", "scorecard_json": text, "choices_json": "[]", "do": do}
        assert client.post(f"{agent}/scorecard", card).status_code == 422
        assert client.post(f"{agent}/routes", {"routes-0-row": "1", "routes-0-json": text, "do": do}).status_code == 422
        mapping = {"as": "json", "raw": text, "do": do}
        assert client.post("/sources/website/mapping", mapping).status_code == 422
    step = {"key": "mail", "connection": "box", "delay_minutes": "0", "may_undo": "on", "undo": text, "p-subject": "x"}
    play = {"name": "Greet", "risk": "low", "steps": "1", "do": "save"} | {f"step-0-{k}": v for k, v in step.items()}
    answer = client.post("/plays/new", play)
    assert answer.status_code == 422
    assert "undo" in answer.context["steps"][0].errors


def test_a_value_typed_without_end_stays_text(world, client):
    row = {"row": "1", "label": "Page", "kind": "fit", "weight": LONG, "field": "signal.page", "op": "eq"}
    rows = {f"criteria-0-{name}": value for name, value in row.items()} | {"criteria-0-value": "[" * 50_000}
    answer = client.post("/agents/inbound-intent/scorecard", {**rows, "offset": "9" * 400, "do": "try"})
    assert answer.status_code == 422


def test_numbers_without_end_in_keys_buttons_and_addresses_are_none(world, client):
    making.play(making.sandbox("box"))
    agent = "/agents/inbound-intent"
    asked = {
        PLACE: [{f"clauses-{LONG}-row": "1"}, *({"do": f"{what}-clauses-{LONG}"} for what in ("up", "remove"))],
        f"{agent}/routes": [{f"routes-{LONG}-row": "1"}, {"do": f"up-routes-{LONG}"}],
        f"{agent}/scorecard": [{f"criteria-{LONG}-row": "1"}, {"do": f"remove-choices-{LONG}"}],
        "/plays/greet/edit": [{"do": f"remove-{LONG}"}, {"do": f"up-{LONG}"}, {"do": "add", "steps": LONG}],
    }
    for place, posts in asked.items():
        for post in posts:
            answer = client.post(place, urlencode(post), content_type="application/x-www-form-urlencoded")
            assert answer.status_code == 200, (place, [key[:20] for key in post])
    route = {"routes-0-row": "1", "routes-0-id": LONG, "routes-0-active": "1", "do": "try"}
    assert client.post(f"{agent}/routes", route).status_code == 200
    play = {"name": "Greet", "risk": "low", "steps": "0", "version": LONG, "do": "save"}
    assert client.post("/plays/greet/edit", play).status_code == 422
    client.post(PLACE, {"as": "json", "spec_json": noted("x"), "do": "review"})
    seen = client.get(f"{PLACE}/review").context["seen"]
    post = {"seen": seen, "base": LONG, "reason": "", "when": "now"}
    assert client.post(f"{PLACE}/review", post).status_code == 422
    for place in (f"{PLACE}?from={LONG}", f"{PLACE}/review?from={LONG}", f"{PLACE}/review?runs={LONG}",
                  f"/inbox?of={LONG}", f"/?order={LONG}"):  # fmt: skip
        assert client.get(place, headers={"HX-Request": "true", "HX-Target": "news"}).status_code == 200, place[:40]
