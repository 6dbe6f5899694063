from datetime import UTC, datetime
from decimal import Decimal

import pytest

from agents import outcomes
from agents.loop.envelope import Refused, wrap
from agents.loop.intake import receive, understand
from agents.models import Agent, Outcome, Run
from audit.ids import new_id
from audit.models import Entry
from tests import making

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.fixture
def handled(cur, known, alice):
    """A signal "s1" that one agent ran on."""
    row = understand(known, wrap("json", {"id": "s1", "type": "visit", "account": "acme"}), at=AT)
    receive(cur, [row])
    agent = making.agent(making.play(making.sandbox()), alice)
    run = Run.objects.create(
        id=new_id(), signal_id=row.id, agent=agent, region_id=row.region[1], segment_id=row.segment[1],
        policy=agent.policy, account="acme",
        score=70, confidence=60, reasons=[], verdict="none", clause="", why="", shadow=False,
        brain="scorecard", received_at=AT, decided_at=AT, is_demo=False,
    )  # fmt: skip
    return run


def report(cur, known, *items):
    return outcomes.receive(cur, [outcomes.read(known, item, at=AT) for item in items])


def test_an_outcome_goes_to_the_run_of_its_signal_once(cur, known, handled):
    revenue = {"signal": "s1", "kind": "revenue", "value": 99.5, "time": "2026-11-21T12:00:00Z"}
    assert report(cur, known, revenue, revenue, {"signal": "s1", "kind": "meeting"}) == [
        "accepted",
        "duplicate",
        "accepted",
    ]
    assert report(cur, known, revenue) == ["duplicate"]
    first, second = Outcome.objects.order_by("kind")
    assert (first.kind, first.value, second.kind, second.value) == ("meeting", 1, "revenue", Decimal("99.50"))
    assert (second.run_id, second.agent, second.acted, second.actor) == (handled.id, handled.agent, False, "source:web")
    assert second.occurred_at == datetime(2026, 11, 21, 12, tzinfo=UTC)
    entry = Entry.objects.filter(verb="outcome.received").first()
    assert (entry.run, entry.agent, entry.account) == (handled.id, handled.agent.slug, "acme")
    assert Entry.objects.filter(verb="outcome.received").count() == 2
    assert Agent.objects.count() == 1


def test_an_unknown_signal_is_refused_in_words(cur, known, handled):
    (refused,) = report(cur, known, {"signal": "s2", "kind": "revenue"})
    assert isinstance(refused, Refused)
    assert not Outcome.objects.exists()


@pytest.mark.parametrize(
    "item",
    [
        1,
        None,
        {},
        {"signal": "s1"},
        {"kind": "revenue"},
        {"signal": "s1", "kind": "revenue", "value": "a lot"},
        {"signal": "s1", "kind": "revenue", "value": "NaN"},
        {"signal": "s1", "kind": "revenue", "value": 1e30},
        {"signal": "s1", "kind": "revenue", "value": True},
        {"signal": "s1", "kind": "revenue", "value": [1]},
        {"signal": "s1", "kind": "revenue", "time": "soon"},
        {"signal": {}, "kind": []},
    ],
)
def test_what_is_no_outcome_is_refused(known, item):
    assert isinstance(outcomes.read(known, item, at=AT), Refused)
