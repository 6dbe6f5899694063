"""What other boundaries would have made of past runs: counted by clause, in one statement, however long the history."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.loop.decide import decide
from agents.loop.hot import Hot
from agents.models import Run
from agents.replay import MOST, replay
from agents.rules.boundaries import compile_policy
from audit.ids import new_ids
from tests import making

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def agent(alice):
    made = making.agent(making.play(making.sandbox()), alice)
    for code in ("emea/de", "amer"):
        making.region(code)
    return made


def decide_all():
    hot = Hot()
    while decide(hot).signals:
        pass
    hot.close()


def policy(*clauses):
    return compile_policy({"clauses": [{"id": f"c{n}", **one} for n, one in enumerate(clauses, 1)]})


ALONE, ASK, NEVER = {"say": "alone"}, {"say": "ask"}, {"say": "never"}


def test_it_counts_by_clause_what_would_have_been_otherwise(agent):
    german = making.region("emea/de")
    making.signals([{"region": german}] * 3 + [{"region": making.region("amer")}] * 4)
    decide_all()
    told = replay(agent.pk, policy(ALONE), policy(ALONE, {**ASK, "regions": ["emea"]}))
    assert (told.runs, told.shifted, told.freed, told.unread, told.thin) == (7, 3, 0, 0, 0)
    (shift,) = told.shifts
    assert (shift.before, shift.clause_before, shift.after, shift.clause_after) == ("alone", "c1", "ask", "c2")
    assert (shift.runs, len(shift.examples)) == (3, 3)
    assert (told.was, told.now) == ({"alone": 7, "ask": 0, "never": 0}, {"alone": 4, "ask": 3, "never": 0})
    assert Run.objects.get(pk=shift.examples[0].run).region == german
    back = replay(agent.pk, None, policy(ALONE))
    assert (back.freed, back.shifts[0].clause_before) == (7, "default")


def test_runs_whose_facts_cannot_be_read_are_counted_and_left_out(agent):
    making.signals([{}] * 4)
    decide_all()
    first, second = Run.objects.order_by("id").values_list("pk", flat=True)[:2]
    Run.objects.filter(pk=first).update(facts={"play": 7})
    Run.objects.filter(pk=second).update(facts={})
    told = replay(agent.pk, policy(ALONE), policy(ASK))
    assert (told.runs, told.unread, told.thin, told.shifted) == (3, 1, 1, 3)


def test_only_the_newest_are_looked_at_in_one_statement(agent):
    making.signals([{}] * 5)
    decide_all()
    with CaptureQueriesContext(connection) as queries:
        told = replay(agent.pk, policy(ALONE), policy(ASK), size=3)
    assert (told.runs, len(queries)) == (3, 1)


def test_twelve_thousand_are_replayed_in_under_ten_seconds(agent, capsys):
    making.signals([{"fields": {"page": "/pricing", "value": 6000}}])
    decide_all()
    run = Run.objects.get()
    copies = [
        Run(**{**{f.attname: getattr(run, f.attname) for f in Run._meta.fields}, "id": id_})
        for id_ in new_ids(MOST + 500)
    ]
    Run.objects.bulk_create(copies, batch_size=2000)
    many = [{**ASK, "regions": [f"r{n}"], "min_confidence": n} for n in range(60)]
    late = {**NEVER, "regions": ["amer"], "hours": ["18:00", "24:00"]}
    many += [late, {**ASK, "above_value": 9000, "currency": "EUR"}, {**ASK, "when": "fields.seats > 40"}]
    began = time.monotonic()
    told = replay(agent.pk, policy(ALONE, *many), policy(ALONE, *many, {**ASK, "min_confidence": 1}), size=MOST)
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{told.runs} runs replayed against 64 and 65 clauses in {took:.2f} s")
    assert told.runs == MOST
    assert took < 10
