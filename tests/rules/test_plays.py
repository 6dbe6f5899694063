import pytest

from agents.brains.scorecard import ScorecardBrain
from agents.rules.errors import SpecError
from agents.rules.plays import compile_choices
from agents.rules.scoring import compile_scorecard

CHOICES = compile_choices(
    [
        {"play": "exec", "when": {"field": "signal.segment", "op": "eq", "value": "enterprise"}, "min_score": 80},
        {"play": "sure", "when": {"field": "confidence", "op": "gte", "value": 90}},
        {"play": "call", "when": {"field": "signal.page", "op": "in", "value": ["/pricing"]}, "min_score": 50},
    ]
)


def choose(score, confidence, **signal):
    return CHOICES.choose({"signal": signal}, score=score, confidence_pct=confidence)


def test_the_first_that_fits_wins_and_says_why():
    assert choose(85, 95, segment="enterprise", page="/pricing").play == "exec"
    assert choose(85, 95, page="/pricing").play == "sure"
    found = choose(60, 70, segment="enterprise", page="/pricing")
    assert (found.play, found.why) == ("call", "call: signal.page is one of /pricing and score is at least 50")


def test_none_says_what_stood_against_each():
    found = choose(60, 70)
    assert found.play is None
    assert found.why == (
        "No play fits. exec is only for a score of 80 or more, and it is 60; "
        "sure is only for where confidence is at least 90, which is not so; "
        "call is only for where signal.page is one of /pricing, which is not known"
    )


def test_below_the_threshold_the_brain_chooses_nothing():
    card = {"criteria": [{"key": "a", "weight": 1, "condition": {"field": "signal.a", "op": "eq", "value": 1}}]}
    choices = compile_choices([{"play": "call"}])
    document = {"signal": {"a": 2}, "account": {}, "history": {}}
    brain = ScorecardBrain()
    assert brain.decide(document, scorecard=compile_scorecard(card), choices=choices).play == "call"
    thought = brain.decide(document, scorecard=compile_scorecard({**card, "threshold": 1}), choices=choices)
    assert (thought.play, thought.why) == (None, "No play: score 0 is below the threshold 1")
    assert (thought.brain, thought.version) == ("scorecard", "1")


def test_every_fault_is_listed_with_its_place():
    spec = [{"play": "gone"}, {"min_score": 101}, {"play": "call", "when": {"field": "", "op": "eq", "value": 1}}, 7]
    with pytest.raises(SpecError) as caught:
        compile_choices(spec, plays={"call"})
    assert [fault.where for fault in caught.value.faults] == [
        "plays[0].play",
        "plays[1].play",
        "plays[1].min_score",
        "plays[2].when.field",
        "plays[3]",
    ]
    assert CHOICES.plays == ("exec", "sure", "call")
