import time
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.loop.decide import decide
from agents.loop.hot import hot
from agents.models import Action, Signal
from console.intake.commit import Committer
from console.intake.pace import BEHIND_SECONDS, LONGEST_SECONDS, STEEPNESS, Pace
from tests import making


@pytest.fixture
def pace(workspace):
    """A pace that looks every time it is asked to write."""
    found = Pace(lambda cursor, rows: list(rows))

    def look(together=2):
        with hot.transaction() as cursor:
            found._looked = 0.0
            assert found.write(cursor, [1, 2]) == [1, 2]
        return found.wait(together)

    yield look
    hot.close()


def test_nobody_waits_while_the_loop_keeps_up(pace):
    assert pace() == 0.0
    making.signals([{}])
    Signal.objects.update(received_at=timezone.now())
    assert pace() == 0.0


def test_groups_wait_longer_the_longer_a_signal_was_not_decided(pace):
    making.signals([{}])
    Signal.objects.update(received_at=timezone.now() - timedelta(seconds=BEHIND_SECONDS + 0.4))
    assert STEEPNESS * 0.4 <= pace() < LONGEST_SECONDS
    Signal.objects.update(received_at=timezone.now() - timedelta(seconds=30))
    assert pace() == LONGEST_SECONDS
    assert pace(together=1) == 0.0


def test_what_is_ready_counts_from_when_it_was_due(pace, alice):
    making.agent(making.play(making.sandbox()), alice)
    making.signals([{}])
    decide(hot)
    Action.objects.update(
        not_before=timezone.now() + timedelta(hours=1), received_at=timezone.now() - timedelta(days=1)
    )
    assert pace() == 0.0
    Action.objects.update(not_before=timezone.now() - timedelta(seconds=30))
    assert pace() == LONGEST_SECONDS


def test_a_loop_that_stands_still_holds_up_nobody(pace):
    making.signals([{}])
    Signal.objects.update(received_at=timezone.now() - timedelta(hours=1))
    assert pace() == 0.0


def test_what_was_seen_long_ago_holds_up_nobody(workspace):
    pace = Pace(lambda cursor, rows: list(rows))
    pace._behind, pace._looked = 30.0, time.monotonic() - 2
    assert pace.wait(2) == 0.0


def test_a_committer_gathers_for_as_long_as_it_is_told(workspace):
    waits = iter([0.2, 0.0])
    committer = Committer(lambda cursor, rows: list(rows), after=lambda: None, wait=lambda _: next(waits))
    began = time.monotonic()
    assert committer.put([1]) == [1]
    waited = time.monotonic() - began
    assert committer.put([2]) == [2]
    assert waited >= 0.2
