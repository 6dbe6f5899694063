"""HOSTILE 3, 5, 6 and 8: repeated wake-ups, far sides that reset or refuse, racers for a budget."""

import asyncio
import socket
import threading

import pytest

from agents import tasks
from agents.loop.act import Drain
from agents.loop.decide import decide
from agents.loop.hot import Hot, hot
from tests import making
from tests.connectors.far_side import Visit
from tests.hostile.conftest import Yard, feed, lines, sweeping
from tests.running import until


async def reset(visit: Visit) -> None:
    """Take it, then cut the line without a word."""
    visit.reset()


def test_every_wake_up_delivered_ten_times_sends_once(yard, worker, receiver, alice, hostile):
    size, group, times = hostile.of(1000), 10, 10
    far = receiver()
    lines([far.url] * 4, alice)
    worker(queues="loop", concurrency=4)
    for _ in range(size // group):
        feed(group, kinds=4)
        for _ in range(times):
            tasks.work.delay()
    with sweeping():
        yard.settles(seconds=60)
        until(lambda: yard.workspace.redis().llen("loop") == 0, seconds=30, what="every wake-up taken")
    print(f"{len(far.receipts)} receipts for {size} actions")
    assert (len(far.receipts), far.twice()) == (size, [])
    assert yard.states() == {"delivered": size}


def test_a_receiver_that_accepts_and_resets_leaves_unknown_and_is_not_sent_to_again(
    yard, worker, receiver, alice, hostile
):
    size = hostile.of(300)
    far = receiver(reset)
    lines([far.url] * 3, alice, timeout=0.5)
    worker(queues="loop", concurrency=2)
    feed(size, kinds=3)
    with sweeping():
        until(lambda: yard.states() == {"unknown": size}, seconds=60, what="all unknown")
        overdue = "SELECT bool_and(flight_until < clock_timestamp()) FROM agents_action"
        until(lambda: yard.rows(overdue)[0][0], seconds=10, what="every flight over")
        _rounds(yard, 3)
    assert yard.states() == {"unknown": size}
    assert (len(far.receipts), far.twice()) == (size, [])


def test_a_receiver_that_knows_the_key_is_sent_to_again_and_acts_once(yard, worker, receiver, alice, hostile):
    size = hostile.of(300)
    effects: list[str] = []

    async def once_then_reset(visit: Visit) -> None:
        (key,) = visit.header("Idempotency-Key")
        if key in effects:
            visit.answer("200 OK")
        else:
            effects.append(key)
            visit.reset()

    far = receiver(once_then_reset)
    lines([far.url] * 3, alice, timeout=0.5, idempotent=True)
    worker(queues="loop", concurrency=2)
    feed(size, kinds=3)
    with sweeping():
        until(lambda: yard.states() == {"delivered": size}, seconds=60, what="all delivered")
    ids = {row[0] for row in yard.rows("SELECT id::text FROM agents_action")}
    assert (sorted(effects), set(far.counts.values())) == (sorted(ids), {2})


def test_refused_three_times_then_up_is_received_once(yard, worker, receiver, alice, hostile):
    size = hostile.of(60)
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    lines([f"http://127.0.0.1:{port}"] * 8, alice)
    worker(queues="loop", concurrency=2)
    feed(size, kinds=8)
    refused = "SELECT coalesce(min(n), 0) FROM (SELECT count(t.id) AS n FROM agents_action a LEFT JOIN agents_attempt t"
    refused += " ON t.action_id = a.id AND t.verdict = 'unsent' GROUP BY a.id) AS each"
    with sweeping(0.25):
        until(lambda: yard.rows(refused)[0][0] >= 3, seconds=30, what="three refusals of each")
        closed.close()
        far = receiver(port=port)
        until(lambda: yard.states() == {"delivered": size}, seconds=60, what="all delivered")
    assert (len(far.receipts), far.twice()) == (size, [])


@pytest.mark.parametrize(
    "limit",
    [
        lambda most: {"limits": {"daily": most}},
        lambda most: {"limits": {"account_daily": most}},
        lambda most: {"limits": {"person_daily": most}},
        lambda most: {"budget": {"daily": most * 0.7}},
        lambda most: {"budget": {"monthly": most * 0.7}, "limits": {"hourly": most + 1, "account_daily": most + 2}},
    ],
    ids=["a day", "an account", "a person", "budget a day", "budget a month"],
)
def test_a_budget_is_kept_to_the_action_by_64_racers(yard, alice, hostile, limit):
    size, budget, racers = hostile.of(1000), hostile.of(100), 64
    play = making.play(making.sandbox())
    play.steps[0]["cost"] = 0.7
    play.save()
    making.agent(play, alice, policy={**making.ALONE, **limit(budget)})
    making.signals([{"account": "acme", "email": "kim@example.com"} for _ in range(size)])
    while decide(hot).signals:
        pass
    barrier = threading.Barrier(racers)

    def race() -> None:
        mine = Hot()
        barrier.wait()
        asyncio.run(Drain(mine).run())
        mine.close()

    threads = [threading.Thread(target=race) for _ in range(racers)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert yard.states() == {"delivered": budget, "refused": size - budget}
    assert yard.rows("SELECT count(*) FROM agents_attempt") == [(budget,)]


def _rounds(yard: Yard, count: int) -> None:
    """Let the loop go round a few times more, which it must not use."""
    for _ in range(count):
        tasks.work.delay()
    until(lambda: yard.workspace.redis().llen("loop") == 0, seconds=30, what="every wake-up taken")
