"""What an agent's page says of its results, on runs that the loop decided."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Action, Agent, Outcome, Run
from agents.results import results, track_record
from approvals.models import Verdict
from audit.ids import new_id
from tests.deciding import furnish, run_loop


@pytest.fixture
def real(alice, workspace):
    return furnish(alice)


def test_outcomes_are_split_by_whether_it_had_acted(real, client, alice):
    for n in range(6):
        real.signal(f"Jo {n}")
    run_loop()
    runs = list(Run.objects.order_by("id"))
    acted = [run.pk for run in runs[:4]]
    Action.objects.filter(run_id__in=acted).update(state="delivered", settled_at=timezone.now())
    for run, did in ((runs[0], True), (runs[1], True), (runs[2], False), (runs[4], False)):
        now = timezone.now()
        Outcome.objects.create(
            id=new_id(), run=run, agent=real.agent, kind="meeting", value=1, acted=did, occurred_at=now,
            received_at=now, actor="source:web",
        )  # fmt: skip
    found = results([Agent.objects.select_related("metric").get()])[real.agent.pk]
    assert (found.acted.runs, found.acted.hits) == (4, 2)
    assert (found.rest.runs, found.rest.hits) == (2, 1)
    assert (found.value, found.met, len(found.days), found.days[-1].value) == (50.0, True, 30, 50.0)
    client.force_login(alice)
    text = client.get("/agents/inbound-intent").content.decode()
    assert "<b>50.0 %</b>" in text
    assert "15.0 % to 85.0 %" in text


def test_the_track_record_counts_answers_apart_from_silence(real, client, alice):
    approvals = real.ask(5)
    for approval in approvals[:2]:
        Verdict.objects.create(
            approval=approval, person=alice, said="yes", binding=approval.binding, at=timezone.now(), took_ms=9000
        )
    for approval, state in zip(approvals, ("approved", "approved", "rejected", "expired"), strict=False):
        approval.state, approval.decided_by, approval.decided_at = state, alice, timezone.now()
        approval.save()
    found = track_record(real.agent)
    assert (found.approved, found.rejected, found.expired) == (2, 1, 1)
    assert (found.answered.hits, found.answered.runs) == (2, 3)


def test_an_agents_page_costs_the_same_at_any_history(real, client, alice):
    client.force_login(alice)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/agents/inbound-intent").status_code == 200
        return len(queries)

    real.ask(2)
    few = cost()
    real.ask(15)
    assert cost() <= few <= 24
