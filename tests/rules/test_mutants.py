"""Boundaries with one thing changed in them answer differently somewhere in what the real ones are held to."""

import gc
import random
from dataclasses import asdict
from typing import Any

import pytest

from agents.rules import boundaries, hours
from agents.rules.errors import SpecError
from tests.rules import generated
from tests.rules.mutants import changed, mutants
from tests.rules.oracle import deciding as oracle

SIZE = 6000
SAME = {
    "hold: self.start < self.end with LtE": "they are never the same: reading refuses it",
    "left: minute < self.end with LtE": "nobody asks when a stretch ends that does not hold",
    "left: end.astimezone(UTC) <= local.astimezone(UTC) with Lt": "the same",
    "quiet_until: end < limit with LtE": "reading refuses what is quiet for a week",
    "quiet_until: 8 as 9": "the same",
    "quiet_until: end.astimezone(UTC) + timedelta(seconds=60) with Sub": "a belt: what `left` says is always later",
    "left: local.hour * 60 + local.minute with Sub": "the belt",
    "_true: activation is None or self.when is None with And": "an expression that is asked of nothing can't be told",
    "_clause: 101 as 102": "confidence ends at 99",
    "_hours: 7 as 8": "there is no eighth day",
}
"""Mutants that answer the same whatever they are asked."""
REAL = {"boundaries": boundaries, "hours": hours}


class Corpus:
    """Policies and facts, with what the real boundaries say of them; the oracle's tests say that they are right."""

    def __init__(self, rng: random.Random) -> None:
        self.policies = [generated.policy(rng) for _ in range(SIZE // 6)]
        self.facts = [[generated.facts(rng) for _ in range(6)] for _ in self.policies]
        self.moments = [generated.moment(rng) for _ in range(60)]
        self.said = [list(self._say(REAL, n)) for n in range(len(self.policies))]

    def catches(self, modules: dict[str, Any]) -> bool:
        """Whether they say anything else, or break."""
        for n, expected in enumerate(self.said):
            try:
                if list(self._say(modules, n)) != expected:
                    return True
            except Exception:
                return True
        return False

    def _say(self, modules: dict[str, Any], n: int) -> Any:
        try:
            policy = modules["boundaries"].compile_policy(self.policies[n])
        except SpecError as error:
            yield str(error)
            return
        yield policy.timely, policy.reads_fields
        for facts in self.facts[n]:
            decision = policy.decide(facts)
            yield (
                decision.verdict,
                decision.clause,
                decision.shadow,
                decision.approvers,
                decision.editable,
                decision.why,
            )
        if policy.limits.quiet:
            zone = modules["hours"].time_zone("Europe/Berlin")
            for at in self.moments:
                yield modules["hours"].quiet_until(policy.limits.quiet, at, zone)


@pytest.fixture(scope="module")
def corpus():
    return Corpus(random.Random("one that catches them all"))


def test_what_the_real_ones_say_is_what_the_oracle_says(corpus):
    asked = 0
    for spec, some, said in zip(corpus.policies, corpus.facts, corpus.said, strict=True):
        if isinstance(said[0], str) or any(clause.get("when") for clause in spec["clauses"]):
            continue
        for facts, (verdict, clause, shadow, approvers, editable, _) in zip(some, said[1:], strict=False):
            asked += 1
            assert oracle.decide(spec, asdict(facts)) == oracle.Answer(verdict, clause, shadow, approvers, editable)
    assert asked > SIZE // 4


@pytest.fixture
def uncollected():
    """No garbage is collected meanwhile: a collection that runs Python amid `ast.parse` breaks it before CPython 3.13
    (github.com/python/cpython/issues/106905)."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_every_mutant_is_caught(corpus, seed, hostile):
    found = [mutant for mutant in mutants() if mutant.what not in SAME]
    chosen = found if hostile.full else random.Random(f"{seed}:chosen").sample(found, 20)
    alive = [str(mutant) for mutant in chosen if not corpus.catches(changed(mutant))]
    print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants caught")
    assert alive == []
