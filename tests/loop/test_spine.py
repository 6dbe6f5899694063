"""The way of one signal in one process: decided, gated, sent, settled, and all of it in the record."""

import asyncio
import threading

import pytest
from django.db import connection

from agents import pauses, questions, reach
from agents.again import send_again, undo
from agents.loop.act import Drain
from agents.loop.decide import decide
from agents.loop.gate import gate
from agents.loop.hot import Hot
from agents.models import Action, Attempt, ContactLock, DoNotContact, Play, Run, Signal
from approvals.models import Approval
from approvals.questions import Stale
from tests import making

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def hot():
    made = Hot()
    yield made
    made.close()


@pytest.fixture
def greeting(alice):
    return making.agent(making.play(making.sandbox()), alice)


def drain(hot: Hot) -> None:
    asyncio.run(Drain(hot).run())


def verbs() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT verb FROM audit_entry WHERE verb NOT IN ('person.created', 'test.did') ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def states() -> list[str]:
    return list(Action.objects.order_by("id").values_list("state", flat=True))


def test_a_signal_is_acted_on_and_every_step_recorded(hot, greeting):
    (signal,) = making.signals([{"account": "acme"}])
    drain(hot)
    run, action, attempt = Run.objects.get(), Action.objects.get(), Attempt.objects.get()
    assert (run.signal_id, run.agent, run.verdict, run.clause, run.score) == (signal.id, greeting, "alone", "c1", 100)
    assert (action.state, action.document["json"]["account"], action.tries) == ("delivered", "acme", 1)
    assert (attempt.action_id, attempt.verdict) == (action.id, "delivered")
    assert attempt.receipt["message"]["json"]["account"] == "acme"
    assert Signal.objects.get().state == "done"
    assert verbs() == ["run.decided", "action.permitted", "action.delivered"]


def test_a_signal_that_nobody_listens_to_is_unheard(hot, greeting):
    greeting.routes.update(types=["trial.*"])
    making.signals([{}])
    drain(hot)
    assert (Signal.objects.get().state, Run.objects.count()) == ("unheard", 0)


def test_several_agents_run_one_signal_once_each(hot, greeting, alice):
    making.agent(Play.objects.get(), alice, "renewal")
    making.signals([{}])
    drain(hot)
    assert sorted(Run.objects.values_list("agent__slug", flat=True)) == ["inbound", "renewal"]


def test_in_shadow_nothing_is_sent(hot, greeting):
    greeting.stage = "shadow"
    greeting.save()
    making.signals([{}])
    drain(hot)
    assert (states(), Attempt.objects.count()) == (["shadow"], 0)
    assert Action.objects.get().document["json"]["account"] == "account-0"


def test_an_unassigned_region_asks_and_a_missing_field_is_an_error_before_sending(hot, greeting):
    making.signals([{"region": making.region("unassigned")}])
    Play.objects.update(steps=[{**Play.objects.get().steps[0]}])
    drain(hot)
    assert states() == ["waiting"]
    step = {**Play.objects.get().steps[0], "payload": {"json": {"phone": "{{ signal.phone }}"}}}
    Play.objects.update(steps=[step])
    making.signals([{}])
    drain(hot)
    action = Action.objects.order_by("-id")[0]
    assert action.state == "failed"
    assert "signal.phone" in action.why
    assert Attempt.objects.count() == 0


def test_a_yes_counts_once_and_sends_what_was_asked(hot, greeting, bob):
    greeting.stage = "supervised"
    greeting.save()
    making.signals([{}])
    drain(hot)
    asked = Approval.objects.get()
    binding = bytes(asked.binding)
    with pytest.raises(Stale):
        questions.approve(asked.pk, person=bob, binding=b"other")
    questions.approve(asked.pk, person=bob, binding=binding)
    with pytest.raises(Stale, match="approved by Bob"):
        questions.reject(asked.pk, person=bob, binding=binding, reason="no")
    Action.objects.update(not_before="2020-01-01T00:00Z")
    drain(hot)
    action = Action.objects.get()
    assert (action.state, action.permitted_by) == ("delivered", bob.actor)


@pytest.mark.parametrize("change", ["payload", "target", "connection"])
def test_what_changed_after_the_yes_is_not_sent(hot, greeting, bob, change):
    greeting.stage = "supervised"
    greeting.save()
    making.signals([{}])
    drain(hot)
    asked = Approval.objects.get()
    questions.approve(asked.pk, person=bob, binding=bytes(asked.binding))
    Action.objects.update(not_before="2020-01-01T00:00Z")
    if change == "payload":
        Action.objects.update(payload=b'{"json":{}}')
    elif change == "target":
        Action.objects.update(target="someone else")
    else:
        action = Action.objects.get()
        action.connection.config = {"delay_ms": 1}
        action.connection.save()
    drain(hot)
    assert (states(), Attempt.objects.count()) == (["refused"], 0)


