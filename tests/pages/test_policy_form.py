"""Boundaries written by form: read as typed, kept as a draft, shown before they go live."""

import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, Policy, PolicyDraft, PolicyProposal
from agents.rules.boundaries import compile_policy
from agents.rules.canonical import identity_hash
from agents.rules.presets import PRESETS
from audit.models import Entry
from console.views.policy_form import PLAIN, form_of, spec_of
from tests.deciding import furnish

pytestmark = pytest.mark.django_db
PLACE = "/agents/inbound-intent/policy"
REVIEW = f"{PLACE}/review"
RICH = {
    "clauses": [
        {
            "id": "c1", "say": "ask", "plays": ["intro"], "regions": ["emea/de"], "segments": ["smb"],
            "accounts": ["acme.example", "globex.example"], "people": ["0" * 32], "min_confidence": 20,
            "below_confidence": 90, "min_risk": "medium", "max_risk": "high", "reversible": False,
            "above_value": 5000, "max_value": 90000, "currency": "EUR", "hours": ["18:00", "24:00"],
            "days": ["mon", "fri"], "when": "fields.seats > 40", "approvers": 2, "editable": ["subject", "text"],
            "note": "large",
        },
        {"id": "c2", "say": "alone", "min_value": 0.5, "currency": "USD", "reversible": True, "days": ["tue"]},
        {"id": "c3", "say": "never", "days": ["sun"]},
    ],
    "limits": {"hourly": 20, "daily": 100, "account_daily": 2, "person_daily": 1},
    "budget": {"daily": 50.5, "monthly": 900},
    "contact_lock_hours": 24,
    "max_signal_age_minutes": 60,
    "failure_rate_window": 12,
    "quiet_hours": [{"hours": ["20:00", "08:00"]}, {"days": ["sat", "sun"]}],
}  # fmt: skip


@pytest.fixture
def world(alice):
    return furnish(alice)


@pytest.fixture
def mia(person):
    return person("Mia", role="ops")


def clause(n, **more):
    row = {"row": "1", "id": f"c{n + 1}", "say": "alone", **more}
    return {f"clauses-{n}-{name}": value for name, value in row.items()}


FULL = {name: "" for name in PLAIN if name not in ("id", "say", "low_value")} | {"segments": ["smb"]}


def drafted(client, rows, do="review"):
    return client.post(PLACE, {"as": "rows", **rows, "do": do})


def put(client, place=REVIEW, **more):
    shown = client.get(place).context
    form = {"seen": shown["seen"], "base": shown["base"], "reason": "They answer well.", "when": "now", **more}
    return client.post(place, form)


def test_a_policy_comes_out_of_the_form_as_it_went_in():
    assert spec_of(form_of(RICH)) == RICH
    assert spec_of(form_of(RICH, raw=True)) == RICH
    for preset in PRESETS:
        compile_policy(preset.spec)
        assert spec_of(form_of(preset.spec)) == preset.spec


def test_what_is_typed_is_kept_however_wrong_and_found_again(world, client, alice, mia):
    client.force_login(alice)
    rows = clause(0, min_confidence="lots", low_value="5,000", currency="EUR", **{"from": "18:00"})
    answer = drafted(client, rows, do="")
    assert answer.status_code == 200
    assert "Confidence is a whole percentage" in answer.content.decode()
    text = client.get(PLACE).content.decode()
    for kept in ('value="lots"', 'value="5,000"', 'value="18:00"', "Your draft, kept"):
        assert kept in text
    client.force_login(mia)
    assert 'value="lots"' not in client.get(PLACE).content.decode(), "a draft is one person's"
    assert not Entry.objects.filter(verb__startswith="policy.").exists()
    client.force_login(alice)
    drafted(client, rows, do="discard")
    assert not PolicyDraft.objects.exists()


def test_a_sentence_follows_what_is_typed(world, client, alice):
    client.force_login(alice)
    rows = clause(0, say="ask", regions=["emea/de"], low_value="5,000", low="above_value", currency="EUR")
    text = drafted(client, rows, do="").content.decode()
    assert "Any play in Germany, value above 5,000 EUR" in text
    assert "Asks" in text


def test_an_expression_is_checked_as_it_is_typed(world, client, alice):
    client.force_login(alice)
    text = drafted(client, clause(0, when="seatz > 40"), do="").content.decode()
    assert "There is no “seatz”" in text
    assert "It can be read." in drafted(client, clause(0, when="fields.seats > 40"), do="").content.decode()


def test_rows_are_added_removed_and_moved(world, client, alice):
    client.force_login(alice)
    rows = clause(0, note="first") | clause(1, note="second", say="never")
    drafted(client, rows, do="up-clauses-1")
    assert [row["note"] for row in PolicyDraft.objects.get().form["clauses"]] == ["second", "first"]
    drafted(client, rows, do="add-clauses")
    assert [row["id"] for row in PolicyDraft.objects.get().form["clauses"]] == ["c1", "c2", "c3"]
    drafted(client, rows, do="remove-clauses-0")
    assert [row["note"] for row in PolicyDraft.objects.get().form["clauses"]] == ["second"]
    drafted(client, rows, do="preset-ask")
    assert [row["id"] for row in PolicyDraft.objects.get().form["clauses"]] == ["every"]


