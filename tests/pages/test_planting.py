"""Planted questions are an admin's to switch, agent by agent."""

import pytest

from agents import plants
from agents.models import Agent
from tests.deciding import furnish

pytestmark = pytest.mark.django_db


def test_an_admin_says_after_how_many_and_what_does_not_hold_is_said(client, alice, bob, person):
    furnish(alice)
    agent = Agent.objects.get()
    client.force_login(bob)
    assert client.post("/inbox/planting", {agent.slug: "10"}).status_code == 403
    client.force_login(person("Root", role="admin"))
    assert agent.name in client.get("/inbox/planting").content.decode()
    for wrong in ("3", "-1", "many", "5000"):
        assert client.post("/inbox/planting", {agent.slug: wrong}).status_code == 422
    assert plants.every_of(agent) == 0
    for number in (20, 0):
        assert client.post("/inbox/planting", {agent.slug: str(number)}).status_code == 303
        assert plants.every_of(agent) == number
