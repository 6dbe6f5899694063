"""Publishing, proposing, confirming and setting for a time: what the service and the database let through."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from agents.changes.agent import NotReady, set_stage
from agents.changes.policy import PublishedSince, SecondPersonNeeded, confirm_version, publish_policy
from agents.changes.proposal import Decided, cancel, confirm, decline, put_due_live, put_forward
from agents.models import Agent, Play, Policy
from agents.models.proposal import PolicyProposal
from agents.rules.presets import PRESETS
from audit.models import Entry
from tests import making

pytestmark = pytest.mark.django_db
ALONE, ASK, NEVER = ({"clauses": [{"id": f"c-{say}", "say": say}]} for say in ("alone", "ask", "never"))


@pytest.fixture
def mia(person):
    return person("Mia", role="ops")


@pytest.fixture
def agent(alice):
    return making.agent(making.play(making.sandbox()), alice, policy=ASK)


def obey(agent, policy):
    """Put it in force behind the service's back."""
    Agent.objects.filter(pk=agent.pk).update(policy=policy)
    connection.check_constraints()


def verbs():
    return list(Entry.objects.filter(verb__startswith="policy.").order_by("id").values_list("verb", flat=True))


def wider(agent, who, **more):
    return put_forward(agent, person=who, spec=ALONE, reason="It answers well.", base=1, **more)


def test_what_does_not_widen_is_live_at_once(agent, alice):
    policy = put_forward(agent, person=alice, spec=NEVER, reason="Stop.", base=1)
    assert isinstance(policy, Policy)
    assert (Agent.objects.get().policy, policy.widens, policy.confirmed_by) == (policy, False, None)
    assert verbs() == ["policy.published"]


def test_what_widens_waits_for_somebody_else(agent, alice, mia, bob):
    proposal = wider(agent, alice)
    assert isinstance(proposal, PolicyProposal)
    assert (proposal.state, proposal.widens, Agent.objects.get().policy.version) == ("proposed", True, 1)
    for stranger in (alice, bob):
        with pytest.raises(PermissionDenied):
            confirm(proposal.pk, person=stranger)
    done = confirm(proposal.pk, person=mia)
    policy = Agent.objects.get().policy
    assert (done.state, done.policy, policy.version) == ("live", policy, 2)
    assert (policy.published_by, policy.confirmed_by, policy.widens) == (alice, mia, True)
    assert verbs() == ["policy.proposed", "policy.confirmed", "policy.published", "policy.live"]
    with pytest.raises(Decided):
        confirm(proposal.pk, person=mia)


def test_the_service_refuses_to_widen_by_one_person(agent, alice, mia):
    for second in (None, alice):
        with pytest.raises(SecondPersonNeeded):
            publish_policy(agent, actor=alice.actor, spec=ALONE, reason="x", person=alice, confirmed_by=second)
    assert publish_policy(agent, actor=alice.actor, spec=ALONE, reason="x", person=alice, confirmed_by=mia).widens


@pytest.mark.parametrize("second", ["nobody", "the same"])
def test_the_database_refuses_to_widen_by_one_person(agent, alice, second):
    row = {"agent": agent, "version": 2, "spec": ALONE, "reason": "x", "published_by": alice, "widens": True}
    with pytest.raises(IntegrityError), transaction.atomic():
        Policy.objects.create(**row, stage="autonomous", confirmed_by=alice if second == "the same" else None)
    proposal = wider(agent, alice)
    for state in ("scheduled", "live"):
        with pytest.raises(IntegrityError), transaction.atomic():
            PolicyProposal.objects.filter(pk=proposal.pk).update(
                state=state, decided_by=alice if second == "the same" else None
            )


def test_the_database_refuses_to_make_autonomous_what_one_person_published(agent, alice, mia):
    lone = {"agent": agent, "version": 2, "spec": ALONE, "reason": "x", "published_by": alice, "widens": True}
    policy = Policy.objects.create(**lone, stage="shadow")
    with pytest.raises(IntegrityError, match="autonomous"), transaction.atomic():
        obey(agent, policy)
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        Policy.objects.filter(pk=policy.pk).update(confirmed_by=mia, spec=ASK)
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        Policy.objects.filter(pk=policy.pk).update(reason="other")


