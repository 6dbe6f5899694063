"""Incidents: who has it, who is told next, and that of two who take it one is first."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import paging, watchdog
from agents.changes.agent import hand_over
from agents.models import Action, Agent, Incident, Page
from audit.models import Entry
from tests.deciding import furnish


@pytest.fixture
def dana(person):
    return person("Dana", role="ops")


@pytest.fixture
def broken(alice, dana, workspace):
    world = furnish(alice, deputy=dana)
    return paging.open_incident("failure_rate", "Inbound intent fails", actor="worker:watchdog", agent=world.agent)


def test_says_what_broke_whose_it_is_and_who_is_next(broken, client, dana):
    client.force_login(dana)
    answer = client.get(f"/incidents/{broken.pk}")
    text = " ".join(answer.content.decode().split())
    assert len(answer.content) < 50_000
    assert "Nobody has taken this yet; Alice is told" in text
    assert paging.page_due() == 1
    text = " ".join(client.get(f"/incidents/{broken.pk}").content.decode().split())
    assert "Nobody has taken this yet; Dana is told" in text
    assert "Tell Dana now" in text
    assert "paged Alice about" in text
    assert client.post(f"/incidents/{broken.pk}/escalate").status_code == 303
    assert paging.page_due() == 1
    assert paging.page_due() == 0, "everybody was told: the line begins again, but not at once"
    broken.refresh_from_db()
    assert broken.next_page_at - timezone.now() > paging.NEXT_AFTER
    text = " ".join(client.get(f"/incidents/{broken.pk}").content.decode().split())
    assert "Nobody has taken this yet; Alice is told" in text


def test_a_new_owner_is_told_and_nobody_is_skipped(broken, alice, dana, person):
    def told_now():
        Incident.objects.update(next_page_at=timezone.now())
        paging.page_due()
        return Page.objects.latest("id").person

    assert told_now() == alice
    zoe = person("Zoe", role="owner")
    hand_over(broken.agent, actor="cli", owner=zoe, why="Alice left")
    assert [told_now() for _ in range(4)] == [zoe, dana, zoe, dana]


def test_take_is_one_tap_and_the_second_is_told_who_was_first(broken, client, alice, dana):
    client.force_login(alice)
    answer = client.post(f"/incidents/{broken.pk}/take")
    assert (answer.status_code, answer["Location"]) == (303, f"/incidents/{broken.pk}")
    client.force_login(dana)
    again = client.post(f"/incidents/{broken.pk}/take")
    assert again.status_code == 409
    assert "Alice, at" in again.content.decode()
    broken.refresh_from_db()
    assert (broken.state, broken.taken_by, broken.next_page_at) == ("taken", alice, None)
    assert paging.page_due() == 0
    assert client.post(f"/incidents/{broken.pk}/resolve").status_code == 303
    assert client.post(f"/incidents/{broken.pk}/resolve").status_code == 409
    verbs = Entry.objects.filter(subject=f"incident:{broken.pk}").order_by("id").values_list("verb", "actor")
    assert list(verbs) == [
        ("incident.opened", "worker:watchdog"),
        ("incident.taken", alice.actor),
        ("incident.resolved", dana.actor),
    ]


def test_open_ones_stand_above_resolved_ones(broken, client, dana):
    paging.resolve(broken, person=dana, actor=dana.actor)
    other = paging.open_incident("stalled", "9 signals wait", actor="worker:watchdog")
    client.force_login(dana)
    text = client.get("/incidents").content.decode()
    assert 0 < text.index("9 signals wait") < text.index("Resolved</h2>") < text.index("Inbound intent fails")
    fragment = client.get("/incidents", headers={"HX-Request": "true", "HX-Target": "lists"})
    again = {"HX-Request": "true", "HX-Target": "lists", "If-None-Match": fragment["ETag"]}
    assert client.get("/incidents", headers=again).status_code == 304
    paging.take(other, person=dana)
    assert client.get("/incidents", headers=again).status_code == 200


def test_who_may_not_take_may_read(broken, client, bob, charlie):
    for who in (bob, charlie):
        client.force_login(who)
        assert b"/take" not in client.get(f"/incidents/{broken.pk}").content
        for verb in ("take", "resolve", "escalate"):
            assert client.post(f"/incidents/{broken.pk}/{verb}").status_code == 403
            assert client.get(f"/incidents/{broken.pk}/{verb}").status_code == 405
    assert Incident.objects.get().state == "triggered"


def test_failures_count_over_the_window_of_the_policy(alice, workspace):
    world = furnish(alice, spec={"clauses": [{"id": "c", "say": "ask"}], "failure_rate_window": 6})
    world.ask(12)
    for hours, opened in ((7, 0), (5, 1)):
        Action.objects.update(state="failed", settled_at=timezone.now() - timedelta(hours=hours))
        watchdog.sweep()
        assert Incident.objects.filter(kind="failure_rate").count() == opened
    assert "in the last 6 h" in Incident.objects.get(kind="failure_rate").cause


def test_is_taken_by_those_who_answer_for_it_whatever_their_role(broken, client, bob, person):
    client.force_login(person("Zoe", role="owner"))
    assert b"/take" not in client.get(f"/incidents/{broken.pk}").content
    assert client.post(f"/incidents/{broken.pk}/take").status_code == 403
    Agent.objects.update(deputy=bob)
    client.force_login(bob)
    assert b"/take" in client.get(f"/incidents/{broken.pk}").content
    assert client.post(f"/incidents/{broken.pk}/take").status_code == 303
