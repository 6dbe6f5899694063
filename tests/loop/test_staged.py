"""A pause is opened in stages, put off, drilled; what it held goes with an entry for each, and can be told of later."""

import asyncio
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from agents import held, pauses, reach
from agents.loop.act import Drain
from agents.loop.hot import Hot
from agents.models import Action, Attempt, Hold, Pause
from agents.sections import Section, turn
from agents.watchdog import page, sweep
from audit.ids import new_ids
from audit.models import Entry
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


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Action.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def told(verb: str) -> list[str]:
    return sorted(Entry.objects.filter(verb=verb).values_list("subject", flat=True))


def closed(hot: Hot, size: int, **parts: object) -> Pause:
    pause = pauses.set_pause(Section(**parts), reason="x", actor="cli")
    making.signals([{} for _ in range(size)])
    drain(hot)
    return pause


def test_a_runs_turn_is_its_own_and_spread_evenly():
    runs = new_ids(20_000)
    turns = [turn(run) for run in runs]
    assert turns == [turn(run) for run in runs]
    for share in (10, 50):
        gone = sum(each < share for each in turns) / len(turns)
        assert abs(gone - share / 100) < 0.01


def test_a_staged_pause_lets_its_share_through_and_keeps_the_rest(hot, greeting):
    pause = closed(hot, 60)
    assert states() == {"held": 60}
    early = {action.pk for action in Action.objects.all() if turn(action.run_id) < 50}
    assert 0 < len(early) < 60
    assert pauses.stage(pause, share=50, actor="cli")
    drain(hot)
    assert set(Action.objects.filter(state="delivered").values_list("pk", flat=True)) == early
    assert states() == {"held": 60 - len(early), "delivered": len(early)}
    making.signals([{} for _ in range(40)])
    drain(hot)
    for action in Action.objects.all():
        assert action.state == ("delivered" if turn(action.run_id) < 50 else "held")
    assert pauses.lift(pause, actor="cli")
    drain(hot)
    assert states() == {"delivered": 100}
    assert len(told("action.let_go")) == 60 + sum(turn(run) >= 50 for run in late_runs(early))
    assert Hold.objects.filter(let_go_at=None).count() == 0


def late_runs(early: set) -> list:
    """Runs decided while half went already."""
    first = {hold.action_id for hold in Hold.objects.order_by("id")[:60]}
    return list(Action.objects.exclude(pk__in=first).values_list("run_id", flat=True))


def test_back_means_closed_again(hot, greeting):
    pause = closed(hot, 20)
    assert pauses.stage(pause, share=50, actor="cli", why="looks right")
    assert pauses.stage(pause, share=0, actor="cli", why="it does not")
    drain(hot)
    assert states() == {"held": 20}
    pause.refresh_from_db()
    assert (pause.share, pause.closed_at > pause.set_at, pause.quiet_at) == (0, True, None)
    held.note_quiet()
    pause.refresh_from_db()
    assert pause.quiet_at == pause.closed_at
    assert [entry.verb for entry in Entry.objects.filter(subject=f"pause:{pause.pk}").order_by("id")] == [
        "pause.set", "pause.staged", "pause.staged",
    ]  # fmt: skip


def test_every_action_let_go_has_its_entry_however_many(hot, greeting, monkeypatch):
    monkeypatch.setattr(held, "BATCH", 7)
    pause = closed(hot, 50)
    assert pauses.lift(pause, actor="cli")
    assert states() == {"ready": 50}
    assert told("action.let_go") == sorted(f"action:{pk}" for pk in Action.objects.values_list("pk", flat=True))


def test_what_a_dead_process_did_not_let_go_the_sweeper_does(hot, greeting, monkeypatch):
    pause = closed(hot, 9)
    monkeypatch.setattr(held, "let_go", lambda *_, **__: 0)
    assert pauses.lift(pause, actor="cli")
    assert states() == {"held": 9}
    monkeypatch.undo()
    hot.close()
    sweep()
    assert states() == {"ready": 9}
    assert len(told("action.let_go")) == 9


def test_lifting_one_of_two_lets_nothing_go_that_the_other_holds(hot, greeting):
    wide = closed(hot, 12, region=making.region("emea"))
    narrow = pauses.set_pause(Section(agent=greeting), reason="y", actor="cli")
    assert pauses.lift(wide, actor="cli")
    drain(hot)
    assert states() == {"held": 12}
    assert {action.why for action in Action.objects.all()} == {f"pause:{narrow.pk}"}
    assert (held.fates(wide).held, held.fates(wide).elsewhere, held.fates(narrow).kept) == (12, 12, 12)
    assert pauses.lift(narrow, actor="cli")
    drain(hot)
    assert (states(), held.fates(wide).went) == ({"delivered": 12}, 12)