def test_a_person_is_kept_as_a_code_and_never_as_typed(world, client, alice):
    client.force_login(alice)
    drafted(client, clause(0, say="never", people="kim@example.com", accounts="acme.example, globex.example"))
    form = PolicyDraft.objects.get().form
    assert "kim@" not in json.dumps(form)
    code = identity_hash(settings.IDENTITY_KEY, "kim@example.com").hex()
    assert spec_of(form)["clauses"][0] == {
        "id": "c1", "say": "never", "people": [code], "accounts": ["acme.example", "globex.example"]
    }  # fmt: skip


def test_it_is_looked_at_with_its_reason_before_it_goes_live(world, client, alice):
    client.force_login(alice)
    rows = clause(0, say="never", plays=["intro"], regions=["emea"], min_confidence="70") | {"hourly": "20"}
    assert drafted(client, rows)["Location"] == REVIEW
    page = client.get(REVIEW).content.decode()
    assert "Never: Any play" not in page
    assert "Never: Intro mail in EMEA, confidence 70 % or more" in page
    unsaid = put(client, reason=" ")
    assert unsaid.status_code == 422
    assert "Say why, for whoever asks later." in unsaid.content.decode()
    assert put(client)["Location"] == f"{PLACE}/2"
    policy = Agent.objects.get().policy
    assert policy.spec == {
        "clauses": [{"id": "c1", "say": "never", "plays": ["intro"], "regions": ["emea"], "min_confidence": 70}],
        "limits": {"hourly": 20},
    }
    assert not PolicyDraft.objects.exists()
    shown = client.get(f"{PLACE}/2").content.decode()
    assert "They answer well." in shown
    assert "<del>Asks: Any play (every first mail)</del>" in shown


def test_what_does_not_compile_does_not_get_there(world, client, alice):
    client.force_login(alice)
    answer = drafted(client, clause(0, min_confidence="150"))
    assert answer.status_code == 422
    assert "Give 0 to 100" in answer.content.decode()
    assert client.get(REVIEW).status_code == 303
    spec = json.dumps({"clauses": [{"id": "c1", "say": "alone", "regions": ["atlantis"]}]})
    answer = client.post(PLACE, {"as": "json", "spec_json": spec, "do": "review"})
    assert answer.status_code == 422
    assert "There is no &#x27;atlantis&#x27;" in answer.content.decode()
    assert client.post(PLACE, {"as": "json", "spec_json": "{", "do": "review"}).status_code == 422
    assert client.post(PLACE, {"as": "json", "spec_json": "[1]", "do": "as-rows"}).status_code == 422


def test_form_and_json_are_two_views_of_one_draft(world, client, alice):
    client.force_login(alice)
    drafted(client, clause(0, say="never", min_confidence="70"), do="as-json")
    assert json.loads(PolicyDraft.objects.get().form["spec_json"])["clauses"][0]["min_confidence"] == 70
    spec = json.dumps({"clauses": [{"id": "x", "say": "ask"}]})
    client.post(PLACE, {"as": "json", "spec_json": spec, "do": "as-rows"})
    assert PolicyDraft.objects.get().form["clauses"][0]["id"] == "x"


def test_what_changed_since_it_was_shown_is_not_put_live(world, client, alice, mia):
    client.force_login(alice)
    drafted(client, clause(0, say="never"))
    shown = client.get(REVIEW).context
    form = {"seen": shown["seen"], "base": shown["base"], "reason": "Stop.", "when": "now"}
    drafted(client, clause(0, say="never", regions=["emea"]))
    assert client.post(REVIEW, form).status_code == 412
    client.force_login(mia)
    drafted(client, clause(0, say="never", regions=["amer"]))
    assert put(client).status_code == 303
    client.force_login(alice)
    late = client.post(REVIEW, {**form, "seen": client.get(REVIEW).context["seen"]})
    assert late.status_code == 409
    assert "Mia published version 2 meanwhile." in late.content.decode()
    assert "Version 2 was published after this draft was begun" in client.get(REVIEW).content.decode()


