"""Runs: the list with its filters, and a run read off one page."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import questions
from agents.models import Action, Outcome, Run
from audit.ids import new_id
from audit.models import Entry
from tests.deciding import furnish, furnish_agent, run_loop


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def shown(answer) -> list[str]:
    return re.findall(r'<a class="title" href="/runs/([^"?]+)', answer.content.decode())


def only(**state):
    """The one action, put in a state as the loop would leave it."""
    action = Action.objects.get()
    Action.objects.filter(pk=action.pk).update(**state)
    action.refresh_from_db()
    return action


def test_filters_leave_what_they_ask_for_and_travel_on(world, client, alice):
    furnish_agent(alice, world.play, slug="second", name="Second")
    world.signal("Jo", region="emea/de")
    world.signal("Kim", region="amer", segment="smb")
    run_loop()
    client.force_login(alice)
    assert len(shown(client.get("/runs"))) == 4
    found = client.get("/runs?agent=second&region=emea")
    assert shown(found) == [str(Run.objects.get(agent__slug="second", region__code="emea/de").pk)]
    assert "?agent=second&amp;region=emea" in found.content.decode()
    assert len(shown(client.get("/runs?segment=smb"))) == 2
    assert len(shown(client.get("/runs?state=waiting&agent=second"))) == 2
    assert shown(client.get("/runs?state=failed")) == []
    assert shown(client.get("/runs?verdict=never")) == []
    assert len(shown(client.get("/runs?account=acme.example"))) == 4


def test_next_and_previous_keep_the_filter(world, client, alice):
    furnish_agent(alice, world.play, slug="second", name="Second")
    for name in ("Jo", "Kim", "Lea"):
        world.signal(name)
        run_loop()
    first, middle, last = Run.objects.filter(agent__slug="second").order_by("id")
    client.force_login(alice)
    text = client.get(f"/runs/{middle.pk}?agent=second").content.decode()
    assert f'rel="prev" href="/runs/{last.pk}?agent=second"' in text
    assert f'rel="next" href="/runs/{first.pk}?agent=second"' in text


def test_the_list_costs_the_same_at_any_size(world, client, alice):
    client.force_login(alice)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/runs").status_code == 200
        return len(queries)

    world.ask(2)
    few = cost()
    world.ask(25)
    assert cost() == few <= 12


def test_a_run_costs_little_whether_it_waits_or_was_sent(world, client, alice):
    world.ask()
    run = Run.objects.get()
    client.force_login(alice)
    for state, tries in (("waiting", 0), ("delivered", 1)):
        only(state=state, tries=tries)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/runs/{run.pk}").status_code == 200
        assert len(queries) <= 17, [query["sql"][:200] for query in queries]


def test_a_run_begins_with_who_is_accountable_and_shows_every_step(world, client, alice, bob):
    world.ask()
    run = Run.objects.get()
    client.force_login(bob)
    text = client.get(f"/runs/{run.pk}").content.decode()
    assert (
        "Alice is accountable: Inbound intent has wanted to send Intro mail version 1 by e-mail to Jo at Acme" in text
    )
    for place in ("signal", "score", "decision", "checks", "approval-1", "action-1", "outcome"):
        assert f'id="{place}"' in text, place
    assert "every first mail" in text
    assert "Not matched" in text
    assert 'hx-trigger="every 5s"' in text


def test_asking_stops_when_all_is_settled(world, client, alice):
    world.ask()
    run = Run.objects.get()
    client.force_login(alice)
    poll = {"HX-Request": "true", "HX-Target": "live"}
    assert client.get(f"/runs/{run.pk}", headers=poll).status_code == 200
    only(state="delivered")
    answer = client.get(f"/runs/{run.pk}", headers=poll)
    assert answer.status_code == 286
    assert "hx-get" not in answer.content.decode()


def test_an_unknown_is_settled_by_a_person_once(world, client, alice):
    world.ask()
    action = only(state="unknown", why="It timed out.")
    client.force_login(alice)
    place = f"/runs/{action.run_id}/actions/{action.pk}/resolve"
    assert client.post(place, {"happened": "maybe"}).status_code == 422
    answer = client.post(place, {"happened": "1"})
    assert (answer.status_code, answer["Location"]) == (303, f"/runs/{action.run_id}#action-1")
    action.refresh_from_db()
    assert action.state == "delivered"
    assert Entry.objects.filter(verb="action.resolved", subject=f"action:{action.pk}", actor=alice.actor).count() == 1
    again = client.post(place, {"happened": "0"})
    assert again.status_code == 409
    assert "Alice looked: it happened." in again.content.decode()


def test_what_failed_is_sent_again_by_those_who_may(world, client, alice, bob, charlie):
    world.ask()
    action = only(state="failed", why="422")
    place = f"/runs/{action.run_id}/actions/{action.pk}/again"
    for stranger in (bob, charlie):
        client.force_login(stranger)
        assert "Send again" not in client.get(f"/runs/{action.run_id}").content.decode()
        assert client.post(place).status_code == 403
    client.force_login(alice)
    assert "Send again" in client.get(f"/runs/{action.run_id}").content.decode()
    assert client.get(place).status_code == 405
    answer = client.post(place)
    assert answer["Location"] == f"/runs/{action.run_id}#action-2"
    assert list(Action.objects.order_by("id").values_list("state", flat=True)) == ["withdrawn", "waiting"]
    assert "Sent again as action 2." in client.get(f"/runs/{action.run_id}").content.decode()


def test_an_action_of_another_run_is_not_found(world, client, alice):
    world.ask(2)
    one, other = Action.objects.all()
    client.force_login(alice)
    assert client.post(f"/runs/{one.run_id}/actions/{other.pk}/again").status_code == 404


def test_a_strangers_eye_meets_words_and_no_codes(workspace, client, alice, bob):
    world = furnish(alice, stage="autonomous", spec={"clauses": [{"id": "open", "say": "alone"}]})
    (approval,) = world.ask(region="unassigned")
    questions.reject(approval.pk, person=bob, binding=bytes(approval.binding), reason="wrong-person")
    run, at = Run.objects.get(), timezone.now()
    Outcome.objects.create(
        id=new_id(), run=run, agent=run.agent, kind="meeting", value=1, acted=False, actor="source:web", occurred_at=at,
        received_at=at,
    )  # fmt: skip
    client.force_login(alice)
    text = client.get(f"/runs/{run.pk}").content.decode()
    assert "The rule “unassigned” of every policy</b>" in text
    assert "</a>: the region is unassigned, and that never acts alone</li>" in text
    assert "said no (wrong person)" in text
    assert "Rejected by Bob: wrong person." in text
    assert "worth 1.00, reported by Website " in text
    assert "wrong-person" not in text
    assert "source:web" not in text
