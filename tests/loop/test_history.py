"""What is asked again and again reads no month that is long over."""

import json
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import paging, watchdog
from agents.loop.decide import decide
from agents.loop.hot import hot
from agents.models import Play
from audit.ids import floor_id
from audit.partitions import make_partitions
from tests import making, told

GROWING = ("agents_run", "agents_action", "agents_attempt")


@pytest.fixture
def old(workspace, alice):
    """An agent and its connection, and the months of a year long over."""
    through = making.sandbox()
    agent = making.agent(making.play(through), alice)
    with connection.cursor() as cursor:
        for table in GROWING:
            make_partitions(cursor, table, start=date(2024, 1, 1), months=12)
    return agent


def months_read(ask) -> list[str]:
    """The old partitions that the plans of all that `ask` queries would touch."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    queries = [one["sql"] for one in asked if any(table in one["sql"] for table in GROWING)]
    assert queries
    with connection.cursor() as cursor:
        plans = []
        for query in queries:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query}")
            plans.append(json.dumps(cursor.fetchone()[0]))
    return [name for name in ("_y2024m01", "_y2024m12") if any(name in plan for plan in plans)]


@pytest.mark.parametrize("part", ["rates", "connections", "good run"])
def test_a_months_rows_are_not_read_once_it_is_over(old, part):
    now = timezone.now()
    ask = {
        "rates": lambda: watchdog._rates(old, now - timedelta(hours=1)),
        "connections": watchdog._watch_connections,
        "good run": lambda: paging.open_incident("failure_rate", "It fails.", actor="worker:watchdog", agent=old),
    }[part]
    assert months_read(ask) == []


def test_an_action_counts_though_its_step_waited_for_months(old):
    play = old.choices[0]["play"]
    making.signals([{}])
    decide(hot)
    hot.close()
    decided = floor_id(timezone.now() - timedelta(days=60))
    moved = "UPDATE agents_action SET id = %s, run_id = %s, state = 'failed', settled_at = now()"
    told.execute(hot.connection, "UPDATE agents_run SET id = %s", [decided])
    told.execute(hot.connection, moved, [decided, decided])
    hot.close()
    assert watchdog._rates(old, timezone.now() - timedelta(hours=1)) == (0, 0)
    steps = Play.objects.get(slug=play).steps
    Play.objects.filter(slug=play).update(steps=[{**steps[0], "delay_minutes": 60 * 24 * 60}])
    assert watchdog._rates(old, timezone.now() - timedelta(hours=1)) == (1, 1)
