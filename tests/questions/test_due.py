"""What nobody answers: its time runs in the region's working hours, stands still in a pause, and ends in expiry."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from agents import absence, deadlines, pauses, questions
from agents.models import Agent, Pause, Region
from agents.pauses import Section
from agents.rules.working_hours import compile_calendar, working_between
from agents.sections import turn
from approvals.models import Approval, Call
from tests.deciding import action_of

HOUR = timedelta(hours=1)
ACTOR = "worker:watchdog"


def calendar(one):
    region = Region.objects.get(code=one.region)
    return compile_calendar(region.time_zone, region.working_hours)


def overdue(**columns):
    past = timezone.now() - timedelta(minutes=1)
    Approval.objects.filter(state="waiting").update(**dict.fromkeys(columns or ("expires_at",), past))


def test_it_waits_eight_working_hours_of_its_region(world):
    Region.objects.update(time_zone="Europe/Berlin")
    (one,) = world.ask()
    spans = [working_between(calendar(one), one.opened_at, at) for at in (one.next_at, one.warn_at, one.expires_at)]
    assert [round(span / HOUR, 3) for span in spans] == [4, 7, 8]


def test_nobody_answering_calls_the_deputy_then_the_owner_then_expires(world, person, alice):
    dan = person("Dan", role="owner")
    Agent.objects.update(deputy=dan)
    (one,) = world.ask()
    for step, whom in ((1, dan), (2, alice)):
        overdue(next_at=True)
        assert questions.escalate_due(actor=ACTOR) == 1
        one.refresh_from_db()
        assert (one.step, one.assigned_to, one.state) == (step, whom, "waiting")
        assert Call.objects.filter(kind="escalated").last().person == whom
    assert (one.next_at, questions.escalate_due(actor=ACTOR)) == (None, 0)
    overdue()
    assert questions.expire_due(actor=ACTOR) == 1
    one.refresh_from_db()
    assert (one.state, one.decided_by, action_of(one).state) == ("expired", None, "expired")


def test_from_the_deputys_turn_half_of_what_is_left_is_the_deputys(world, person):
    Agent.objects.update(deputy=person("Dan", role="owner"))
    (one,) = world.ask()
    overdue(next_at=True)
    questions.escalate_due(actor=ACTOR)
    one.refresh_from_db()
    now = timezone.now()
    left, half = (working_between(calendar(one), now, at) for at in (one.expires_at, one.next_at))
    assert abs(left / 2 - half) < timedelta(seconds=5)


def test_whoever_may_not_answer_or_is_away_without_anybody_is_passed_over(world, person, alice, bob):
    builder, carol = person("Dan", role="owner"), person("Carol", role="ops")
    Agent.objects.update(deputy=builder, built_by=builder)
    (one,) = world.ask()
    absence.set_away(alice, by=alice, since=timezone.now() - HOUR, until=None, delegate=carol)
    overdue(next_at=True)
    questions.escalate_due(actor=ACTOR)
    one.refresh_from_db()
    assert (one.step, one.assigned_to) == (2, carol)


def test_what_lies_in_a_pause_is_neither_passed_on_nor_expired_and_can_be_answered(world, bob):
    (one, other) = world.ask(2)
    pause = pauses.set_pause(Section(region=Region.objects.get(code="emea")), reason="x", actor=ACTOR)
    overdue(next_at=True, expires_at=True)
    assert (questions.escalate_due(actor=ACTOR), questions.expire_due(actor=ACTOR)) == (0, 0)
    assert questions.is_frozen(one)
    questions.approve(one.pk, person=bob, binding=bytes(one.binding))
    assert action_of(one).state == "ready"
    pauses.lift(pause, actor=ACTOR)
    assert not questions.is_frozen(Approval.objects.get(pk=other.pk))
    assert questions.expire_due(actor=ACTOR) == 1


def test_the_time_of_a_pause_is_given_back_in_working_time(world):
    (one,) = world.ask()
    monday = datetime(2026, 11, 16, 8, tzinfo=UTC)
    Region.objects.update(time_zone="UTC")
    Approval.objects.update(
        opened_at=monday, next_at=monday + 5 * HOUR, warn_at=monday + 8 * HOUR, expires_at=monday + 9 * HOUR
    )
    pause = pauses.set_pause(Section(agent=Agent.objects.get()), reason="x", actor=ACTOR)
    Pause.objects.update(set_at=monday + 3 * HOUR, lifted_at=timezone.now())
    pause.refresh_from_db()
    thawed = datetime(2026, 11, 17, 16, tzinfo=UTC)
    assert deadlines.thaw(pause, actor="cli", at=thawed) == 1
    one.refresh_from_db()
    assert one.next_at == thawed + 2 * HOUR
    assert one.warn_at == datetime(2026, 11, 18, 12, tzinfo=UTC)
    assert one.expires_at == datetime(2026, 11, 18, 13, tzinfo=UTC)


def test_of_pauses_that_overlap_each_hour_is_given_back_once(world):
    (one,) = world.ask()
    Region.objects.update(time_zone="UTC", working_hours={})
    start = timezone.now() - 10 * HOUR
    Approval.objects.update(
        opened_at=start, next_at=start + 4 * HOUR, warn_at=start + 7 * HOUR, expires_at=start + 8 * HOUR
    )
    first = pauses.set_pause(Section(agent=Agent.objects.get()), reason="x", actor=ACTOR)
    second = pauses.set_pause(Section(region=Region.objects.get(code="emea")), reason="x", actor=ACTOR)
    Pause.objects.filter(pk=first.pk).update(set_at=start + HOUR, lifted_at=start + 5 * HOUR)
    Pause.objects.filter(pk=second.pk).update(set_at=start + 3 * HOUR)
    first.refresh_from_db()
    assert deadlines.thaw(first, actor="cli", at=start + 5 * HOUR) == 0
    Pause.objects.filter(pk=second.pk).update(lifted_at=start + 8 * HOUR)
    second.refresh_from_db()
    assert deadlines.thaw(second, actor="cli", at=start + 8 * HOUR) == 1
    one.refresh_from_db()
    assert one.expires_at == start + (8 + 7) * HOUR


def test_a_pause_elsewhere_freezes_nothing(world):
    (one,) = world.ask()
    for section in (
        Section(region=Region.objects.get(code="amer")),
        Section(region=Region.objects.get(code="emea/fr")),
    ):
        pauses.set_pause(section, reason="x", actor=ACTOR)
    assert not questions.is_frozen(one)


@pytest.fixture
def chain(person, workspace):
    """Four persons, each standing in for the one before."""
    people = [person(name, role="rep") for name in ("Ann", "Ben", "Cat", "Don")]
    for one, following in itertools.pairwise(people):
        one.delegate = following
        one.away_from = timezone.now() - HOUR
        one.save()
    return people


def test_of_a_chain_it_is_the_first_who_is_there(chain):
    ann, ben, cat, don = chain
    assert absence.stand_in(ann) == don
    assert absence.stands_for(don) == {ann.pk, ben.pk, cat.pk}
    ben.away_until = timezone.now() - timedelta(minutes=1)
    ben.save()
    ann.refresh_from_db()
    assert absence.stand_in(ann) == ben
    don.is_active = False
    don.save()
    cat.refresh_from_db()
    assert absence.stand_in(cat) is None


def test_a_loop_has_nobody_and_is_refused(chain, charlie):
    ann, *_, don = chain
    with pytest.raises(ValidationError, match="leads back"):
        absence.set_away(don, by=don, since=timezone.now(), until=None, delegate=ann)
    don.delegate, don.away_from = ann, timezone.now() - HOUR
    don.save()
    ann.refresh_from_db()
    assert absence.stand_in(ann) is None
    with pytest.raises(ValidationError, match="may not answer"):
        absence.set_away(ann, by=ann, since=timezone.now(), until=None, delegate=charlie)
    with pytest.raises(PermissionDenied):
        absence.set_away(ann, by=charlie, since=timezone.now(), until=None)


def test_a_staged_resume_gives_time_back_to_the_runs_it_lets_go(world):
    ones = world.ask(6)
    pause = pauses.set_pause(Section(agent=Agent.objects.get()), reason="x", actor=ACTOR)
    Pause.objects.update(set_at=timezone.now() - 3 * HOUR)
    Region.objects.update(working_hours={})
    opened = timezone.now() - 4 * HOUR
    Approval.objects.update(opened_at=opened, next_at=opened + 4 * HOUR, expires_at=opened + 8 * HOUR)
    pauses.stage(pause, share=50, actor=ACTOR)
    gone = {one.pk for one in ones if turn(action_of(one).run_id) < 50}
    moved = {one.pk for one in Approval.objects.all() if one.expires_at > opened + 10 * HOUR}
    assert moved == gone
    assert deadlines.frozen([one.pk for one in ones]) == {one.pk for one in ones} - gone
    pauses.lift(pause, actor=ACTOR)
    assert all(one.expires_at > opened + 10 * HOUR for one in Approval.objects.all())
    assert deadlines.frozen([one.pk for one in ones]) == set()