def test_a_pause_holds_and_its_lifting_lets_go(hot, greeting, alice):
    emea, de = making.region("emea"), making.region("emea/de")
    pause = pauses.set_pause(pauses.Section(region=emea), reason="drill", actor=alice.actor, person=alice)
    making.signals([{"region": de}, {"region": making.region("amer")}])
    drain(hot)
    assert sorted(states()) == ["delivered", "held"]
    assert reach.now(pauses.Section(region=emea)).held == 1
    assert pauses.lift(pause, actor=alice.actor, person=alice)
    assert not pauses.lift(pause, actor=alice.actor, person=alice)
    drain(hot)
    assert states() == ["delivered", "delivered"]


def test_limits_are_exact_and_counted_across_batches(hot, greeting):
    greeting.policy = greeting.policies.create(version=2, spec={**making.ALONE, "limits": {"daily": 7}}, reason="limit")
    greeting.save()
    making.signals([{} for _ in range(50)])
    drain(hot)
    assert (states().count("delivered"), states().count("refused")) == (7, 43)


def test_a_person_on_the_list_is_not_contacted(hot, greeting):
    (signal,) = making.signals([{"email": "kim@example.com"}])
    DoNotContact.objects.create(contact=bytes(signal.contact), hint="k…@example.com", origin="import")
    drain(hot)
    assert states() == ["refused"]


def test_of_64_racers_for_one_person_one_gets_through(hot, greeting, alice):
    lock = {**making.ALONE, "contact_lock_hours": 24}
    play = Play.objects.get()
    greeting.routes.all().delete()
    for number in range(64):
        making.agent(play, alice, f"racer-{number}", policy=lock)
    making.signals([{"email": "kim@example.com"}])
    decide(hot)
    barrier = threading.Barrier(8)

    def race() -> None:
        mine = Hot()
        barrier.wait()
        asyncio.run(Drain(mine).run())
        mine.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert (states().count("delivered"), states().count("refused"), ContactLock.objects.count()) == (1, 63, 1)


def test_the_later_run_of_an_account_cites_the_earlier(hot, greeting):
    making.signals([{"account": f"pair-{number % 25}"} for number in range(50)])
    barrier = threading.Barrier(4)

    def work() -> None:
        mine = Hot()
        barrier.wait()
        while decide(mine, batch=3).signals:
            pass
        mine.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for number in range(25):
        runs = Run.objects.filter(account=f"pair-{number}")
        cited = {str(run.id): {c for reason in run.reasons for c in reason.get("cites", ())} for run in runs}
        (first,) = [run for run, cites in cited.items() if not cites]
        assert [cites for cites in cited.values() if cites] == [{first}]


def test_a_failed_action_is_mended_and_sent_again_and_a_delivered_one_taken_back(hot, greeting, alice):
    step = Play.objects.get().steps[0]
    Play.objects.update(steps=[{**step, "payload": {"json": {"phone": "{{ signal.phone }}"}}}])
    making.signals([{}])
    drain(hot)
    Play.objects.update(steps=[step])
    (result,) = send_again([Action.objects.get().id], person=alice)
    assert result.says == "It is on its way."
    drain(hot)
    assert sorted(states()) == ["delivered", "withdrawn"]
    (again,) = send_again([result.new], person=alice)
    assert again.new is None
    back = undo(result.new, person=alice)
    assert undo(result.new, person=alice).says == "It was taken back already."
    drain(hot)
    assert Action.objects.get(pk=back.new).state == "delivered"
    assert Action.objects.get(pk=back.new).undo_of == result.new


def test_nothing_is_permitted_twice_by_gates_at_once(greeting, hot):
    making.signals([{} for _ in range(100)])
    decide(hot)
    permitted: list[object] = []

    def race() -> None:
        mine = Hot()
        for _ in range(5):
            permitted.extend(one.action for one in gate(mine))
        mine.close()

    threads = [threading.Thread(target=race) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(permitted) == len(set(permitted)) == 32


def test_what_cannot_be_decided_is_set_aside_and_stops_nobody(hot, greeting):
    making.signals([{}, {"payload": b"not json"}, {}])
    drain(hot)
    assert sorted(Signal.objects.values_list("state", flat=True)) == ["done", "done", "faulty"]
    assert states() == ["delivered", "delivered"]
