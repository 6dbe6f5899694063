import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agents.brains.scorecard import ScorecardBrain
from agents.rules.history import cites, facts, fold, history_reason
from agents.rules.plays import compile_choices
from agents.rules.scoring import compile_scorecard

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def told(state, n, *, at=NOW, signal=None, play=None):
    return fold(
        state, signal=signal or f"s{n}", type=f"t{n}", at=at, run=f"r{n}", score=n % 100, play=play, agent="inbound"
    )


def test_an_empty_history_is_missing_not_zero_minutes():
    assert facts(None, now=NOW) == {
        "signals_7d": 0,
        "signals_30d": 0,
        "plays_30d": 0,
        "last": [],
        "last_type": None,
        "minutes_since_last": None,
    }
    assert history_reason(facts(None, now=NOW)) is None


def test_facts_of_the_last_days():
    state = None
    for n, days in enumerate((40, 20, 6, 0)):
        state = told(state, n, at=NOW - timedelta(days=days, minutes=5), play="call" if n else None)
    found = facts(state, now=NOW)
    assert (found["signals_7d"], found["signals_30d"], found["plays_30d"]) == (2, 3, 3)
    assert (found["last_type"], found["minutes_since_last"]) == ("t3", 5)
    assert cites(found) == ["r3", "r2", "r1", "r0"]
    assert facts(state, now=NOW + timedelta(days=60))["signals_30d"] == 0


def test_two_agents_on_one_signal_are_two_runs_and_one_signal():
    state = told(told(None, 1, signal="same"), 2, signal="same")
    assert (facts(state, now=NOW)["signals_7d"], cites(state)) == (1, ["r2", "r1"])
    assert told(state, 2, signal="same") == state


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 90)), max_size=60))
def test_state_stays_small_ordered_and_json(steps):
    state = None
    for n, days in steps:
        before = json.dumps(state)
        after = told(state, n, at=NOW - timedelta(days=days), play="p")
        assert json.dumps(state) == before
        state = json.loads(json.dumps(after))
    if state:
        times = [entry["at"] for entry in state["last"]]
        assert times == sorted(times, reverse=True)
        assert len(times) <= 10
        assert len(state["days"]) <= 30
        assert len(json.dumps(state)) < 4000
        found = facts(state, now=NOW)
        assert found["signals_7d"] <= found["signals_30d"] <= len(steps)


def test_the_later_run_cites_the_earlier():
    scorecard = compile_scorecard(
        {
            "criteria": [
                {"key": "any", "weight": 1, "condition": {"field": "signal.id", "op": "exists"}},
                {"key": "back", "weight": 1, "condition": {"field": "history.signals_7d", "op": "gte", "value": 1}},
            ]
        }
    )
    state = told(None, 1, play="call")
    document = {"signal": {"id": "s2"}, "account": {}, "history": facts(state, now=NOW)}
    thought = ScorecardBrain().decide(document, scorecard=scorecard, choices=compile_choices([]))
    assert thought.score == 100
    assert [reason.get("cites") for reason in thought.reasons] == [None, ["r1"], ["r1"]]
    assert thought.reasons[-1]["why"] == "inbound scored t1 at 1 and chose call"