def test_what_widens_is_proposed_and_confirmed_by_somebody_else(world, client, alice, mia, bob):
    client.force_login(alice)
    drafted(client, clause(0, regions=["emea"]))
    page = client.get(REVIEW).content.decode()
    assert "It lets Inbound intent do more alone." in page
    assert "“Any play in EMEA” would go alone where “Any play” asks now." in page
    assert "such as Mia" in page
    place = put(client)["Location"]
    proposal = PolicyProposal.objects.get()
    assert place == f"/proposals/{proposal.pk}"
    assert "Take it back" in client.get(place).content.decode()
    assert "Alice proposes boundaries" in client.get("/agents/inbound-intent").content.decode()
    assert client.post(f"{place}/decide", {"do": "confirm"}).status_code == 403
    client.force_login(bob)
    assert client.post(f"{place}/decide", {"do": "confirm"}).status_code == 403
    assert client.get(f"{place}/decide").status_code == 405
    client.force_login(mia)
    assert "Inbound intent" in client.get("/proposals").content.decode()
    assert client.post(f"{place}/decide", {"do": "decline"}).status_code == 422
    assert client.post(f"{place}/decide", {"do": "confirm"}).status_code == 303
    policy = Agent.objects.get().policy
    assert (policy.version, policy.published_by, policy.confirmed_by) == (2, alice, mia)
    late = client.post(f"{place}/decide", {"do": "decline", "why": "No."})
    assert late.status_code == 409
    assert "It went live already, by Mia." in late.content.decode()


def test_it_is_set_for_a_time_in_the_persons_zone(world, client, alice):
    alice.time_zone = "Europe/Berlin"
    alice.save()
    client.force_login(alice)
    drafted(client, clause(0, say="never"))
    assert "Europe/Berlin" in client.get(REVIEW).content.decode()
    assert put(client, when="at", at="").status_code == 422
    assert put(client, when="at", at="2026-01-01T08:00").status_code == 422
    at = (timezone.now() + timedelta(days=3)).astimezone(alice.zone).replace(hour=8, minute=0, second=0, microsecond=0)
    place = put(client, when="at", at=at.strftime("%Y-%m-%dT%H:%M"))["Location"]
    proposal = PolicyProposal.objects.get()
    assert (proposal.state, proposal.go_live_at) == ("scheduled", at)
    assert client.post(f"{place}/decide", {"do": "cancel"}).status_code == 303
    assert PolicyProposal.objects.get().state == "cancelled"


def test_rolling_back_takes_two_clicks_and_shows_the_replay_first(world, client, alice, mia):
    first = world.agent.policy.spec
    client.force_login(alice)
    drafted(client, clause(0, say="never"))
    put(client)
    drafted(client, clause(0, say="ask", note="something else"), do="")
    back = f"{REVIEW}?from=1"
    assert back in client.get(f"{PLACE}/1").content.decode()
    page = client.get(back)
    assert 'value="Back to version 1"' in page.content.decode()
    assert "On past runs" in page.content.decode()
    assert put(client, back, reason=page.context["reason"])["Location"] == f"{PLACE}/3"
    assert (Agent.objects.get().policy.version, Agent.objects.get().policy.spec) == (3, first)
    assert PolicyDraft.objects.get().form["clauses"][0]["note"] == "something else", "a draft is another matter"


def test_a_hundred_clauses_fit_into_the_form(world, client, alice):
    client.force_login(alice)
    rows = {key: value for n in range(100) for key, value in clause(n, say="never", low_value=str(n), **FULL).items()}
    assert drafted(client, rows)["Location"] == REVIEW
    assert len(PolicyDraft.objects.get().form["clauses"]) == 100


def test_a_version_by_one_person_is_confirmed_by_another(world, client, alice, mia):
    Agent.objects.update(stage="shadow")
    client.force_login(alice)
    drafted(client, clause(0))
    assert "It sends nothing while it is in shadow" in client.get(REVIEW).content.decode()
    assert put(client)["Location"] == f"{PLACE}/2"
    text = client.get(f"{PLACE}/2").content.decode()
    assert "only Alice stands behind it" in text
    assert "Confirm version 2" not in text
    assert client.post(f"{PLACE}/2/confirm").status_code == 403
    client.force_login(mia)
    assert "Confirm version 2" in client.get(f"{PLACE}/2").content.decode()
    assert client.post(f"{PLACE}/2/confirm").status_code == 303
    assert Policy.objects.get(version=2).confirmed_by == mia
    assert client.post(f"{PLACE}/2/confirm").status_code == 409


def test_only_those_who_may_publish_draft_and_review(world, client, bob, charlie):
    for stranger in (bob, charlie):
        client.force_login(stranger)
        for place in (PLACE, REVIEW):
            assert client.get(place).status_code == 403
            assert client.post(place, {"do": "review"}).status_code == 403
    assert not PolicyDraft.objects.exists()


def test_the_pages_cost_little(world, client, alice, mia):
    client.force_login(alice)
    drafted(client, {key: value for n in range(20) for key, value in clause(n, regions=["emea"]).items()})
    costs = {}
    for place in (PLACE, REVIEW):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(place).status_code == 200
        costs[place] = len(queries)
    place = put(client)["Location"]
    for url in (place, "/proposals"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        costs[url] = len(queries)
    assert max(costs.values()) <= 14, costs
