"""The Inbox: what is asked, of whom, and that each answer is given once, to exactly what was shown."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import access
from agents.models import Agent
from approvals.models import Approval
from audit.models import Entry
from tests.deciding import action_of, furnish


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def form(approval, **more):
    return {"binding": bytes(approval.binding).hex(), **more}


def verbs(approval):
    return list(Entry.objects.filter(subject=approval.subject).order_by("id").values_list("verb", flat=True))


def test_shows_the_message_whole_with_why_and_what_happens_if_ignored(world, client, bob):
    (one,) = world.ask(fields={"industry": None})
    client.force_login(bob)
    for path in ("/inbox", f"/inbox/{one.pk}"):
        text = client.get(path).content.decode()
        assert "Send “Your team and Acme” to Jo at Acme" in text
        assert "I saw that you looked at our plans for 60 seats.\nShall we talk for ten minutes this week?" in text
        assert "Alice" in text
        assert "every first mail" in text
        assert text.index("Forty seats or more") < text.index("Came back within a week")
        assert "and nothing is sent" in text


def test_a_yes_makes_the_action_ready_and_leads_to_the_next(world, client, bob):
    first, second = world.ask(2)
    client.force_login(bob)
    answer = client.post(f"/inbox/{first.pk}/approve", form(first, **{"from": "question"}))
    assert (answer.status_code, answer["Location"]) == (303, f"/inbox/{second.pk}?on=1")
    first.refresh_from_db()
    action = action_of(first)
    assert (first.state, first.decided_by, action.state, action.permitted_by) == ("approved", bob, "ready", bob.actor)
    assert action.not_before > timezone.now() + timedelta(seconds=3)
    assert verbs(first)[-1] == "action.approved"
    assert b"Undo" in client.get(answer["Location"]).content


def test_by_htmx_the_list_comes_back_without_it(world, client, bob):
    first, second = world.ask(2)
    client.force_login(bob)
    headers = {"HX-Request": "true", "HX-Target": "waiting"}
    answer = client.post(f"/inbox/{first.pk}/approve", form(first), headers=headers)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert f"ask-{second.pk}" in text
    assert f"ask-{first.pk}" not in text
    assert "<html" not in text
    assert "Undo" in text


def test_the_second_answer_is_told_who_was_first(world, client, bob, person):
    (one,) = world.ask()
    client.force_login(bob)
    client.post(f"/inbox/{one.pk}/reject", form(one, reason="bad-timing"))
    client.force_login(person("Dana", role="ops"))
    for headers in ({}, {"HX-Request": "true", "HX-Target": "waiting"}):
        answer = client.post(f"/inbox/{one.pk}/approve", form(one), headers=headers)
        assert answer.status_code == 409
        assert "Already rejected by Bob." in answer.content.decode()
    assert action_of(one).state == "rejected"


def test_what_changed_after_it_was_shown_is_not_approved(world, client, bob):
    (one,) = world.ask()
    client.force_login(bob)
    for binding in ("00" * 32, "not hex", ""):
        answer = client.post(f"/inbox/{one.pk}/approve", {"binding": binding})
        assert answer.status_code == 412
    Approval.objects.filter(pk=one.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.post(f"/inbox/{one.pk}/approve", form(one)).status_code == 409
    one.refresh_from_db()
    assert (one.state, action_of(one).state) == ("waiting", "waiting")
    assert client.post(f"/inbox/{uuid.uuid4()}/approve", form(one)).status_code == 404


def test_a_no_needs_a_reason_and_says_it(world, client, bob):
    (one,) = world.ask()
    client.force_login(bob)
    assert client.post(f"/inbox/{one.pk}/reject", form(one)).status_code == 422
    assert client.post(f"/inbox/{one.pk}/reject", form(one, reason="because")).status_code == 422
    assert client.post(f"/inbox/{one.pk}/reject", form(one, reason="wrong-person")).status_code == 303
    assert "Bob said no: wrong person." in client.get(f"/inbox/{one.pk}").content.decode()
    assert "Wrong person" in client.get("/inbox/decided").content.decode()


def test_a_slip_is_taken_back_until_it_has_left(world, client, bob, person):
    first, second = world.ask(2)
    client.force_login(bob)
    for one in (first, second):
        client.post(f"/inbox/{one.pk}/approve", form(one))
    client.force_login(person("Dana", role="ops"))
    assert client.post("/inbox/take-back", {"id": first.pk}).status_code == 409
    client.force_login(bob)
    assert client.post("/inbox/take-back", {"id": first.pk}).status_code == 303
    first.refresh_from_db()
    assert (first.state, first.reason, action_of(first).state) == ("rejected", "taken-back", "rejected")
    assert "Bob took their yes back before it left" in client.get(f"/inbox/{first.pk}").content.decode()
    action = action_of(second)
    action.state = "sending"
    action.save(update_fields=["state"])
    assert client.post("/inbox/take-back", {"id": second.pk}).status_code == 409


def test_several_at_once_each_stand_or_fall_alone(world, client, bob, person):
    asked = world.ask(3)
    client.force_login(person("Dana", role="ops"))
    client.post(f"/inbox/{asked[0].pk}/approve", form(asked[0]))
    client.force_login(bob)
    picks = [f"{one.pk}:{bytes(one.binding).hex()}" for one in asked]
    answer = client.post("/inbox/approve", {"pick": picks}, follow=True)
    text = answer.content.decode()
    assert "2 approved, of 3 picked." in text
    assert "Already approved by Dana." in text
    assert [action_of(one).permitted_by for one in asked[1:]] == [bob.actor] * 2
    Approval.objects.filter(pk=world.ask()[0].pk).update(risk="high")
    high = Approval.objects.get(risk="high")
    assert client.post("/inbox/approve", {"pick": f"{high.pk}:{bytes(high.binding).hex()}"}).status_code == 422


def test_one_that_is_not_ones_own_to_answer_stops_none_of_the_others(world, client, bob):
    asked = world.ask(3)
    picks = [f"{str(one.pk).upper()}:{bytes(one.binding).hex()}" for one in asked]
    Approval.objects.filter(pk=asked[1].pk).update(agent="built-by-bob")
    Agent.objects.create(slug="built-by-bob", name="Bob's", job="-", built_by=bob)
    client.force_login(bob)
    text = client.post("/inbox/approve", {"pick": picks}, follow=True).content.decode()
    assert "2 approved, of 3 picked." in text
    assert "you built or edited it" in text
    assert [action_of(one).state for one in asked] == ["ready", "waiting", "ready"]


def test_who_may_not_answer_may_read_and_is_refused(world, client, charlie):
    (one,) = world.ask()
    client.force_login(charlie)
    page = client.get(f"/inbox/{one.pk}").content.decode()
    assert "You can read this question but not answer it" in page
    assert "/approve" not in page
    assert client.post(f"/inbox/{one.pk}/approve", form(one)).status_code == 403
    assert "Nothing waits for you" in client.get("/inbox").content.decode()
    client.logout()
    assert client.get("/inbox")["Location"].startswith("/sign-in")
    one.refresh_from_db()
    assert one.state == "waiting"


def test_nobody_answers_for_what_they_built_nor_at_high_risk_for_what_they_edited(world, client, alice, person):
    (one,) = world.ask()
    dana = person("Dana", role="ops")

    def may(who):
        client.force_login(who)
        listed = f"ask-{one.pk}" in client.get("/inbox").content.decode()
        assert listed == ("/approve" in client.get(f"/inbox/{one.pk}").content.decode())
        assert access.waiting_for(who).count() == int(listed)
        return listed

    assert may(alice)
    assert may(dana)
    Agent.objects.filter(pk=world.agent.pk).update(built_by=alice)
    assert not may(alice), "the owner who built it"
    assert client.post(f"/inbox/{one.pk}/approve", form(one)).status_code == 403
    Agent.objects.filter(pk=world.agent.pk).update(built_by=None)
    for edited in (world.play, world.agent):
        type(edited).objects.filter(pk=edited.pk).update(edited_by=dana)
        assert may(dana)
        Approval.objects.filter(pk=one.pk).update(risk="high")
        assert not may(dana)
        type(edited).objects.filter(pk=edited.pk).update(edited_by=None)
        assert may(dana)
        assert not may(alice), "she published the policy"
        Approval.objects.filter(pk=one.pk).update(risk="low")
    assert may(alice)


def test_get_decides_nothing(world, client, bob):
    (one,) = world.ask()
    client.force_login(bob)
    for path in (f"/inbox/{one.pk}/approve", f"/inbox/{one.pk}/reject", "/inbox/approve", "/inbox/take-back"):
        assert client.get(path, form(one, id=str(one.pk))).status_code == 405
    assert action_of(one).state == "waiting"


def test_news_says_what_came_and_went_without_moving_the_list(world, client, bob):
    first, second = world.ask(2)
    client.force_login(bob)
    seen = {"seen": str(second.pk), "of": "2"}
    headers = {"HX-Request": "true", "HX-Target": "news"}
    quiet = client.get("/inbox", seen, headers=headers)
    assert b"show" not in quiet.content
    again = client.get("/inbox", seen, headers={**headers, "If-None-Match": quiet["ETag"]})
    assert again.status_code == 304
    client.post(f"/inbox/{first.pk}/approve", form(first))
    client.get("/inbox")
    world.ask(2)
    assert "2 new, 1 no longer waiting: show" in client.get("/inbox", seen, headers=headers).content.decode()


def test_queries_do_not_grow_with_the_list_and_pages_go_on(world, client, bob):
    world.ask(60)
    client.force_login(bob)
    client.get("/inbox")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        page = client.get("/inbox").content.decode()
    assert len(captured) <= 12, [one["sql"][:90] for one in captured]
    shown = set()
    while page:
        shown |= {part.split('"')[0] for part in page.split('id="ask-')[1:]}
        _, more, rest = page.partition('rel="next" href="')
        page = client.get(rest.split('"')[0]).content.decode() if more else ""
    assert len(shown) == 60
    for one in Approval.objects.all()[:60]:
        client.post(f"/inbox/{one.pk}/reject", form(one, reason="other"))
    client.get("/inbox/decided")
    with CaptureQueriesContext(connection) as captured:
        page = client.get("/inbox/decided").content.decode()
    assert len(captured) <= 12
    assert page.count('id="decided-') == 25


def test_what_a_stranger_wrote_stays_text(world, client, bob):
    (one,) = world.ask(account_name="<script>alert(1)</script>")
    client.force_login(bob)
    for path in ("/inbox", f"/inbox/{one.pk}"):
        assert b"<script>alert(1)" not in client.get(path).content
    answer = client.post(f"/inbox/{one.pk}/approve", form(one), follow=True)
    assert b"<script>alert(1)" not in answer.content
