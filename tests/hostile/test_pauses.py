"""HOSTILE 9: pauses at every level of scope under 48 claimers."""

import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from agents import pauses
from agents.loop.decide import decide
from agents.loop.hot import hot
from agents.models import Agent
from tests import making
from tests.hostile.conftest import Yard
from tests.running import Process

CLAIMERS = 48
REGIONS = ("emea/de", "emea/fr", "amer/us", "amer/br")
SEGMENTS = ("enterprise", "mid-market")
LEVELS = ("everything", "region", "segment", "agent", "region and segment")
SIZE = 640
P99_SECONDS = 0.25
SHARE = 0.9


@pytest.fixture
def line(yard: Yard, alice: Any) -> None:
    """Four agents, each with a connection of its own, and ready actions of theirs in every region and segment."""
    for number in range(4):
        greet = making.play(making.sandbox(f"sandbox-{number}"), f"greet-{number}")
        making.agent(greet, alice, f"agent-{number}").routes.update(types=[f"kind-{number}"])
    places = [(making.region(region), making.segment(segment)) for region in REGIONS for segment in SEGMENTS]
    rows = []
    for number in range(SIZE):
        region, segment = places[number % len(places)]
        rows.append({"type": f"kind-{number // len(places) % 4}", "region": region, "segment": segment})
    making.signals(rows)
    while decide(hot).signals:
        pass


@contextmanager
def claimers(yard: Yard) -> Iterator[None]:
    """48 of them, each a process."""
    argv = [sys.executable, "-m", "tests.hostile.claimer", str(CLAIMERS)]
    process = Process(argv, yard.workspace.env, name="claimers")
    try:
        process.ready(lambda: gates(section("everything"))[0] > 50 * CLAIMERS, seconds=60)
        yield
    finally:
        process.kill()


def section(level: str) -> pauses.Section:
    region = making.region("emea") if "region" in level else None
    segment = making.segment("enterprise") if "segment" in level else None
    agent = Agent.objects.get(slug="agent-0") if "agent" in level else None
    return pauses.Section(region=region, segment=segment, agent=agent)


def gates(closed: pauses.Section) -> tuple[int, int]:
    """How many gates were passed so far inside and outside of a section."""
    where, values = closed.where()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(sum(tries) FILTER (WHERE {where}), 0), "
            f"coalesce(sum(tries) FILTER (WHERE NOT ({where})), 0) FROM agents_action",
            values * 2,
        )
        return cursor.fetchone()


def pause(closed: pauses.Section, actor: str) -> tuple[Any, float, int]:
    """
    The pause, the seconds it took, and how many gates the section had seen.

    They are counted while the pause still holds its lock: a gate that commits after the pause is one more than that,
    however soon.
    """
    begun = time.perf_counter()
    with transaction.atomic():
        made = pauses.set_pause(closed, reason="drill", actor=actor)
        took = time.perf_counter() - begun
        before, _ = gates(closed)
        begun = time.perf_counter()
    return made, took + time.perf_counter() - begun, before


def drill(yard: Yard, level: str, rounds: int, rng: random.Random, actor: str) -> tuple[int, float, float]:
    """
    Pause and lift so often: late gates, p99 in seconds, and throughput outside of the section, from before each pause
    until after its lifting, as a share of that in between.
    """
    closed = section(level)
    late, waits = 0, list[float]()
    paused, free = [0.0, 0.0], [0.0, 0.0]
    for number in range(rounds):
        if number % 20 == 0:
            # No action passes the gate a thousand times but here, which leaves its row and index long.
            yard.sql.execute("VACUUM agents_action")
        with outside(closed, paused):
            made, took, before = pause(closed, actor)
            waits.append(took)
            time.sleep(rng.uniform(0.05, 0.1))
            after, _ = gates(closed)
            late += after - before
            pauses.lift(made, actor=actor)
        with outside(closed, free):
            time.sleep(rng.uniform(0.05, 0.1))
    p50, p99 = statistics.median(waits), sorted(waits)[int(len(waits) * 0.99)]
    print(f"{level}: {rounds} pauses, {late} gates after the commit, p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms",
          end="")  # fmt: skip
    share = 1.0
    if level != "everything":
        alone = free[0] / free[1]
        assert alone > 0, "nothing passes the gate elsewhere, paused or not"
        share = paused[0] / paused[1] / alone
        print(f", elsewhere {share:.0%} of {alone:.0f} gates/s", end="")
    print()
    return late, p99, share


@contextmanager
def outside(closed: pauses.Section, total: list[float]) -> Iterator[None]:
    """Add the gates passed outside of the section, and the seconds."""
    begun, (_, before) = time.perf_counter(), gates(closed)
    yield
    total[0] += gates(closed)[1] - before
    total[1] += time.perf_counter() - begun


@pytest.mark.usefixtures("line")
def test_nothing_passes_the_gate_once_a_pause_has_committed(yard, alice, hostile, rng):
    found = {}
    with claimers(yard):
        for level in LEVELS:
            found[level] = drill(yard, level, hostile.of(200), rng, alice.actor)
    assert {level: late for level, (late, _, _) in found.items()} == dict.fromkeys(LEVELS, 0)
    if hostile.full:
        assert {level: p99 for level, (_, p99, _) in found.items() if p99 > P99_SECONDS} == {}
        assert {level: share for level, (_, _, share) in found.items() if share < SHARE} == {}
