"""Handing on, asking, putting off: who sees it first, who is told, and that it goes on waiting for others."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from agents import absence, questions
from agents.models import Agent
from approvals.models import Approval, Call, Message
from audit.models import Entry

HOUR = timedelta(hours=1)


def verbs():
    return list(Entry.objects.filter(subject__startswith="action:").order_by("id").values_list("verb", flat=True))


def test_whom_it_is_handed_to_sees_it_first_and_others_may_still_answer(world, bob, carol):
    first, second = world.ask(2)
    questions.hand_to(second.pk, person=bob, to=carol, note="yours?")
    assert [one.pk for one in questions.for_inbox(carol)] == [second.pk, first.pk]
    assert [one.pk for one in questions.for_inbox(bob)] == [first.pk, second.pk]
    call = Call.objects.get()
    assert (call.person, call.by, call.kind, call.detail) == (carol, bob, "handed", "yours?")
    assert questions.approve(second.pk, person=bob, binding=bytes(second.binding)).state == "approved"
    assert verbs()[-2:] == ["action.handed", "action.approved"]


def test_it_is_handed_only_to_somebody_who_may_answer(world, bob, carol, charlie):
    (one,) = world.ask()
    assert [person.name for person in questions.candidates(one, but=bob)] == ["Alice", "Carol"]
    with pytest.raises(ValidationError, match="may not answer"):
        questions.hand_to(one.pk, person=bob, to=charlie)
    with pytest.raises(PermissionDenied):
        questions.hand_to(one.pk, person=charlie, to=carol)
    questions.approve(one.pk, person=bob, binding=bytes(one.binding))
    with pytest.raises(questions.Stale):
        questions.hand_to(one.pk, person=bob, to=carol)


def test_who_is_away_is_stood_in_for(world, person, bob, carol):
    dan = person("Dan", role="rep")
    first, second = world.ask(2)
    questions.hand_to(first.pk, person=bob, to=carol)
    absence.set_away(carol, by=carol, since=timezone.now() - HOUR, until=timezone.now() + HOUR, delegate=dan)
    assert questions.hand_to(second.pk, person=bob, to=carol).assigned_to == dan
    assert [(one.pk, one.mine) for one in questions.for_inbox(dan)] == [(first.pk, 1), (second.pk, 1)]
    carol.refresh_from_db()
    assert carol not in questions.candidates(second, but=bob)
    absence.set_away(carol, by=carol, since=timezone.now() - HOUR, until=None, delegate=None)
    carol.refresh_from_db()
    with pytest.raises(ValidationError, match="nobody stands in"):
        questions.hand_to(second.pk, person=bob, to=carol)


def test_a_question_about_it_goes_to_the_owner_and_the_reply_to_the_asker(world, alice, bob, charlie):
    (one,) = world.ask()
    questions.ask(one.pk, person=bob, text=" Is Jo the right one? ")
    assert Message.objects.get().to == alice
    with pytest.raises(PermissionDenied):
        questions.reply(one.pk, person=charlie, text="no idea")
    questions.reply(one.pk, person=alice, text="Yes.")
    assert list(Call.objects.values_list("kind", "person")) == [("queried", alice.pk), ("replied", bob.pk)]
    assert [one.text for one in Message.objects.all()] == ["Is Jo the right one?", "Yes."]
    assert Approval.objects.get().state == "waiting"
    assert "right one" not in str(list(Entry.objects.values_list("body", flat=True)))
    with pytest.raises(ValidationError):
        questions.ask(one.pk, person=bob, text="  ")


def test_putting_off_is_ones_own(world, bob, carol):
    (one,) = world.ask()
    questions.snooze(one.pk, person=bob, until=timezone.now() + timedelta(minutes=20))
    assert (len(questions.for_inbox(bob)), len(questions.for_inbox(carol))) == (0, 1)
    assert [each.pk for each in questions.snoozed_by(bob)] == [one.pk]
    assert questions.unsnooze(one.pk, person=bob)
    assert not questions.unsnooze(one.pk, person=bob)
    for until in (timezone.now() - HOUR, one.expires_at + HOUR):
        with pytest.raises(ValidationError):
            questions.snooze(one.pk, person=bob, until=until)
    assert verbs()[-2:] == ["action.snoozed", "action.unsnoozed"]


def test_several_at_once_each_by_itself(world, bob, carol):
    ready, gone, moved = world.ask(3)
    questions.reject(gone.pk, person=carol, binding=bytes(gone.binding), reason="other")
    picks = [(ready.pk, bytes(ready.binding)), (gone.pk, bytes(gone.binding)), (moved.pk, b"else")]
    results = questions.approve_many(picks, person=bob)
    assert [(one.id, one.ok) for one in results] == [(ready.pk, True), (gone.pk, False), (moved.pk, False)]
    assert "Already rejected by Carol" in results[1].says
    Approval.objects.update(risk="medium")
    with pytest.raises(ValidationError):
        questions.approve_many([(moved.pk, bytes(moved.binding))], person=bob)


def test_one_that_somebody_holds_fails_alone_and_soon(world, workspace, bob):
    held, free = world.ask(2)
    with workspace.connect() as other:
        other.autocommit = False
        other.execute("SELECT FROM approvals_approval WHERE id = %s FOR UPDATE", [held.pk])
        begun = timezone.now()
        picks = [(one.pk, bytes(one.binding)) for one in (held, free)]
        results = questions.approve_many(picks, person=bob)
        other.rollback()
    assert [one.ok for one in results] == [False, True]
    assert "busy" in results[0].says
    assert timezone.now() - begun < timedelta(seconds=20)


def test_what_a_builder_sees(world, bob):
    (one,) = world.ask()
    Agent.objects.update(built_by=bob)
    assert list(questions.for_inbox(bob)) == []
    with pytest.raises(PermissionDenied):
        questions.snooze(one.pk, person=bob, until=timezone.now() + timedelta(minutes=5))
