"""Working time: held against a slow walk minute by minute, and across changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.rules.working_hours import DAYS, FARTHEST, add_working, compile_calendar, working_between

WEEK = {day: ["09:00", "18:00"] for day in DAYS[:5]}
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

clock = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda one: f"{one[0]:02}:{one[1]:02}")
hours = st.dictionaries(
    st.sampled_from(DAYS), st.tuples(clock, clock).filter(lambda pair: pair[0] < pair[1]).map(list), max_size=7
)
moments = st.integers(0, 729 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
spans = st.integers(0, 60 * 40).map(lambda minutes: timedelta(minutes=minutes))


def worked(week, zone, at):
    """Whether the minute that begins at `at` is worked, by looking at the clock on the wall."""
    local = at.astimezone(ZoneInfo(zone))
    pair = week.get(DAYS[local.weekday()])
    return not week or (pair is not None and pair[0] <= f"{local:%H:%M}" < pair[1])


@settings(max_examples=150, deadline=None)
@given(week=hours, zone=st.sampled_from(ZONES), at=moments, minutes=st.integers(0, 3000))
def test_working_time_between_is_what_a_walk_minute_by_minute_finds(week, zone, at, minutes):
    walked = sum(worked(week, zone, at + MINUTE * n) for n in range(minutes))
    assert working_between(compile_calendar(zone, week), at, at + MINUTE * minutes) == MINUTE * walked


@settings(max_examples=300, deadline=None)
@given(week=hours, zone=st.sampled_from(ZONES), at=moments, span=spans)
def test_so_much_working_time_has_passed_and_not_a_moment_before(week, zone, at, span):
    calendar = compile_calendar(zone, week)
    ends = add_working(calendar, at, span)
    assert at <= ends <= at + FARTHEST
    if ends < at + FARTHEST:
        assert working_between(calendar, at, ends) == span
        assert span == timedelta(0) or working_between(calendar, at, ends - MINUTE) < span


@settings(max_examples=200, deadline=None)
@given(week=hours, zone=st.sampled_from(ZONES), at=moments, one=spans, other=spans)
def test_a_span_may_be_cut_in_two(week, zone, at, one, other):
    calendar = compile_calendar(zone, week)
    whole = add_working(calendar, at, one + other)
    if whole < at + FARTHEST:
        assert add_working(calendar, add_working(calendar, at, one), other) == whole


@pytest.mark.parametrize(
    ("zone", "at", "span", "ends"),
    [
        ("Europe/Berlin", "2026-11-20T16:00+00:00", 8 * HOUR, "2026-11-23T15:00+00:00"),
        ("Europe/Berlin", "2026-03-27T16:00+00:00", 8 * HOUR, "2026-03-30T14:00+00:00"),
        ("UTC", "2026-11-21T03:00+00:00", 9 * HOUR, "2026-11-23T18:00+00:00"),
        ("America/New_York", "2026-11-20T13:00+00:00", 9 * HOUR, "2026-11-20T23:00+00:00"),
    ],
    ids=["over the weekend", "over the change of the clock", "from a Saturday", "before work"],
)
def test_deadlines_by_hand(zone, at, span, ends):
    assert add_working(compile_calendar(zone, WEEK), datetime.fromisoformat(at), span) == datetime.fromisoformat(ends)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 3), ("2026-10-25", 5), ("2026-11-01", 4)])
def test_a_night_shift_on_the_day_the_clock_changes_is_as_long_as_it_is(day, hours):
    calendar = compile_calendar("Europe/Berlin", {"sun": ["00:00", "04:00"]})
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert working_between(calendar, start, start + timedelta(days=1)) == hours * HOUR


def test_a_region_without_hours_works_round_the_clock_and_odd_ones_are_not_worked():
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert add_working(compile_calendar("Europe/Berlin", {}), at, 8 * HOUR) == at + 8 * HOUR
    odd = compile_calendar("Mars/Olympus", {"mon": ["nine", "18:00"], "tue": ["18:00", "09:00"], "wed": ["09:00"]})
    assert odd.always


def test_where_hardly_anything_is_worked_the_deadline_still_comes():
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert add_working(compile_calendar("UTC", {"mon": ["09:00", "09:01"]}), at, 8 * HOUR) == at + FARTHEST
