"""The Inbox and who is not to know or not to answer: what is foreign answers as what is not there."""

from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from agents.changes import grant as grants
from agents.models import Region
from agents.models.grant import VERBS
from approvals.models import Approval
from console import step_up
from tests.deciding import action_of, furnish

HTMX = {"HX-Request": "true", "HX-Target": "waiting"}


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


@pytest.fixture
def rita(world, person):
    """She may do all that can be granted, in Germany only."""
    admin, rita = person("Ada", role="admin"), person("Rita", role="rep", everywhere=False)
    germany = Region.objects.get(code="emea/de")
    grants.give(rita, on=germany, verbs=VERBS["region"], why="for the test", actor=admin.actor, by=admin)
    return rita


def pick(approval):
    return f"{approval.pk}:{bytes(approval.binding).hex()}"


def form(approval, **more):
    return {"binding": bytes(approval.binding).hex(), **more}


def no_step_up(client):
    """As of somebody who signed in long ago."""
    session = client.session
    session["account_authentication_methods"] = []
    session.pop(step_up.SIGNED_IN, None)
    session.save()


@pytest.mark.parametrize("risk", ["low", "high"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_picked_among_others_it_is_as_one_that_is_not_there(world, rita, risk, headers):
    own = world.ask(2)
    (foreign,) = world.ask(account_name="Zenith", account="z.example", region="emea/fr")
    Approval.objects.filter(pk=foreign.pk).update(risk=risk)
    said = []
    for one, other in zip(own, (pick(foreign), f"{uuid4()}:00"), strict=True):
        client = Client()
        client.force_login(rita)
        answer = client.post("/inbox/approve", {"pick": [pick(one), other]}, headers=headers)
        lines = [str(line) for line in get_messages(answer.wsgi_request)]
        assert "1 approved, of 2 picked." in lines[0]
        said.append((answer.status_code, lines[1:], answer.get("Location")))
        assert b"Zenith" not in answer.content
    assert said[0] == said[1]
    assert said[0][1] == ["That question is no longer here."]
    assert action_of(foreign).state == "waiting"
    only = [client.post("/inbox/approve", {"pick": one}, headers=headers) for one in (pick(foreign), f"{uuid4()}:00")]
    assert [answer.status_code for answer in only] == [422, 422]


@pytest.mark.parametrize("risk", ["low", "high"])
@pytest.mark.parametrize("way", ["approve", "edit", "reject", "hand", "ask", "put-off", "back"])
def test_a_foreign_one_is_not_found_whatever_its_risk(world, client, rita, way, risk):
    (foreign,) = world.ask(region="emea/fr")
    Approval.objects.filter(pk=foreign.pk).update(risk=risk)
    client.force_login(rita)
    no_step_up(client)
    answers = [client.post(f"/inbox/{pk}/{way}", form(foreign)) for pk in (foreign.pk, uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]


def test_taking_back_and_going_on_after_a_foreign_one_tell_nothing_of_it(world, client, rita, bob):
    (foreign,), (own,) = world.ask(region="emea/fr"), world.ask()
    client.force_login(bob)
    client.post(f"/inbox/{foreign.pk}/approve", form(foreign))
    client.force_login(rita)
    for pk in (foreign.pk, uuid4()):
        answer = client.post("/inbox/take-back", {"id": pk})
        assert (answer.status_code, "no longer here" in answer.content.decode()) == (409, True)
    Approval.objects.filter(pk=foreign.pk).update(expires_at=own.expires_at.replace(year=own.expires_at.year + 1))
    assert f"ask-{own.pk}" in client.get("/inbox", {"after": foreign.pk}).content.decode()


@pytest.mark.parametrize("way", ["approve", "edit"])
def test_nobody_confirms_who_they_are_for_what_they_may_not_do(world, client, charlie, way):
    (one,) = world.ask()
    Approval.objects.filter(pk=one.pk).update(risk="high")
    client.force_login(charlie)
    no_step_up(client)
    answer = client.post(f"/inbox/{one.pk}/{way}", form(one))
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "You may not approve this question: ask an admin for it." in text
    assert str(action_of(one).pk) not in text


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_a_nul_in_the_list_that_an_answer_carries_along_is_dropped(world, client, bob, headers):
    asked = world.ask(2)
    client.force_login(bob)
    for one, way in zip(asked, ("reject", "approve"), strict=True):
        sent = form(one, reason="other", list="region=emea%00%2Fde&risk=%00&after=%00")
        answer = client.post(f"/inbox/{one.pk}/{way}", sent, headers=headers)
        assert answer.status_code == (200 if headers else 303)
        assert b"%00" not in answer.get("Location", "").encode() + answer.content
