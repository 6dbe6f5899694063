"""The index of the record's words grows in pieces, and gives the answers of reading everything."""

import random

import pytest
from django.db import connection

from audit import search
from audit.entries import Line
from audit.indexing import BLOCK, forget, index
from audit.search import Filters, look
from tests.audit.searching import filler, index_all, seal, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks as ever, but steps so small that a test meets many."""
    monkeypatch.setattr(search, "WINDOW", 7)
    monkeypatch.setattr(search, "PROBE", 4)


def test_random_questions_get_the_answer_of_reading_everything(var, seed):
    rng = random.Random(seed)
    pool = ["alpha", "beta", "gamma", "delta"]
    lines = []
    for n in range(2 * BLOCK + 300):
        why = " ".join(rng.choices(pool, k=rng.choice([0, 0, 1, 2])))
        verb = rng.choice(["play.changed", "pause.set", "agent.changed"])
        region = rng.choice(["", "emea", "amer"])
        lines.append(Line(verb, f"x:{n}", rng.choice(["cli", "worker:gate"]), rng.choice(["", "a", "b"]), None, region,
                          detail={"why": why} if why else {}))  # fmt: skip
    ids = write(*lines[: 2 * BLOCK + 100])
    seal()
    index_all()
    ids += write(*lines[2 * BLOCK + 100 :])
    for _ in range(60):
        text = " ".join(rng.sample(pool, rng.choice([0, 1, 2])))
        verb, agent = rng.choice(["", "pause.", "agent.changed"]), rng.choice(["", "a"])
        regions = rng.choice([None, ["emea"], ["", "amer"]])
        start = rng.choice([None, rng.randrange(len(ids))])
        expected = [
            id
            for n, (id, line) in enumerate(zip(ids, lines, strict=True))
            if all(word in line.detail.get("why", "").split() for word in text.split())
            and line.verb.startswith(verb)
            and (not agent or line.agent == agent)
            and (regions is None or line.region in regions)
            and (start is None or n < start)
        ][::-1][:20]
        filters = Filters(text=text, verb=verb, agent=agent, regions=regions)
        got = look(filters, before=None if start is None else ids[start], limit=20, patience=60).rows
        assert [row.id for row in got] == expected, (filters, start)


def test_indexing_goes_on_where_it_stopped_and_forgets_what_is_gone(var):
    write(*filler(3 * BLOCK))
    assert index_all() == 0
    seal()
    with connection.cursor() as cursor:
        assert index(cursor, blocks=2) == 2
        assert index(cursor, blocks=2) == 1
        assert index(cursor, blocks=2) == 0
        forget(cursor, 10, BLOCK + 5)
        cursor.execute("select distinct block from audit_term order by 1")
        assert [row[0] for row in cursor.fetchall()] == [0, 1, 2], "the bodies are still there: they are found again"
