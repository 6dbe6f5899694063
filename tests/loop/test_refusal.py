"""What changed between the decision and the gate has the last word."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from agents import questions
from agents.changes.play import change_play
from agents.changes.policy import publish_policy
from agents.connectors.contract import Answer, Verdict
from agents.loop.act import Drain
from agents.loop.decide import decide
from agents.loop.gate import gate
from agents.loop.hot import Hot
from agents.loop.settle import Settled, settle
from agents.models import Action, Play
from approvals.models import Approval
from tests import making

pytestmark = pytest.mark.usefixtures("workspace")
EARLIER = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def hot():
    made = Hot()
    yield made
    made.close()


@pytest.fixture
def decided(hot, alice, bob):
    """One action that only the gate stands before: asked and said yes to, or decided alone."""

    def make(way):
        agent = making.agent(making.play(making.sandbox()), alice, policy=making.ASK if way == "yes" else making.ALONE)
        making.signals([{"email": "kim@example.com"}])
        decide(hot)
        if way == "yes":
            asked = Approval.objects.get()
            questions.approve(asked.pk, person=bob, binding=bytes(asked.binding))
        Action.objects.update(not_before=EARLIER)
        return agent

    return make


def change(*, is_active=True, risk="low"):
    play = Play.objects.get()
    change_play(play, actor="person:1", name=play.name, purpose="", risk=risk, steps=play.steps, is_active=is_active)


def passed(hot):
    asyncio.run(Drain(hot).run())
    action = Action.objects.get()
    return action.state, action.why


@pytest.mark.parametrize("way", ["yes", "alone"])
def test_a_play_that_changed_is_not_sent(hot, decided, way):
    decided(way)
    change(risk="high")
    state, why = passed(hot)
    assert (state, "The play was changed since" in why) == ("refused", True)


@pytest.mark.parametrize("way", ["yes", "alone"])
def test_a_play_that_is_switched_off_sends_nothing(hot, decided, way):
    decided(way)
    change(is_active=False)
    assert passed(hot) == ("refused", "The play is switched off or faulty.")


@pytest.mark.parametrize(
    ("way", "clause", "state"),
    [
        ("yes", {"id": "c1", "say": "ask", "note": "newer"}, "waiting"),
        ("yes", {"id": "c1", "say": "alone"}, "waiting"),
        ("yes", {"id": "c2", "say": "ask"}, "waiting"),
        ("yes", {"id": "c1", "say": "never"}, "withdrawn"),
        ("alone", {"id": "c2", "say": "alone"}, "delivered"),
        ("alone", {"id": "c1", "say": "ask"}, "refused"),
        ("alone", {"id": "c1", "say": "alone", "min_confidence": 50}, "delivered"),
        ("alone", {"id": "c1", "say": "alone", "min_confidence": 100}, "refused"),
    ],
)
def test_boundaries_published_since_decide_again(hot, decided, way, clause, state):
    agent = decided(way)
    policy = publish_policy(
        agent, actor="person:1", spec={"clauses": [clause]}, reason="narrower", confirmed_by=agent.owner
    )
    assert passed(hot)[0] == state
    assert Action.objects.get().policy_id == (policy.pk - 1 if state == "refused" else policy.pk)


def test_an_agent_without_a_lock_of_its_own_is_kept_off_a_locked_person(hot, alice):
    greet = making.play(making.sandbox())
    making.agent(greet, alice, "with-a-lock", policy={**making.ALONE, "contact_lock_hours": 24})
    making.signals([{"email": "kim@example.com"}])
    asyncio.run(Drain(hot).run())
    making.agent(greet, alice, "without")
    making.signals([{"email": "kim@example.com"}])
    asyncio.run(Drain(hot).run())
    states = Action.objects.order_by("id").values_list("agent__slug", "state")
    assert sorted(states) == [("with-a-lock", "delivered"), ("with-a-lock", "delivered"), ("without", "refused")]


def test_trying_again_takes_nothing_of_the_limit(hot, alice):
    making.agent(making.play(making.sandbox()), alice, policy={**making.ALONE, "limits": {"hourly": 1}})
    making.signals([{}])
    decide(hot)
    for _ in range(3):
        (one,) = gate(hot)
        unsent = Answer(Verdict.UNSENT, None, "Connection refused.", 1)
        settle(hot, [Settled(one.action, one.attempt, one.connection.id, unsent, one.line)])
        Action.objects.update(not_before=EARLIER)
    assert passed(hot)[0] == "delivered"
    making.signals([{}])
    asyncio.run(Drain(hot).run())
    assert sorted(Action.objects.values_list("state", flat=True)) == ["delivered", "refused"]
