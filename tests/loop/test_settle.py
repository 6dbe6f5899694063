"""What comes of an answer that arrives late, after the sweeper has given its attempt up."""

import pytest

from agents import watchdog
from agents.again import resolve_unknown
from agents.connectors.contract import Answer, Verdict
from agents.loop.decide import decide
from agents.loop.gate import gate
from agents.loop.hot import Hot
from agents.loop.settle import Settled, settle
from agents.models import Action, Attempt
from tests import making, told

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def hot():
    made = Hot()
    yield made
    made.close()


@pytest.fixture
def given_up(hot, alice):
    """An attempt that was permitted, and swept once its flight was over."""
    making.agent(making.play(making.sandbox()), alice)
    making.signals([{}])
    decide(hot)
    (permitted,) = gate(hot)
    told.execute(hot.connection, "UPDATE agents_action SET flight_until = clock_timestamp() - '1 second'::interval")
    watchdog._overdue()
    watchdog.hot.close()
    assert (Action.objects.get().state, Attempt.objects.get().verdict) == ("unknown", "unknown")
    return permitted


def late(hot, permitted, verdict):
    answer = Answer(verdict, None, "it came late", 1)
    settle(hot, [Settled(permitted.action, permitted.attempt, permitted.connection.id, answer, permitted.line)])
    return Action.objects.get().state, Attempt.objects.get().verdict


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(Verdict.DELIVERED, "delivered"), (Verdict.EXPIRED, "ready"), (Verdict.UNKNOWN, "unknown")],
)
def test_a_late_answer_says_what_nobody_knew(hot, given_up, verdict, state):
    assert late(hot, given_up, verdict) == (state, verdict)


def test_a_late_answer_leaves_alone_what_a_person_resolved(hot, given_up, alice):
    assert resolve_unknown(given_up.action, happened=False, person=alice)
    assert late(hot, given_up, Verdict.DELIVERED)[0] == "failed"


def test_a_late_answer_leaves_alone_what_was_permitted_again(hot, given_up):
    told.execute(hot.connection, "UPDATE agents_action SET state = 'ready'")
    (again,) = gate(hot)
    assert again.attempt != given_up.attempt
    settle_late = Answer(Verdict.DELIVERED, None, "it came late", 1)
    settle(hot, [Settled(given_up.action, given_up.attempt, given_up.connection.id, settle_late, given_up.line)])
    assert Action.objects.get().state == "sending"
