"""Failed: found by agent, connection and reason, sent again one or all of a filter, unknown ones settled."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Action
from audit.models import Entry
from console.views import failed as page
from tests.deciding import furnish, run_loop

WHY = "HTTP 422: no such owner"


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


@pytest.fixture
def ada(world, person):
    return person("Ada", role="admin")


def broken(world, count=3, *, state="failed", why=WHY, **given):
    """So many actions decided by the real loop, then in `state`."""
    before = set(Action.objects.values_list("pk", flat=True))
    for n in range(count):
        world.signal(f"Jo {n} {state}", account=f"acme-{n}-{state}", **given)
    run_loop()
    made = Action.objects.exclude(pk__in=before)
    made.update(state=state, why=why)
    return list(made.order_by("pk"))


def verbs(action):
    return [one.verb for one in Entry.objects.filter(subject=f"action:{action.pk}").order_by("id")]


def test_everyone_reads_and_those_who_may_resend_act(world, client, person, alice):
    (one,) = broken(world, 1)
    for role, may in (("rep", False), ("auditor", False), ("owner", False), ("engineer", True), ("ops", True)):
        client.force_login(person(role.title(), role=role))
        text = client.get("/failed").content.decode()
        assert WHY in text
        assert (f'value="{one.pk}"' in text) is may, role
        if not may:
            assert client.post("/failed/act", {"action": one.pk, "do": "again"}).status_code == 403
            client.post("/failed/again")
            one.refresh_from_db()
            assert one.state == "failed", role
    client.force_login(alice)
    assert f'value="{one.pk}"' in client.get("/failed").content.decode()


def test_is_filtered_by_state_agent_connection_and_reason(world, client, ada):
    failed, refused = broken(world, 2), broken(world, 1, state="refused", why="On the do-not-contact list.")
    broken(world, 1, state="delivered")
    client.force_login(ada)

    def found(**asked):
        return {one.pk for one in client.get("/failed", asked).context["rows"]}

    everything = {one.pk for one in (*failed, *refused)}
    assert found() == found(agent=world.agent.slug) == found(state="delivered") == everything
    assert found(state="refused") == found(why="On the do-not-contact list.") == {refused[0].pk}
    assert found(connection=refused[0].connection.slug) == everything
    assert found(agent="nobody") == found(connection="nothing") == found(why="never said") == set()
    assert client.get("/failed").context["reasons"] == [(WHY, 2), ("On the do-not-contact list.", 1)]


def test_ticked_ones_are_sent_again_and_say_what_came_of_it(world, client, ada):
    first, second = broken(world, 2)
    client.force_login(ada)
    answer = client.post("/failed/act", {"action": [first.pk, second.pk], "do": "again"})
    assert (answer.status_code, answer["Location"]) == (303, "/failed")
    for one in (first, second):
        one.refresh_from_db()
        assert one.state == "withdrawn"
        assert "action.again" in verbs(one)
    text = client.get("/failed").content.decode()
    assert text.count("It asks first.") == 2
    assert "It asks first." not in client.get("/failed").content.decode()
    again = client.post("/failed/act", {"action": first.pk, "do": "again"}, follow=True).content.decode()
    assert "It is withdrawn, so it is not sent again." in again
    assert Action.objects.filter(state="waiting").count() == 2


def test_all_of_a_filter_are_sent_again_and_no_more_than_the_bound(world, client, ada, monkeypatch):
    monkeypatch.setattr(page, "LARGEST", 2)
    failed, others = broken(world, 3), broken(world, 1, state="failed", why="Other", minutes=1)
    unknown = broken(world, 1, state="unknown", why=WHY)
    client.force_login(ada)
    asked = client.get("/failed/again", {"why": WHY}).content.decode()
    assert "Send 2 actions again?" in asked
    assert "More match" in asked
    assert not Action.objects.filter(state="withdrawn").exists()
    answer = client.post("/failed/again", {"why": WHY})
    assert (answer.status_code, answer["Location"]) == (303, "/failed?why=HTTP+422%3A+no+such+owner")
    assert Action.objects.filter(state="withdrawn").count() == 2
    client.post("/failed/again", {"why": WHY})
    states = dict(
        Action.objects.filter(pk__in=[one.pk for one in (*failed, *others, *unknown)]).values_list("pk", "state")
    )
    assert [states[one.pk] for one in failed] == ["withdrawn"] * 3
    assert (states[others[0].pk], states[unknown[0].pk]) == ("failed", "unknown")


def test_unknown_ones_are_settled_once(world, client, ada):
    happened, other, failed = *broken(world, 2, state="unknown", why="No answer."), *broken(world, 1)
    client.force_login(ada)
    client.post("/failed/act", {"action": happened.pk, "do": "happened"})
    client.post("/failed/act", {"action": other.pk, "do": "not"})
    text = client.post("/failed/act", {"action": [happened.pk, failed.pk], "do": "not"}, follow=True).content.decode()
    assert text.count("nothing was changed") == 2
    states = [Action.objects.get(pk=one.pk).state for one in (happened, other, failed)]
    assert states == ["delivered", "failed", "failed"]
    assert verbs(happened).count("action.resolved") == 1


def test_nothing_ticked_is_said(client, ada):
    client.force_login(ada)
    for said in ({"do": "again"}, {"action": "not an id", "do": "again"}, {"action": ada.pk, "do": "burn"}):
        assert client.post("/failed/act", said).status_code == 422
    assert client.get("/failed/act").status_code == 405
    assert "Nothing failed" in client.get("/failed").content.decode()


def test_an_owner_sends_only_their_own_again(world, client, alice, person):
    mine = broken(world, 1)
    zoe = person("Zoe", role="owner")
    client.force_login(zoe)
    assert "Nothing to send again" in client.get("/failed/again").content.decode()
    client.force_login(alice)
    client.post("/failed/again")
    assert Action.objects.get(pk=mine[0].pk).state == "withdrawn"


def test_many_cost_no_more_queries_than_few(world, client, ada):
    broken(world, 60)
    client.force_login(ada)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/failed")
    assert len(queries) <= 12
    assert (len(answer.context["rows"]), bool(answer.context["rows"].older)) == (25, True)
