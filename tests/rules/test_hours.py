"""Hours by the recipient's clock, past midnight and through its changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rules.hours import DAYS, Hours, always, minutes, quiet_until, time_zone

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Hours(18 * 60, 8 * 60)
FRIDAY_NIGHT = Hours(18 * 60, 8 * 60, frozenset({4}))
WEEKEND = Hours(days=frozenset({5, 6}))


def berlin(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("hours", "held", "free"),
    [
        (Hours(540, 1020), ["2026-11-20T09:00", "2026-11-20T16:59:59"], ["2026-11-20T08:59:59", "2026-11-20T17:00"]),
        (NIGHT, ["2026-11-20T18:00", "2026-11-20T00:00", "2026-11-20T07:59"], ["2026-11-20T08:00", "2026-11-20T17:59"]),
        (FRIDAY_NIGHT, ["2026-11-20T18:00", "2026-11-21T07:59"], ["2026-11-20T07:59", "2026-11-21T18:00"]),
        (WEEKEND, ["2026-11-21T00:00", "2026-11-22T23:59"], ["2026-11-20T23:59", "2026-11-23T00:00"]),
        (Hours(18 * 60, 0), ["2026-11-20T23:59"], ["2026-11-20T00:00"]),
    ],
)  # fmt: skip
def test_when_they_hold(hours, held, free):
    assert [hours.hold_at(berlin(at)) for at in held] == [True] * len(held)
    assert [hours.hold_at(berlin(at)) for at in free] == [False] * len(free)


@pytest.mark.parametrize(
    ("stretches", "at", "until"),
    [
        ([NIGHT], "2026-11-20T17:59", None),
        ([NIGHT], "2026-11-20T18:00", "2026-11-21T08:00"),
        ([NIGHT], "2026-11-20T03:00:30", "2026-11-20T08:00"),
        ([WEEKEND], "2026-11-21T12:00", "2026-11-23T00:00"),
        ([NIGHT, WEEKEND], "2026-11-20T19:00", "2026-11-23T08:00"),
        ([Hours(0, 150)], "2026-03-29T01:00", "2026-03-29T03:30"),
        ([Hours(0, 150)], "2026-10-25T02:00", "2026-10-25T02:30"),
    ],
)
def test_how_long_it_is_quiet(stretches, at, until):
    assert quiet_until(stretches, berlin(at), BERLIN) == (until and berlin(until).astimezone(UTC))


def test_the_hour_that_a_clock_repeats_is_quiet_twice():
    again = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert f"{again.astimezone(BERLIN):%H:%M}" == "02:10"
    assert quiet_until([Hours(0, 150)], again, BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


clocks = st.integers(0, 24 * 60 - 1)
some_hours = st.builds(
    Hours, clocks, clocks | st.just(24 * 60), st.frozensets(st.integers(0, 6), min_size=1)
).filter(lambda hours: hours.start != hours.end)  # fmt: skip
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "UTC"]).map(
    ZoneInfo
)


@given(st.lists(some_hours, max_size=3), moments, zones)
def test_it_is_quiet_until_it_is_over(stretches, at, zone):
    until = quiet_until(stretches, at, zone)
    held = any(hours.hold_at(at.astimezone(zone)) for hours in stretches)
    assert (until is not None) is held
    if until is not None and not always(stretches):
        assert at < until <= at + timedelta(days=8)
        assert not any(hours.hold_at(until.astimezone(zone)) for hours in stretches)


@given(st.lists(some_hours, max_size=3))
def test_what_leaves_no_minute_free(stretches):
    minute_by_minute = bool(stretches) and all(
        any(hours.hold(day, minute) for hours in stretches) for day in range(7) for minute in range(24 * 60)
    )
    assert always(stretches) is minute_by_minute


def test_times_of_day_are_read():
    assert [minutes(text) for text in ("00:00", "18:05", "23:59")] == [0, 1085, 1439]
    assert [minutes(text) for text in ("24:00", "8:00", "18:60", "", None, 18, "18:00\n", "१८:००")] == [None] * 8
    assert minutes("24:00", end=True) == 1440


def test_they_are_said():
    assert str(FRIDAY_NIGHT) == "from 18:00 to 08:00 on Fri"
    assert str(WEEKEND) == "on Sat, Sun"
    assert len(DAYS) == 7
    assert time_zone("nowhere") is None
