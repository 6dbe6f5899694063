"""An agent that asks, in a database of the test's own; and clauses that ask in different ways."""

import pytest

from agents.models import Agent, Play
from tests.deciding import furnish

EDITABLE = {"clauses": [{"id": "mails-ask", "say": "ask", "editable": ["subject", "text", "to"]}]}
TWO = {"clauses": [{"id": "mails-ask", "say": "ask", "approvers": 2, "editable": ["subject"]}]}


@pytest.fixture
def world(alice, workspace):
    return furnish(alice, spec=EDITABLE)


@pytest.fixture
def high(world):
    """The same, of high risk."""
    Play.objects.update(risk="high")
    return world


@pytest.fixture
def two(alice, workspace):
    """A clause for which two persons must say yes."""
    return furnish(alice, spec=TWO)


@pytest.fixture
def carol(person):
    """Carol is another rep."""
    return person("Carol", role="rep")


@pytest.fixture
def agent(world):
    return Agent.objects.get()
