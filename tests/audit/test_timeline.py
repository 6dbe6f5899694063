from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection

from audit import keys
from audit.entries import Line, append
from audit.ids import id_time, new_id
from audit.merkle import Frontier
from audit.seal import seal_batch
from audit.timeline import Filters, find, timeline

pytestmark = pytest.mark.django_db
RUN = UUID("01890000-0000-7000-8000-00000000000a")


@pytest.fixture
def ids():
    """Eight entries; in order of writing."""
    lines = [
        Line("signal.received", "signal:1", "source:web", account="acme", detail={"n": 0}),
        Line("run.decided", "run:1", "worker:loop", "one", RUN, "emea", "mid", "acme"),
        Line("action.asked", "action:1", "worker:loop", "one", RUN, "emea", "mid", "acme"),
        Line("action.approved", "action:1", "person:ana", "one", RUN, "emea", "mid", "acme"),
        Line("action.delivered", "action:1", "worker:loop", "one", RUN, "emea", "mid", "acme"),
        Line("run.decided", "run:2", "worker:loop", "two", new_id(), "amer", "", "zeta"),
        Line("pause.set", "pause:1", "person:ana", region="amer"),
        Line("agent.changed", "agent:one", "cli", "one", detail={"name": ["a", "b"]}),
    ]
    with connection.cursor() as cursor:
        return append(cursor, lines)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [7, 6, 5, 4, 3, 2, 1, 0]),
        ({"agent": "one"}, [7, 4, 3, 2, 1]),
        ({"actor": "worker:loop"}, [5, 4, 2, 1]),
        ({"actor": "person:ana"}, [6, 3]),
        ({"verb": "action."}, [4, 3, 2]),
        ({"verb": "action.asked"}, [2]),
        ({"verb": "act%"}, []),
        ({"subject": "action:1"}, [4, 3, 2]),
        ({"account": "zeta"}, [5]),
        ({"run": RUN}, [4, 3, 2, 1]),
        ({"regions": ["amer"]}, [6, 5]),
        ({"regions": ["amer", ""]}, [7, 6, 5, 0]),
        ({"regions": []}, []),
        ({"segments": ["mid"]}, [4, 3, 2, 1]),
        ({"agents": ["two"]}, [5]),
        ({"agent": "one", "verb": "run.", "regions": ["emea"]}, [1]),
    ],
    ids=str,
)
def test_each_facet_shows_what_matches_newest_first(ids, filters, expected):
    assert [ids.index(row.id) for row in timeline(Filters(**filters))] == expected


def test_since_is_inclusive_and_until_exclusive(ids):
    first, last = id_time(ids[0]), id_time(ids[-1])
    assert len(timeline(Filters(since=first))) == 8
    assert timeline(Filters(since=last + timedelta(milliseconds=1))) == []
    assert timeline(Filters(until=first)) == []
    assert len(timeline(Filters(until=last + timedelta(milliseconds=1)))) == 8


def test_pages_follow_each_other_without_gap_or_repeat(ids):
    shown, before = [], None
    while page := timeline(Filters(), before=before, limit=3):
        shown += [row.id for row in page]
        before = page[-1].id
    assert shown == ids[::-1]


def test_a_row_carries_its_detail_and_its_number_once_sealed(ids, var):
    assert find(ids[7]).detail == {"name": ["a", "b"]}
    assert find(ids[7]).seq is None
    assert find(new_id()) is None
    connection.ensure_connection()
    raw = connection.connection
    seal_batch(raw, Frontier(), keys.signer(raw))
    assert [row.seq for row in timeline(Filters())] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert find(ids[7]).sealed
