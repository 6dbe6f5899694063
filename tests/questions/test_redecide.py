"""A newly published policy decides what waits again: re-bound, asked anew, or withdrawn with why; nothing is sent."""

import asyncio
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import questions
from agents.changes.policy import publish_policy
from agents.loop.act import Drain
from agents.loop.hot import hot
from agents.models import Action, Agent, Connection, Play
from agents.redecide import Redecided, redecide
from approvals.models import Approval, Call
from audit.models import Entry
from tests.deciding import action_of, run_loop

ASK = {"id": "mails-ask", "say": "ask"}


def publish(*clauses, **more):
    agent = Agent.objects.get()
    return publish_policy(agent, actor="person:1", person=None, spec={"clauses": list(clauses)}, reason="x", **more)


def yes(one, person):
    return questions.approve(one.pk, person=person, binding=bytes(one.binding))


def drain():
    Action.objects.filter(state="ready").update(not_before="2026-01-01T00:00+00:00")
    asyncio.run(Drain(hot).run())


def verbs(one):
    return list(Entry.objects.filter(subject=one.subject).order_by("id").values_list("verb", flat=True))


def test_the_same_clause_stands_bound_to_the_new_version(world, bob):
    (one,) = world.ask()
    policy = publish({**ASK, "approvers": 2, "note": "dearer now"})
    after = Approval.objects.get()
    assert (after.pk, after.state, after.needed, after.question["policy"]) == (one.pk, "waiting", 2, 2)
    assert (action_of(one).policy_id, verbs(one)[-1]) == (policy.pk, "action.rebound")
    with pytest.raises(questions.Stale, match="look again"):
        yes(one, bob)
    assert yes(after, bob).state == "waiting"


def test_a_yes_of_several_does_not_outlive_the_version_it_was_given_under(two, bob, carol):
    (one,) = two.ask()
    yes(one, bob)
    publish({**ASK, "approvers": 2, "note": "newer"})
    after = Approval.objects.get()
    assert (after.given, [call.person for call in Call.objects.all()]) == (0, [])
    yes(after, carol)
    assert yes(after, bob).state == "approved"
    drain()
    assert action_of(one).why != "The agent's boundaries changed since the yes; send it again to have it asked anew."


@pytest.mark.parametrize("clause", [{"id": "other", "say": "ask"}, {"id": "mails-ask", "say": "alone"}])
def test_another_clause_or_none_asks_anew_and_sends_nothing(world, bob, carol, clause):
    (one,) = world.ask()
    questions.hand_to(one.pk, person=bob, to=carol)
    Agent.objects.update(stage="autonomous")
    publish(clause, confirmed_by=carol)
    old, new = Approval.objects.order_by("opened_at")
    assert (old.state, new.state, new.supersedes_id, new.question["clause"]) == (
        "withdrawn", "waiting", one.pk, clause["id"],
    )  # fmt: skip
    assert (action_of(one).state, action_of(one).approval_id) == ("waiting", new.pk)
    assert list(Call.objects.filter(kind="anew").values_list("person", "approval")) == [(carol.pk, new.pk)]
    drain()
    assert action_of(one).state == "waiting"
    with pytest.raises(questions.Stale, match="withdrawn"):
        yes(one, bob)
    assert yes(new, bob).state == "approved"


def test_never_withdraws_it_with_why(world, bob):
    (one,) = world.ask()
    publish({"id": "no", "say": "never"})
    one.refresh_from_db()
    assert (one.state, action_of(one).state) == ("withdrawn", "withdrawn")
    assert "Never" in one.note
    assert verbs(one)[-1] == "action.withdrawn"


def test_what_was_approved_but_has_not_left_is_asked_anew(world, bob):
    (one,) = world.ask()
    yes(one, bob)
    publish({**ASK, "note": "newer"})
    old, new = Approval.objects.order_by("opened_at")
    assert (old.state, new.state, action_of(one).state) == ("withdrawn", "waiting", "waiting")
    assert Call.objects.get().person == bob
    drain()
    assert action_of(one).state == "waiting"


def test_what_changed_besides_withdraws_it(world, bob):
    world.ask(2)
    Play.objects.update(version=2, risk="high")
    publish({**ASK, "note": "newer"})
    assert set(Approval.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert "play was changed" in Approval.objects.first().note
    (third,) = world.ask(account="other.example")
    Connection.objects.filter(slug="mail").update(allowed_hosts=["127.0.0.1", "10.0.0.1"])
    publish({**ASK, "note": "newest"})
    third.refresh_from_db()
    assert (third.state, "connection" in third.note) == ("withdrawn", True)


def test_what_a_late_worker_decided_under_the_old_version_is_found_by_the_sweeper(world):
    from agents.watchdog import sweep

    (one,) = world.ask()
    policy = publish({**ASK, "note": "newer"})
    Action.objects.update(policy=policy.pk - 1)
    sweep()
    assert action_of(one).policy_id == policy.pk


def test_an_older_version_decides_nothing(world):
    (one,) = world.ask()
    first = Agent.objects.get().policy
    policy = publish({**ASK, "note": "newer"})
    Action.objects.update(policy=first.pk)
    Agent.objects.update(policy=policy)
    Action.objects.update(policy=policy.pk)
    assert redecide(Agent.objects.get(), first, actor="person:1") == Redecided()
    assert action_of(one).policy_id == policy.pk


def test_many_are_decided_again_in_batches_of_bounded_cost(world, hostile):
    size = hostile.of(5000)
    seed(world, size)
    with CaptureQueriesContext(
        connection,
    ) as first:
        begun = time.perf_counter()
        publish({**ASK, "note": "newer"})
        took = time.perf_counter() - begun
    print(f"{size} waiting questions re-bound in {took:.1f} s, {len(first)} statements")
    assert set(Approval.objects.values_list("state", "question__policy")) == {("waiting", 2)}
    assert len(first) <= 40 + 20 * (size // 500 + 1)


def seed(world, size):
    for n in range(size):
        world.signal(f"Jo {n}", account=f"account-{n}.example")
    run_loop()
    assert Approval.objects.count() == size