def test_what_is_too_old_by_then_is_not_sent_but_said(hot, greeting):
    spec = {**making.ALONE, "max_signal_age_minutes": 60}
    greeting.policy = greeting.policies.create(version=2, spec=spec, reason="age")
    greeting.save()
    pause = closed(hot, 5)
    ids = [action.pk for action in Action.objects.order_by("id")[:2]]
    Action.objects.filter(pk__in=ids).update(received_at=timezone.now() - timedelta(hours=2))
    assert held.too_old(pause) == 2
    assert pauses.lift(pause, actor="cli")
    drain(hot)
    assert states() == {"refused": 2, "delivered": 3}
    fates = held.fates(pause)
    assert (fates.held, fates.too_old, fates.went, fates.refused, fates.kept) == (5, 2, 3, 0, 0)


def test_its_end_is_put_off_while_it_stands_and_not_after(hot, greeting):
    soon = timezone.now() + timedelta(minutes=5)
    pause = pauses.set_pause(Section(), reason="x", actor="cli", until=soon)
    assert pauses.extend(pause, soon + timedelta(hours=1), actor="cli")
    assert pauses.extend(pause, None, actor="cli")
    pause.refresh_from_db()
    assert pause.until is None
    assert Entry.objects.filter(verb="pause.extended").count() == 2
    Pause.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert not pauses.extend(pause, None, actor="cli")
    assert not pauses.stage(pause, share=10, actor="cli")
    sweep()
    pause.refresh_from_db()
    assert pause.lifted_at


def test_a_drill_pauses_nothing_and_times_everything(hot, greeting, alice):
    making.signals([{} for _ in range(3)])
    from agents.loop.decide import decide
    from agents.loop.gate import gate

    decide(hot)
    (first, *_) = gate(hot)
    made = pauses.drill(Section(agent=greeting), actor=alice.actor, person=alice)
    assert (made.is_drill, made.found["in_flight"], made.found["told"]) == (True, 3, ["Alice"])
    assert made.lock_ms >= 0
    assert (pauses.in_flight(Section()), held.flight(made).left, held.flight(made).quiet_at) == (3, 3, None)
    with connection.cursor() as cursor:
        assert pauses.standing(cursor) == []
    Attempt.objects.update(settled_at=timezone.now(), verdict="delivered")
    Attempt.objects.filter(pk=first.attempt).update(verdict="unknown")
    held.note_quiet()
    made.refresh_from_db()
    assert made.quiet_at == Attempt.objects.order_by("-settled_at")[0].settled_at
    assert held.flight(made).unknown == 1
    making.signals([{}])
    drain(hot)
    assert "held" not in states()
    assert Entry.objects.get(verb="pause.drilled").actor == alice.actor


def test_the_reach_is_one_statement_and_says_when_it_is_a_floor(hot, greeting, monkeypatch, django_assert_num_queries):
    closed(hot, 6, region=making.region("emea"))
    with django_assert_num_queries(1):
        assert reach.now(Section()).held == 6
    monkeypatch.setattr(reach, "_WORK", reach._WORK.replace(str(reach.MOST), "4"))
    monkeypatch.setattr(reach, "MOST", 4)
    found = reach.now(Section())
    assert (found.held, found.said["held"], found.said["queued"]) == (4, "4+", "0")


def test_owners_and_deputies_are_told_once_of_a_pause_but_not_of_their_own_nor_of_a_drill(greeting, alice, person):
    bob, olga = person("Bob", role="owner"), person("Olga", role="ops", mails="never")
    greeting.deputy = bob
    greeting.save()
    quiet = making.agent(making.play(making.sandbox("other"), "other"), olga, "other")
    pauses.drill(Section(), actor="cli")
    pauses.set_pause(Section(agent=quiet), reason="x", actor="cli")
    page()
    assert mail.outbox == []
    pause = pauses.set_pause(Section(), reason="Wrong messages", actor=bob.actor, person=bob)
    page()
    page()
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == ([alice.email], "[Signalbox] Paused: Everything")
    assert "by Bob" in sent.body
    assert "Wrong messages" in sent.body
    assert f"/pauses/{pause.pk}" in sent.body
    assert Entry.objects.filter(verb="pause.told").count() == 1
