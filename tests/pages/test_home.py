"""Home: which agent is broken and whose it is, in an order that holds."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import paging
from agents.models import Agent
from tests.deciding import furnish, furnish_agent

pytestmark = pytest.mark.django_db
POLL = {"HX-Request": "true", "HX-Target": "board"}


def names(answer) -> list[str]:
    return re.findall(r'<a class="title" href="[^"]+">([^<]+)</a>', answer.content.decode())


@pytest.fixture
def world(alice):
    return furnish(alice)


def test_an_empty_signalbox_says_what_to_do_first(client, alice):
    client.force_login(alice)
    text = client.get("/").content.decode()
    assert "Four steps to a first agent" in text
    assert "/agents/new" in text
    assert "You were granted no agent" not in text


def test_first_steps_lead_nowhere_for_those_who_may_not_take_them(client, charlie, person):
    client.force_login(charlie)
    text = client.get("/").content.decode()
    assert "Four steps to a first agent" in text
    assert text.count("for another role to do") == 4
    assert "/agents/new" not in text
    client.force_login(person("Nils", role="auditor", everywhere=False))
    assert "You were granted no agent" in client.get("/").content.decode()


def test_the_broken_one_stands_first_with_its_owner_and_cause(client, world, person):
    zoe = person("Zoe", role="owner")
    broken = furnish_agent(zoe, world.play, slug="zebra", name="Zebra")
    paging.open_incident("failure_rate", "Zebra failed 9 of 10 actions", actor="worker:test", agent=broken)
    client.force_login(zoe)
    answer = client.get("/")
    text = answer.content.decode()
    assert names(answer) == ["Zebra", "Inbound intent"]
    assert re.search(
        r"Zebra</a></strong> has been broken for .*? and it is <strong>Zoe</strong>’s. .*Zebra failed 9", text, re.S
    )


def test_rows_stay_where_they_were_while_the_page_is_open(client, world, alice):
    zebra = furnish_agent(alice, world.play, slug="zebra", name="Zebra")
    client.force_login(alice)
    order = f"{world.agent.pk},{zebra.pk}"
    assert names(client.get(f"/?order={order}", headers=POLL)) == ["Inbound intent", "Zebra"]
    paging.open_incident("failure_rate", "Zebra fails", actor="worker:test", agent=zebra)
    polled = client.get(f"/?order={order}", headers=POLL)
    assert names(polled) == ["Inbound intent", "Zebra"]
    assert "The order changed, show" in polled.content.decode()
    assert names(client.get("/")) == ["Zebra", "Inbound intent"]


def test_a_poll_that_finds_nothing_new_answers_304(client, world, alice):
    client.force_login(alice)
    first = client.get("/", headers=POLL)
    assert client.get("/", headers={**POLL, "If-None-Match": first["ETag"]}).status_code == 304


def test_filters_live_in_the_address(client, world, alice, person):
    other = person("Zoe", role="owner")
    furnish_agent(other, world.play, slug="zebra", name="Zebra", stage="autonomous")
    client.force_login(alice)
    assert names(client.get("/?owner=me")) == ["Inbound intent"]
    assert names(client.get(f"/?owner={other.pk}")) == ["Zebra"]
    assert names(client.get("/?stage=autonomous")) == ["Zebra"]
    assert names(client.get("/?state=broken")) == []


def test_no_owner_is_an_error(client, world, alice):
    Agent.objects.create(slug="orphan", name="Orphan", job="None.", stage="draft")
    client.force_login(alice)
    assert '<span class="state failed"><i aria-hidden="true">▲</i>No owner' in client.get("/").content.decode()


def test_an_agent_that_cannot_run_is_broken_and_says_why(client, world, alice):
    Agent.objects.filter(pk=world.agent.pk).update(choices=[{"play": "gone"}])
    client.force_login(alice)
    text = client.get("/").content.decode()
    assert "It can&#x27;t run: plays[0].play: there is no play &#x27;gone&#x27;" in text


def test_the_cost_does_not_grow_with_the_agents(client, world, alice):
    client.force_login(alice)
    client.get("/")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        return len(queries)

    for n in range(12):
        furnish_agent(alice, world.play, slug=f"more-{n}", name=f"More {n}", live_since=timezone.now())
    many = cost()
    assert many <= 16
    for n in range(12, 24):
        furnish_agent(alice, world.play, slug=f"more-{n}", name=f"More {n}", live_since=timezone.now())
    assert cost() == many


def test_strangers_sign_in_first(client):
    assert client.get("/").status_code == 302
