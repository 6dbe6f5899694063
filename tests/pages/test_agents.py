"""An agent: made, bounded, tried out and moved on by form, each change with its entry."""

import json
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.changes.seen import token
from agents.models import Agent, Metric, Route, Run
from audit.models import Entry
from tests.deciding import SCORECARD, furnish

pytestmark = pytest.mark.django_db
PARTS = ("edit", "owner", "metric", "scorecard", "routes", "policy")


@pytest.fixture
def world(alice):
    return furnish(alice)


def entries(verb: str) -> list[dict]:
    bodies = Entry.objects.filter(verb=verb).order_by("id").values_list("body", flat=True)
    return [json.loads(bytes(body)) for body in bodies]


def criterion(n: int, **more: str) -> dict[str, str]:
    row = {"row": "1", "key": "", "label": "Pricing", "kind": "intent", "weight": "30", "field": "signal.page",
           "op": "eq", "value": "pricing", "json": ""} | more  # fmt: skip
    return {f"criteria-{n}-{name}": value for name, value in row.items()}


def test_every_form_costs_little(world, client, alice):
    client.force_login(alice)
    for part in PARTS:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/agents/inbound-intent/{part}").status_code == 200
        assert len(queries) <= 12, part


def test_all_that_is_wrong_with_a_scorecard_is_said_at_once(world, client, alice):
    client.force_login(alice)
    rows = criterion(0, label="", field="") | criterion(1, weight="-4")
    answer = client.post("/agents/inbound-intent/scorecard", {**rows, "do": "save", "threshold": "0"})
    text = answer.content.decode()
    assert answer.status_code == 422
    for said in ("It has no name", "No field is named", "3 things to mend"):
        assert said in text
    world.agent.refresh_from_db()
    assert world.agent.scorecard == SCORECARD


def test_only_those_who_may_build_see_the_forms(world, client, alice, bob, charlie, person):
    for stranger in (bob, charlie, person("Zoe", role="owner")):
        client.force_login(stranger)
        assert client.get("/agents/inbound-intent").status_code == 200
        for part in PARTS:
            assert client.get(f"/agents/inbound-intent/{part}").status_code == 403, part
            assert client.post(f"/agents/inbound-intent/{part}").status_code == 403, part
        assert client.post("/agents/inbound-intent/stage", {"stage": "autonomous"}).status_code == 403
    client.force_login(bob)
    assert client.get("/agents/new").status_code == 403
    client.force_login(alice)
    for part in PARTS:
        assert client.get(f"/agents/inbound-intent/{part}").status_code == 200, part


def test_a_new_agent_is_a_draft_that_says_what_it_lacks(client, alice):
    client.force_login(alice)
    assert client.post("/agents/new", {"name": "", "job": "Watch."}).status_code == 422
    answer = client.post("/agents/new", {"name": "Night Watch", "job": "Watch.", "owner": alice.pk})
    assert (answer.status_code, answer["Location"]) == (303, "/agents/night-watch")
    made = Agent.objects.get()
    assert (made.stage, made.owner, made.built_by) == ("draft", alice, alice)
    (entry,) = entries("agent.created")
    assert entry["detail"]["changed"]["owner"] == [None, alice.actor]
    text = client.get("/agents/night-watch").content.decode()
    for link in ("metric", "scorecard", "policy", "routes"):
        assert f'href="/agents/night-watch/{link}"' in text
    refused = client.post("/agents/night-watch/stage", {"stage": "shadow", "before": "draft"})
    assert refused.status_code == 422
    assert "It still lacks a metric, a scorecard, a play, boundaries, a route." in refused.content.decode()
    client.post("/agents/new", {"name": "Night Watch", "job": "Watch.", "owner": alice.pk})
    assert Agent.objects.filter(slug="night-watch-2").exists()


def test_an_agent_named_new_has_a_page_of_its_own(client, alice):
    client.force_login(alice)
    answer = client.post("/agents/new", {"name": "New", "job": "Watch.", "owner": alice.pk})
    assert answer["Location"] == "/agents/new-2"
    assert client.get("/agents/new-2").context["agent"] == Agent.objects.get()