def test_the_way_round_by_shadow_is_closed(alice, mia):
    agent = making.agent(making.play(making.sandbox()), alice, policy=ASK, stage="shadow")
    policy = put_forward(agent, person=alice, spec=ALONE, reason="x", base=1)
    assert (policy.widens, policy.vouched) == (True, False)
    narrower = {"clauses": [{"id": "c1", "say": "alone", "min_confidence": 50}]}
    policy = put_forward(agent, person=alice, spec=narrower, reason="y", base=2)
    assert not policy.vouched, "it is measured against what two people stand behind"
    agent = set_stage(agent, actor=alice.actor, stage="supervised")
    with pytest.raises(NotReady, match="only Alice stands behind it"):
        set_stage(agent, actor=alice.actor, stage="autonomous")
    with pytest.raises(PermissionDenied):
        confirm_version(policy, person=alice)
    confirm_version(policy, person=mia)
    assert set_stage(agent, actor=alice.actor, stage="autonomous").stage == "autonomous"
    assert verbs()[-1] == "policy.confirmed"
    with pytest.raises(ValidationError):
        confirm_version(policy, person=mia)


def test_declining_needs_a_reason_and_taking_back_does_not(agent, alice, mia):
    proposal = wider(agent, alice)
    with pytest.raises(ValidationError):
        decline(proposal.pk, person=mia, why=" ")
    assert decline(proposal.pk, person=mia, why="Too early.").state == "declined"
    with pytest.raises(Decided):
        cancel(proposal.pk, person=alice)
    again = wider(agent, alice)
    with pytest.raises(ValidationError, match="Alice has boundaries waiting"):
        wider(agent, mia)
    assert cancel(again.pk, person=alice).state == "cancelled"
    assert verbs() == ["policy.proposed", "policy.declined", "policy.proposed", "policy.cancelled"]


def test_a_version_that_came_between_makes_it_stale(agent, alice, mia):
    proposal = wider(agent, alice)
    put_forward(agent, person=mia, spec=NEVER, reason="Stop.", base=1)
    with pytest.raises(Decided) as told:
        confirm(proposal.pk, person=mia)
    assert (told.value.proposal.state, told.value.proposal.said) == ("stale", "Version 2 was published meanwhile.")
    with pytest.raises(PublishedSince):
        wider(agent, alice)


def test_who_proposed_it_must_still_be_there(agent, alice, mia, person):
    eva = person("Eva", role="ops")
    proposal = wider(agent, eva)
    eva.role = "rep"
    eva.save()
    with pytest.raises(ValidationError, match="Eva may no longer publish"):
        confirm(proposal.pk, person=mia)


def test_it_goes_live_at_its_time(agent, alice, mia):
    at = timezone.now() + timedelta(hours=2)
    with pytest.raises(ValidationError):
        put_forward(agent, person=alice, spec=NEVER, reason="x", base=1, go_live_at=timezone.now())
    proposal = wider(agent, alice, go_live_at=at)
    assert put_due_live(at) == 0, "nobody confirmed it"
    assert confirm(proposal.pk, person=mia).state == "scheduled"
    assert (put_due_live(at - timedelta(seconds=1)), put_due_live(at), put_due_live(at)) == (0, 1, 0)
    policy = Agent.objects.get().policy
    assert (policy.version, policy.published_by, policy.confirmed_by) == (2, alice, mia)
    assert Entry.objects.filter(verb="policy.published").get().actor == "worker:watchdog"


@pytest.mark.parametrize("why", ["play", "person", "version", "cancelled", "stage"])
def test_at_its_time_it_is_checked_again(agent, alice, mia, why):
    at = timezone.now() + timedelta(hours=2)
    spec = {
        "clauses": [{"id": "c1", "say": "alone", "plays": ["greet"]}, {"id": "c2", "say": "never", "min_risk": "high"}]
    }
    if why == "stage":
        Agent.objects.update(stage="shadow")
    proposal = put_forward(agent, person=alice, spec=spec, reason="x", base=1, go_live_at=at)
    if why != "stage":
        confirm(proposal.pk, person=mia)
    if why == "play":
        Play.objects.update(slug="other")
    elif why == "person":
        mia.is_active = False
        mia.save()
    elif why == "version":
        put_forward(agent, person=mia, spec=NEVER, reason="Stop.", base=1)
    elif why == "cancelled":
        cancel(proposal.pk, person=mia)
    else:
        Agent.objects.update(stage="supervised")
    assert put_due_live(at) == 0
    proposal.refresh_from_db()
    ended = {"cancelled": "cancelled", "stage": "proposed"}
    assert proposal.state == ended.get(why, "stale")
    assert Agent.objects.get().policy.version == (2 if why == "version" else 1)


def test_a_preset_that_lets_nothing_go_alone_needs_nobody(alice):
    agent = making.agent(making.play(making.sandbox()), alice, policy=ALONE)
    for key in ("shadow", "ask"):
        spec = next(one.spec for one in PRESETS if one.key == key)
        assert isinstance(put_forward(agent, person=alice, spec=spec, reason=key), Policy)
