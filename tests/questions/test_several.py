"""Where a clause wants several persons, that many different ones say yes to the very same thing."""

import asyncio

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import access, questions
from agents.loop.act import Drain
from agents.loop.hot import hot
from approvals.models import Approval, Verdict
from tests import told
from tests.deciding import action_of


def yes(one, person, **more):
    return questions.approve(one.pk, person=person, binding=bytes(one.binding), **more)


def test_the_first_yes_leaves_it_waiting_and_the_second_makes_it_ready(two, bob, carol):
    (one,) = two.ask()
    after = yes(one, bob)
    assert (after.state, after.given, after.needed, action_of(one).state) == ("waiting", 1, 2, "waiting")
    assert [len(access.waiting_for(person)) for person in (bob, carol)] == [0, 1]
    assert (yes(one, carol).state, action_of(one).state) == ("approved", "ready")
    assert action_of(one).why == "Approved by Bob and Carol."


def test_one_person_counts_once(two, bob):
    (one,) = two.ask()
    yes(one, bob)
    with pytest.raises(questions.Stale, match="said yes already"):
        yes(one, bob)
    assert (Approval.objects.get().given, action_of(one).state) == (1, "waiting")


def test_the_database_refuses_the_same_person_twice_and_an_approval_without_enough(two, bob):
    (one,) = two.ask()
    yes(one, bob)
    with pytest.raises(IntegrityError, match="verdict_once_a_person"):
        Verdict.objects.create(
            approval=one, person=bob, said="yes", binding=bytes(one.binding), at=timezone.now(), took_ms=1
        )
    with pytest.raises(IntegrityError, match="without 2 persons"), transaction.atomic():
        Approval.objects.update(state="approved", decided_by=bob, decided_at=timezone.now())


def test_one_no_ends_it_whoever_said_yes_before(two, bob, carol):
    (one,) = two.ask()
    yes(one, bob)
    questions.reject(one.pk, person=carol, binding=bytes(one.binding), reason="other")
    assert (Approval.objects.get().state, action_of(one).state) == ("rejected", "rejected")


def test_a_yes_is_taken_back_while_others_are_still_needed(two, bob, carol):
    (one,) = two.ask()
    yes(one, bob)
    assert questions.take_back(one.pk, person=bob)
    assert not questions.take_back(one.pk, person=carol)
    assert Approval.objects.get().given == 0
    yes(one, carol)
    assert (yes(one, bob).state, action_of(one).state) == ("approved", "ready")


def test_the_binding_covers_how_many_are_needed(two, bob, carol):
    (one,) = two.ask()
    yes(one, bob)
    yes(one, carol)
    told.execute(hot.connection, "UPDATE approvals_approval SET needed = 1")
    told.execute(hot.connection, "UPDATE agents_action SET not_before = now() - interval '1 minute'")
    asyncio.run(Drain(hot).run())
    assert (action_of(one).state, action_of(one).why) == ("refused", "What was approved is not what would be sent.")


def test_who_may_answer_is_the_same_asked_of_a_person_or_of_a_question(two, person, alice, bob, carol, charlie):
    people = [alice, bob, carol, charlie, person("Dan", role="engineer"), person("Eve", role="ops")]
    for number, change in enumerate([{}, {"built_by": bob}, {"edited_by": carol}]):
        type(two.agent).objects.update(**change)
        for risk in ("low", "high"):
            type(two.play).objects.update(risk=risk)
            (one,) = two.ask(account=f"account-{number}-{risk}.example")
            if number == 2:
                yes(one, people[-1])
            one.editors = [people[0].pk]
            one.save(update_fields=["editors"])
            by_person = {each.pk for each in people if access.may_answer(each, one)}
            assert {each.pk for each in access.may_answer_it(one)} == by_person


def test_who_may_not_is_refused(two, charlie):
    (one,) = two.ask()
    with pytest.raises(PermissionDenied):
        yes(one, charlie)


def test_an_answer_costs_the_same_however_many_wait(two, bob, carol):
    ones = two.ask(6)
    costs = []
    for one in ones[:2]:
        with CaptureQueriesContext(connection) as first:
            yes(one, bob)
        with CaptureQueriesContext(connection) as second:
            yes(one, carol)
        costs.append((len(first), len(second)))
    print(f"statements of a first and a last yes: {costs[0]}")
    assert costs[0] == costs[1]
    assert max(costs[0]) <= 24