def test_stages_follow_one_another_and_are_recorded(world, client, alice):
    client.force_login(alice)
    place = "/agents/inbound-intent/stage"
    assert client.get(place).status_code == 405
    assert client.post(place, {"stage": "autonomous", "before": "supervised"}).status_code == 303
    world.agent.refresh_from_db()
    assert (world.agent.stage, world.agent.live_since is not None) == ("autonomous", True)
    assert entries("agent.stage")[0]["detail"] == {"after": "autonomous", "before": "supervised"}
    late = client.post(place, {"stage": "shadow", "before": "supervised"})
    assert late.status_code == 409
    assert "It is in autonomous by now" in late.content.decode()
    assert client.post(place, {"stage": "draft", "before": "autonomous"}).status_code == 409


def test_handing_over_names_the_new_owner(world, client, alice, person):
    zoe = person("Zoe", role="owner")
    client.force_login(alice)
    assert client.post("/agents/inbound-intent/owner", {"owner": zoe.pk, "why": ""}).status_code == 422
    assert client.post("/agents/inbound-intent/owner", {"owner": zoe.pk, "why": "Away"}).status_code == 303
    world.agent.refresh_from_db()
    assert world.agent.owner == zoe
    (entry,) = entries("agent.changed")
    assert entry["detail"] == {"changed": {"owner": [alice.actor, zoe.actor]}, "why": "Away"}


def test_only_those_who_can_pause_and_publish_are_offered_to_answer_for_it(world, client, alice, bob, person):
    eve, mia, ada = (person(name, role=role) for name, role in (("Eve", "engineer"), ("Mia", "ops"), ("Ada", "admin")))
    client.force_login(eve)
    form = client.get("/agents/new").context["form"]
    assert list(form.fields["owner"].queryset) == list(form.fields["deputy"].queryset) == [ada, alice, mia]
    assert form["owner"].value() is None
    said = {"name": "Night Watch", "job": "Watch."}
    assert client.post("/agents/new", {**said, "owner": eve.pk}).context["form"].errors["owner"]
    client.force_login(alice)
    assert client.get("/agents/new").context["form"]["owner"].value() == alice.pk
    assert client.post("/agents/inbound-intent/owner", {"owner": bob.pk, "why": "Away"}).status_code == 422
    Agent.objects.update(deputy=bob)
    assert client.post("/agents/inbound-intent/edit", {**said, "deputy": bob.pk}).status_code == 303
    assert Agent.objects.get().deputy == bob


def test_a_change_made_on_an_old_page_is_not_written_over(world, client, alice, person):
    mia = person("Mia", role="ops")
    client.force_login(alice)
    old = token({"name": "Inbound intent", "job": "Answers buying signals within a minute.", "deputy": None})
    client.force_login(mia)
    job = {"name": "Inbound intent", "job": "Answers.", "seen": old}
    assert client.post("/agents/inbound-intent/edit", job).status_code == 303
    client.force_login(alice)
    answer = client.post("/agents/inbound-intent/edit", {**job, "job": "Other."})
    assert answer.status_code == 412
    assert "Mia changed this" in answer.content.decode()
    world.agent.refresh_from_db()
    assert world.agent.job == "Answers."


def test_rows_are_added_and_taken_away_without_saving(world, client, alice):
    client.force_login(alice)
    place = "/agents/inbound-intent/scorecard"
    text = client.post(place, {**criterion(0), "do": "add-criteria"}).content.decode()
    assert 'id="criteria-1"' in text
    assert 'value="Pricing"' in text
    text = client.post(
        place, {**criterion(0), **criterion(1, label="Size"), "do": "remove-criteria-0"}
    ).content.decode()
    assert 'value="Size"' in text
    assert 'value="Pricing"' not in text
    world.agent.refresh_from_db()
    assert world.agent.scorecard == SCORECARD


def test_what_is_wrong_is_said_in_its_row(world, client, alice):
    client.force_login(alice)
    rows = {**criterion(0), **criterion(1, weight="heavy", op="between", value="9")}
    answer = client.post("/agents/inbound-intent/scorecard", {**rows, "threshold": "200", "do": "save"})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert '<li id="criteria-0">' in text
    wrong = text[text.index('<li id="criteria-1" class="wrong">') :]
    assert "The weight is no whole number from 1 to 1000" in wrong
    assert "Give two numbers, the lowest and the highest" in wrong
    assert "The threshold is no whole number" in text


