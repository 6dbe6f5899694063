from agents.brains.scorecard import ScorecardBrain
from agents.rules.boundaries import Facts, compile_policy
from agents.rules.mapping import compile_mapping
from agents.rules.plays import compile_choices
from agents.rules.scoring import compile_scorecard
from agents.rules.templates import compile_payload
from bench import work


def test_the_bench_s_work_as_specs_scores_chooses_and_acts_the_same():
    mapping = compile_mapping(work.MAPPING, **work.KNOWN)
    scorecard, choices = compile_scorecard(work.SCORECARD), compile_choices(work.CHOICES)
    policy, payload, brain = compile_policy(work.POLICY), compile_payload(work.PAYLOAD), ScorecardBrain()
    seen = set()
    for signal in work.signals(5000):
        score, confidence, play, alone, body = work.expected(signal)
        mapped = mapping.apply(signal)
        assert mapped.problems == []
        document = work.document(mapped, signal)
        thought = brain.decide(document, scorecard=scorecard, choices=choices)
        assert (thought.score, thought.confidence_pct, thought.play) == (score, confidence, play)
        facts = Facts(play, mapped.region, mapped.segment, thought.confidence_pct, "low", "autonomous")
        assert policy.decide(facts).verdict == ("alone" if alone else "ask")
        sent = payload.render(work.decided(document, thought))
        assert {**sent, "hits": set(sent["hits"])} == body
        seen.add((play, alone))
    assert len(seen) == 6
