"""HOSTILE 12, and a region paused under load: what pages say, and what goes on elsewhere meanwhile."""

import asyncio
import random
import re
import statistics
import time
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from agents import pauses
from agents.models import Agent, Connection, Pause, Play
from agents.tasks import wake
from tests import making
from tests.connectors.far_side import Visit
from tests.hostile.conftest import BACKLOG, Yard, feed, lines, repeatedly, sweeping
from tests.running import until

KINDS = 6
REGIONS = ("emea/de", "amer/us", "apac/jp")
SHARE = 0.9
THROUGHOUT = """
SELECT EXISTS (SELECT FROM agents_attempt WHERE at < %s AND (settled_at IS NULL OR settled_at > %s)
    AND action_id IN (SELECT id FROM agents_action WHERE {where}))
"""
"""Whether an attempt of the section was in flight during the whole of a poll."""


class Poll(NamedTuple):
    """One look at a page: when it was asked for and answered, by the database's clock, and the state it named."""

    pause: Pause
    begun: datetime
    ended: datetime
    said: str


@pytest.fixture
def looks(yard: Yard, person: Any) -> Any:
    """Someone who looks at pages: `looks(pause)` is a poll of one of them, in turn."""
    client = Client()
    client.force_login(person("Olga", role="ops"))
    turn = [0]

    def look(pause: Pause) -> Poll:
        turn[0] += 1
        url, part = (
            (f"/pauses/{pause.pk}", r"<h1>.*?</div>"),
            ("/pauses", rf'<li id="pause-{pause.pk}".*?</li>'),
            (reverse("strips"), r'<p class="strip paused".*?</p>'),
        )[turn[0] % 3]
        begun = now(yard)
        answer = client.get(url)
        ended = now(yard)
        assert answer.status_code == 200
        found = re.search(part, answer.content.decode(), re.DOTALL)
        said = re.search(r"\b(Pausing|Paused)\b", found[0]) if found else None
        return Poll(pause, begun, ended, said[1] if said else "")

    return look


def now(yard: Yard) -> datetime:
    return yard.rows("SELECT clock_timestamp()")[0][0]


def unevenly(rng: random.Random) -> Any:
    async def behave(visit: Visit) -> None:
        await asyncio.sleep(rng.choice((0.0, 0.02, 0.1, 0.4)))
        visit.answer("200 OK")

    return behave


def sections() -> list[pauses.Section]:
    emea, agent = making.region("emea"), Agent.objects.get(slug="agent-0")
    return [
        pauses.Section(),
        pauses.Section(region=emea),
        pauses.Section(segment=making.segment()),
        pauses.Section(agent=agent),
        pauses.Section(play=Play.objects.get(slug="greet-1")),
        pauses.Section(connection=Connection.objects.get(slug="receiver-2")),
        pauses.Section(region=emea, agent=agent),
    ]


def loading(yard: Yard, regions: list[Any], rng: random.Random) -> Any:
    """Feed signals of every region, so that there is always something to decide or send, and never a flood."""
    sql = yard.workspace.connect()

    def more() -> None:
        if sql.execute(BACKLOG).fetchone()[0] < 400:
            rows = [{"type": f"kind-{n % KINDS}", "region": regions[n % len(regions)]} for n in range(240)]
            rng.shuffle(rows)
            making.signals(rows)
            wake()

    return repeatedly(more, every=0.05)


def test_paused_is_shown_only_once_nothing_is_in_flight(yard, worker, receiver, alice, hostile, rng, looks):
    polls, made = list[Poll](), 0
    far = receiver(unevenly(random.Random(rng.random())))
    lines([far.url] * KINDS, alice, timeout=5)
    worker(queues="loop", concurrency=2)
    with sweeping(), repeatedly(lambda: feed(24, kinds=KINDS), every=0.1):
        until(lambda: len(far.receipts) > 20, seconds=30, what="the loop at work")
        while len(polls) < hostile.of(1000):
            closed = rng.choice(sections())
            time.sleep(rng.uniform(0, 0.1))
            pause, made = pauses.set_pause(closed, reason="drill", actor=alice.actor), made + 1
            for _ in range(10):
                polls.append(looks(pause))
            pauses.lift(pause, actor=alice.actor)
            wake()
    wrong = [poll for poll in polls if poll.said == "Paused" and in_flight(yard, poll)]
    count = {said: sum(poll.said == said for poll in polls) for said in ("Pausing", "Paused")}
    print(f"{len(polls)} polls of {made} pauses: {count}, Paused too early {len(wrong)} times")
    assert wrong == []
    assert sum(count.values()) == len(polls)
    assert min(count.values()) > 0


def in_flight(yard: Yard, poll: Poll) -> bool:
    where, values = pauses.Section.of(poll.pause).where()
    return bool(yard.rows(THROUGHOUT.format(where=where), poll.begun, poll.ended, *values)[0][0])


def test_a_region_paused_under_load_stops_alone(yard, worker, receiver, alice, hostile, rng, looks):
    """Its actions stop, the others' go on as before, and the page says Paused once the last of its own is settled."""
    rounds, seconds = hostile.of(20, least=2), 4.0 if hostile.full else 2.0
    far = receiver(unevenly(random.Random(rng.random())))
    regions = [making.region(code) for code in REGIONS]
    lines([far.url] * KINDS, alice, timeout=5)
    emea = pauses.Section(region=making.region("emea"))
    worker(queues="loop", concurrency=2)
    before, during, stills = list[float](), list[float](), list[float]()
    with sweeping(), loading(yard, regions, rng):
        until(lambda: len(far.receipts) > 200, seconds=60, what="the loop at work")
        for _ in range(rounds):
            before.append(elsewhere(yard, seconds))
            pause = pauses.set_pause(emea, reason="Freeze", actor=alice.actor)
            begun = time.monotonic()
            while (poll := looks(pause)).said != "Paused":
                assert time.monotonic() - begun < 20
            stills.append(time.monotonic() - begun)
            assert not in_flight(yard, poll)
            during.append(elsewhere(yard, seconds))
            late = yard.rows("SELECT count(*) FROM agents_attempt t JOIN agents_action a ON a.id = t.action_id "
                             "JOIN agents_region r ON r.id = a.region_id "
                             "WHERE t.at > %s AND r.code LIKE 'emea%%'", pause.set_at)[0][0]  # fmt: skip
            assert late == 0
            pauses.lift(pause, actor=alice.actor)
            wake()
    share = statistics.mean(during) / statistics.mean(before)
    rates = f"{statistics.mean(before):.0f} sent/s before, {statistics.mean(during):.0f}/s during, {share:.0%}"
    print(f"{rounds} pauses of EMEA under load: elsewhere {rates}; Paused said after {max(stills):.2f} s at most")
    if hostile.full:
        assert share >= SHARE


def elsewhere(yard: Yard, seconds: float) -> float:
    """What left for the other regions, per second, over so many seconds."""

    def sent() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM agents_action a JOIN agents_region r ON r.id = a.region_id "
                "WHERE a.state = 'delivered' AND r.code NOT LIKE 'emea%'"
            )
            return int(cursor.fetchone()[0])

    had, begun = sent(), time.monotonic()
    time.sleep(seconds)
    return (sent() - had) / (time.monotonic() - begun)
