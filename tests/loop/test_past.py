"""What a run was decided on is read back as it was."""

import pytest
from django.db import connection

from agents.loop import past
from agents.loop.decide import decide
from agents.loop.hot import Hot
from agents.models import Run
from agents.rules.boundaries import compile_policy
from tests import making

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def runs(alice):
    hot = Hot()
    made = making.agent(making.play(making.sandbox()), alice)
    making.region("emea/de")
    making.region().__class__.objects.filter(code="emea").update(time_zone="Europe/Berlin", currency="GBP")
    making.signals(
        [
            {"email": "kim@example.com", "fields": {"value": 12.5, "currency": "usd", "time_zone": "Asia/Tokyo"}},
            {"fields": {"value": "no number", "seats": 3}},
        ]
    )
    while decide(hot).signals:
        pass
    hot.close()
    return made


def test_facts_stand_with_the_run(runs):
    with connection.cursor() as cursor:
        second, first = past.newest(cursor, runs.pk, limit=10)
        assert set(past.these(cursor, [first.run])) == {first.run}
    run = Run.objects.get(pk=first.run)
    facts = first.facts
    assert (facts.value, facts.currency, facts.zone) == (12.5, "USD", "Asia/Tokyo")
    assert (facts.person, facts.account) == (bytes(run.contact).hex(), run.account)
    assert (facts.at, facts.reversible, facts.stage) == (run.decided_at, True, "autonomous")
    facts = second.facts
    assert (facts.value, facts.currency, facts.zone, facts.person) == (None, "GBP", "Europe/Berlin", "")
    assert facts.fields["seats"] == 3


def test_a_run_from_before_facts_were_kept_is_read_from_its_columns(runs):
    with connection.cursor() as cursor:
        kept = list(past.newest(cursor, runs.pk, limit=10))
        Run.objects.update(facts={})
        bare = list(past.newest(cursor, runs.pk, limit=10))
    policy = compile_policy(making.ALONE)
    for before, after in zip(kept, bare, strict=True):
        assert (after.facts.play, after.facts.region, after.facts.risk) == (before.facts.play, "emea", "low")
        assert (after.facts.person, after.facts.at) == (before.facts.person, before.facts.at)
        assert policy.decide(after.facts) == policy.decide(before.facts)


def test_fields_are_left_where_they_are_unless_asked_for(runs):
    with connection.cursor() as cursor:
        assert [one.facts.fields for one in past.newest(cursor, runs.pk, limit=10, fields=False)] == [{}, {}]
