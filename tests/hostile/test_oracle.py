"""Issue 3's oracle: two evaluators, written apart from the same page, agree on whatever is asked."""

import json
from collections import Counter
from collections.abc import Iterator
from random import Random

from agents.rules.boundaries import Policy, compile_policy
from agents.rules.facts import Facts, facts_document, facts_of
from tests.rules.oracle.deciding import Answer, conditions, decide, fits
from tests.rules.oracle.making import facts, policy

PAIRS, FACTS_OF_EACH = 100_000, 20
PARTS = ("plays", "regions", "segments", "accounts", "people", "min_confidence", "below_confidence", "min_risk")
PARTS += ("max_risk", "reversible")
TOLD_OR_NOT = ("min_value", "above_value", "max_value", "hours", "when")
REACHED = {
    *((part, told) for part in PARTS for told in (True, False)),
    *((part, told) for part in TOLD_OR_NOT for told in (True, False, None)),
    *(("can't be told", say) for say in ("alone", "ask", "never")),
    *(("answer", kind) for kind in ("alone: a clause", "ask: a clause", "never: a clause", "never: default")),
    *(("answer", kind) for kind in ("ask: unassigned", "ask: stage:supervised", "never: stale")),
    *(("answer", kind) for kind in ("never: stage:draft", "never: stage:retired")),
    *(("shadow", verdict) for verdict in ("alone", "ask", "never")),
    *(("approvers", number) for number in (1, 2, 3, 5)),
}
"""What the pairs must come to, each at least once in a thousand."""


def test_the_oracle_agrees(seed, hostile):
    size = hostile.of(PAIRS)
    seen: Counter = Counter()
    for number in range(size // FACTS_OF_EACH):
        made = Random(f"{seed}:{number}")
        spec = policy(made)
        compiled = compile_policy(spec)
        for _ in range(FACTS_OF_EACH):
            given = facts(made, spec)
            ours = decide(spec, given)
            if any(other != ours for other in of_product(compiled, given)):
                disagree(spec, given, f"--seed={seed}, policy {number}")
            seen.update(reached(spec, given, ours))
    for what, times in sorted(seen.items(), key=str):
        print(f"{times:8} {what[0]}: {what[1]}")
    assert {what for what in REACHED if seen[what] * 1000 < size} == set(), "The pairs reach too little"


def of_product(compiled: Policy, given: dict) -> list[object]:
    """What Signalbox answers to the facts, and to the same facts kept and read again; or what it raises."""
    try:
        made = Facts(**given)
        return [answered(compiled.decide(one)) for one in (made, kept(made))]
    except Exception as error:
        return [error]


def kept(made: Facts) -> Facts:
    """The facts after being kept as JSON, null left out, with the fields that the signal has."""
    document = json.loads(json.dumps(facts_document(made)))
    return facts_of({name: given for name, given in document.items() if given is not None}, made.fields)


def answered(given: object) -> Answer:
    return Answer(given.verdict, given.clause, given.shadow, given.approvers, given.editable)


def reached(spec: dict, given: dict, ours: Answer) -> Iterator[tuple[str, object]]:
    own = {clause["id"] for clause in spec["clauses"]}
    yield "answer", f"{ours.verdict}: {'a clause' if ours.clause in own else ours.clause}"
    yield "approvers", ours.approvers
    if ours.shadow:
        yield "shadow", ours.verdict
    for clause in spec["clauses"]:
        told = conditions(clause, given)
        yield from told.items()
        if None in told.values() and False not in told.values():
            yield "can't be told", clause["say"]


def disagree(spec: dict, given: dict, where: str) -> None:
    """Fail with the least policy and facts on which the two still differ."""
    spec, given = least(spec, given)
    told = {clause["id"]: (conditions(clause, given), fits(clause, given)) for clause in spec["clauses"]}
    raise AssertionError(
        f"{where}\npolicy  {spec}\nfacts   {given}\noracle  {decide(spec, given)}\n"
        f"        {told}\nproduct {of_product(compile_policy(spec), given)}"
    )


def least(spec: dict, given: dict) -> tuple[dict, dict]:
    for smaller in smaller_ones(spec, given):
        try:
            ours = decide(*smaller)
            differs = any(other != ours for other in of_product(compile_policy(smaller[0]), smaller[1]))
        except Exception:
            continue
        if differs:
            return least(*smaller)
    return spec, given


PLAIN = {
    "play": "",
    "region": "emea",
    "segment": "smb",
    "confidence_pct": 0,
    "risk": "low",
    "stage": "autonomous",
    "age_minutes": 0.0,
    "account": "",
    "person": "",
    "value": None,
    "currency": "",
    "reversible": False,
    "at": None,
    "zone": "",
    "fields": {},
}


def smaller_ones(spec: dict, given: dict) -> Iterator[tuple[dict, dict]]:
    for part in set(spec) - {"clauses"}:
        yield {name: one for name, one in spec.items() if name != part}, given
    for number, clause in enumerate(spec["clauses"]):
        before, after = spec["clauses"][:number], spec["clauses"][number + 1 :]
        yield spec | {"clauses": before + after}, given
        for part in set(clause) - {"id", "say"}:
            less = {name: one for name, one in clause.items() if name != part}
            yield spec | {"clauses": [*before, less, *after]}, given
    for fact, plain in PLAIN.items():
        if repr(given[fact]) != repr(plain):
            yield spec, given | {fact: plain}