def test_a_scorecard_saved_by_rows_keeps_numbers_lists_and_keys(world, client, alice):
    client.force_login(alice)
    rows = {
        **criterion(0, key="page"),
        **criterion(1, label="Seats or more", field="signal.seats", op="gte", value="40"),
        **criterion(2, label="Trade", field="signal.industry", op="in", value="software, logistics"),
        **criterion(3, label="Both", field="", json='{"all": [{"field": "signal.page", "op": "exists"}]}'),
        "choices-0-row": "1", "choices-0-play": "intro", "choices-0-min_score": "20", "threshold": "10", "offset": "5",
    }  # fmt: skip
    assert client.post("/agents/inbound-intent/scorecard", {**rows, "do": "save"}).status_code == 303
    world.agent.refresh_from_db()
    criteria = world.agent.scorecard["criteria"]
    assert [one["key"] for one in criteria] == ["page", "seats-or-more", "trade", "both"]
    assert [one["condition"].get("value") for one in criteria] == ["pricing", 40, ["software", "logistics"], None]
    assert (world.agent.scorecard["threshold"], world.agent.scorecard["confidence_offset"]) == (10, 0.05)
    assert world.agent.choices == [{"play": "intro", "when": None, "min_score": 20}]
    assert world.agent.edited_by == alice
    assert set(entries("agent.changed")[0]["detail"]["changed"]) == {"scorecard", "choices"}
    text = client.get("/agents/inbound-intent/scorecard").content.decode()
    assert 'value="software, logistics"' in text
    assert client.get("/agents/inbound-intent/scorecard?as=json").status_code == 200


def test_trying_out_scores_what_came_in_and_changes_nothing(world, client, alice):
    world.signal(fields={"page": "pricing"})
    client.force_login(alice)
    rows = {**criterion(0), "choices-0-row": "1", "choices-0-play": "intro", "choices-0-min_score": "50"}
    text = client.post("/agents/inbound-intent/scorecard", {**rows, "do": "try"}).content.decode()
    assert "1 of the newest 1 signals its routes hear" in text
    assert '<td data-label="Score" class="num"><b>100</b></td>' in text
    assert "mails-ask" in text
    world.agent.refresh_from_db()
    assert world.agent.scorecard == SCORECARD
    assert not Run.objects.exists()


def test_routes_are_tried_out_then_kept_each_with_its_entry(world, client, alice):
    world.signal()
    client.force_login(alice)
    place = "/agents/inbound-intent/routes"
    rows = {"routes-0-row": "1", "routes-0-types": "page_viewed, trial.*", "routes-0-active": "1"}
    assert "They hear 1 of the newest 1 signals" in client.post(place, {**rows, "do": "try"}).content.decode()
    assert Route.objects.get().types == []
    assert client.post(place, {**rows, "do": "save"}).status_code == 303
    assert Route.objects.get().types == ["page_viewed", "trial.*"]
    assert len(entries("route.changed")) == 2
    bad = client.post(place, {**rows, "routes-0-field": "signal.page", "routes-0-op": "gt", "do": "save"})
    assert bad.status_code == 422
    assert "Give a number" in bad.content.decode()


def test_the_metric_is_set_by_form(world, client, alice):
    client.force_login(alice)
    form = {
        "name": "Replies", "outcome": "reply", "measure": "rate", "unit": "%", "direction": "up", "target": "12.5",
        "window_days": "14", "acceptable_failure_rate": "3",
    }  # fmt: skip
    assert client.post("/agents/inbound-intent/metric", {**form, "window_days": "0"}).status_code == 422
    assert client.post("/agents/inbound-intent/metric", form).status_code == 303
    assert Metric.objects.get().target == Decimal("12.5")
    assert entries("agent.changed")[0]["detail"]["metric"]["changed"]["outcome"] == ["meeting", "reply"]


def test_past_draft_it_is_changed_by_its_people_and_those_who_may_publish(world, client, alice, person):
    eve, dana, zoe = person("Eve", role="engineer"), person("Dana", role="ops"), person("Zoe", role="owner")
    places = [f"/agents/inbound-intent/{part}" for part in PARTS if part != "policy"]

    def answers(who):
        client.force_login(who)
        return {client.get(place).status_code for place in places}

    assert answers(alice) == answers(dana) == {200}
    assert answers(eve) == answers(zoe) == {403}
    assert client.post(places[1], {"owner": zoe.pk, "why": "mine"}).status_code == 403
    Agent.objects.filter(pk=world.agent.pk).update(deputy=eve)
    assert answers(eve) == {200}
    Agent.objects.filter(pk=world.agent.pk).update(deputy=None, stage="draft")
    assert answers(eve) == {200}
