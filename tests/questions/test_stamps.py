"""Stamps and planted questions: what a person's answers say, and that a planted one sends nothing, whatever is said."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from agents import plants, questions, stamps
from agents.loop.gate import gate
from agents.loop.hot import hot
from agents.models import Action, Agent
from approvals.models import Approval, Call, Verdict
from audit.models import Entry
from tests.deciding import action_of

ACTOR = "worker:watchdog"


def ask(world, count):
    return [one for n in range(count) for one in world.ask(account=f"a{n}.example", account_name=f"Account {n}")]


def yes(one, person, **more):
    return questions.approve(one.pk, person=person, binding=bytes(one.binding), **more)


@pytest.fixture
def admin(person):
    return person("Root", role="admin")


@pytest.fixture
def planted(world, admin):
    """One planted question among five real ones."""
    plants.switch(Agent.objects.get(), every=5, person=admin)
    ask(world, 5)
    assert plants.plant_due(actor=ACTOR) == 1
    return Approval.objects.get(planted=True)


def test_the_time_taken_is_since_it_could_be_looked_at(world, bob):
    first, second, third = ask(world, 3)
    opened = timezone.now() - timedelta(minutes=10)
    Approval.objects.update(opened_at=opened)
    yes(first, bob, seen_at=timezone.now() - timedelta(seconds=30))
    yes(second, bob)
    yes(third, bob, seen_at=opened - timedelta(days=1))
    took = [ms / 1000 for ms in Verdict.objects.order_by("id").values_list("took_ms", flat=True)]
    assert 30 <= took[0] < 60
    assert all(seconds < 30 for seconds in took[1:])


def test_median_streak_and_sample(world, bob, carol):
    ones = ask(world, 6)
    questions.reject(ones[0].pk, person=bob, binding=bytes(ones[0].binding), reason="other")
    for one in ones[1:4]:
        yes(one, bob)
    questions.approve_many([(one.pk, bytes(one.binding)) for one in ones[4:]], person=bob)
    Verdict.objects.filter(bulk=False).update(took_ms=2000)
    Verdict.objects.filter(bulk=False, said="no").update(took_ms=60_000)
    found = stamps.of(bob)
    assert (found.sample, found.median_s, found.under_3s, found.yes_streak, found.bulk) == (4, 2.0, 3, 5, 2)
    assert not found.notice, "four answers are no sample"
    assert stamps.of(carol) == stamps.Stamps(0, None, 0, 0, 0, 0, 0)
    assert [(person, one) for person, one in stamps.of_all()] == [(bob, found)]


def test_planting_is_an_admins_to_switch(world, admin, bob):
    agent = Agent.objects.get()
    with pytest.raises(PermissionDenied):
        plants.switch(agent, every=5, person=bob)
    with pytest.raises(ValidationError):
        plants.switch(agent, every=1, person=admin)
    plants.switch(agent, every=5, person=admin)
    plants.switch(agent, every=0, person=admin)
    assert plants.every_of(agent) == 0
    assert Entry.objects.filter(verb="planted.switched").count() == 2
    ask(world, 6)
    assert plants.plant_due(actor=ACTOR) == 0


def test_it_looks_like_any_other_and_its_message_is_somebody_elses(planted, bob):
    assert planted in questions.for_inbox(bob)
    message = planted.question["payload"]["subject"]
    assert planted.question["account"] not in message
    assert not Action.objects.filter(pk=planted.subject.partition(":")[2]).exists()
    assert plants.plant_due(actor=ACTOR) == 0, "one waits at a time"


@pytest.mark.parametrize("answer", ["yes", "no", "expired", "withdrawn"])
def test_nothing_is_ever_sent_of_it(planted, bob, answer):
    before = Action.objects.count()
    if answer == "yes":
        assert yes(planted, bob).state == "approved"
        assert not questions.take_back(planted.pk, person=bob)
    elif answer == "no":
        questions.reject(planted.pk, person=bob, binding=bytes(planted.binding), reason="wrong-person")
    elif answer == "expired":
        Approval.objects.filter(pk=planted.pk).update(expires_at=timezone.now())
        questions.expire_due(actor=ACTOR)
    else:
        Approval.objects.filter(pk=planted.pk).update(state="withdrawn")
    Action.objects.filter(state="ready").update(not_before="2026-01-01T00:00+00:00")
    assert gate(hot) == []
    assert (Action.objects.count(), set(Action.objects.values_list("state", flat=True))) == (before, {"waiting"})


def test_even_an_action_that_pointed_at_it_is_not_sent(planted, bob):
    yes(planted, bob)
    one = Approval.objects.filter(planted=False).first()
    Action.objects.filter(pk=action_of(one).pk).update(
        approval=planted, state="ready", not_before="2026-01-01T00:00+00:00"
    )
    assert gate(hot) == []
    assert action_of(one).state == "refused"


def test_caught_and_missed_are_kept_and_told_at_once(world, planted, bob, carol):
    yes(planted, bob)
    call = Call.objects.get()
    assert (call.kind, call.person, stamps.of(bob).planted_missed, stamps.of(bob).notice) == ("planted", bob, 1, True)
    ask(world, 5)
    assert plants.plant_due(actor=ACTOR) == 1
    second = Approval.objects.get(planted=True, state="waiting")
    questions.reject(second.pk, person=carol, binding=bytes(second.binding), reason="wrong-person")
    assert (stamps.of(carol).planted_caught, stamps.of(carol).notice) == (1, False)
    said = list(Entry.objects.filter(verb__startswith="planted.").order_by("id").values_list("verb", flat=True))
    assert said == ["planted.switched", "planted.asked", "planted.missed", "planted.asked", "planted.caught"]


def test_what_was_planted_can_be_handed_on_asked_about_and_put_off_like_any_other(planted, bob, carol):
    questions.hand_to(planted.pk, person=bob, to=carol)
    questions.ask(planted.pk, person=carol, text="Is this right?")
    questions.snooze(planted.pk, person=bob, until=timezone.now() + timedelta(minutes=5))
    with pytest.raises(ValidationError):
        questions.edit_and_approve(
            planted.pk, person=carol, binding=bytes(planted.binding), fields={"subject": "Another"}
        )
    assert Approval.objects.get(pk=planted.pk).state == "waiting"
