from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from audit.ids import floor_id, id_time, new_id, new_ids


def test_ids_are_stdlib_uuids_of_version_7_in_order():
    ids = new_ids(5_000)
    assert type(ids[0]) is UUID
    assert {i.version for i in ids} == {7}
    assert ids == sorted(ids)
    assert len(set(ids)) == 5_000
    assert new_id() > ids[-1]


def test_an_id_carries_the_moment_it_was_made():
    before = datetime.now(UTC)
    made = id_time(new_id())
    assert before - timedelta(milliseconds=1) <= made <= datetime.now(UTC) + timedelta(milliseconds=1)


def test_the_floor_of_a_millisecond_is_below_its_ids_and_above_all_earlier_ones():
    id = new_id()
    floor = floor_id(id_time(id))
    assert floor.version == 7
    assert floor <= id
    assert id < floor_id(id_time(id) + timedelta(milliseconds=1))
    assert id_time(floor) == id_time(id)


def test_what_lies_before_1970_has_the_floor_of_all_ids():
    assert floor_id(datetime.min.replace(tzinfo=UTC)) == floor_id(datetime(1970, 1, 1, tzinfo=UTC))


def test_a_naive_moment_is_refused():
    with pytest.raises(ValueError, match="aware"):
        floor_id(datetime(2026, 1, 1))  # noqa: DTZ001
