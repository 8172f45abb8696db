"""When schedules fire."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kit.cron import (
    Schedule,
    ever_fires,
    first_of_two,
    next_time,
    parse_cron,
    previous_time,
    schedule_of,
)

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def firings(schedule: Schedule, start: datetime, count: int, zone: str) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        start = next_time(schedule, start, zone)
        found.append(start.astimezone(ZoneInfo(zone)).strftime("%a %d.%m. %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", ["Fri 20.11. 08:01:00", "Fri 20.11. 08:02:00"]),
        ("*/20 8 * * *", ["Fri 20.11. 08:20:00", "Fri 20.11. 08:40:00", "Sat 21.11. 08:00:00"]),
        ("0 6 * * MON", ["Mon 23.11. 06:00:00", "Mon 30.11. 06:00:00"]),
        ("0 6 * * 1-5", ["Mon 23.11. 06:00:00", "Tue 24.11. 06:00:00"]),
        ("30 9 1 JAN,jul *", ["Fri 01.01. 09:30:00", "Thu 01.07. 09:30:00"]),
        ("0 0 31 * *", ["Thu 31.12. 00:00:00", "Sun 31.01. 00:00:00", "Wed 31.03. 00:00:00"]),
        ("0 12 13 * FRI", ["Fri 20.11. 12:00:00", "Fri 27.11. 12:00:00", "Fri 04.12. 12:00:00"]),
        ("0 0 */10 * *", ["Sat 21.11. 00:00:00", "Tue 01.12. 00:00:00"]),
        ("0 9 ? * SAT-SUN", ["Sat 21.11. 09:00:00", "Sun 22.11. 09:00:00", "Sat 28.11. 09:00:00"]),
        ("0 9 * * 5-7", ["Fri 20.11. 09:00:00", "Sat 21.11. 09:00:00", "Sun 22.11. 09:00:00"]),
        ("*/30 0 8 * * *", ["Fri 20.11. 08:00:30", "Sat 21.11. 08:00:00"]),
        ("10/20 * * * *", ["Fri 20.11. 08:10:00", "Fri 20.11. 08:30:00", "Fri 20.11. 08:50:00"]),
        ("@daily", ["Sat 21.11. 00:00:00"]),
        ("@hourly", ["Fri 20.11. 09:00:00"]),
    ],
)
def test_a_cron_fires_when_it_says(cron: str, expected: list[str]) -> None:
    assert firings(parse_cron(cron), at("2026-11-20T08:00", BERLIN), len(expected), BERLIN) == expected


def test_days_and_weekdays_that_are_both_restricted_mean_either() -> None:
    assert parse_cron("0 0 13 * 5").falls_on(date(2026, 11, 13))
    assert parse_cron("0 0 13 * 5").falls_on(date(2026, 11, 20))
    assert not parse_cron("0 0 13 * *").falls_on(date(2026, 11, 20))


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 31 2 */2", "never fires"),
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * *", "goes from 0 to 59"),
        ("* 24 * * *", "goes from 0 to 23"),
        ("* * 0 * *", "goes from 1 to 31"),
        ("* * * 13 *", "JAN to DEC"),
        ("* * * * 8", "SUN to SAT"),
        ("*/0 * * * *", "a step is"),
        ("*/60 * * * *", "a step is"),
        ("*/x * * * *", "a step is"),
        ("5-1 * * * *", "runs backwards"),
        ("* * * * FRI-MON", "runs backwards"),
        ("1,,2 * * * *", "as minute"),
        ("a * * * *", "as minute"),
        ("-1 * * * *", "as minute"),
        ("* * L * *", "as day"),
        ("* * 15W * *", "as day"),
        ("* * * * MON#2", "as weekday"),
        ("? * * * *", "as minute"),
        ("0 12 * * ? *", "as month"),
        ("² * * * *", "as minute"),
        ("@reboot", "has 1 fields"),
    ],
)
def test_what_is_no_cron_or_never_fires_is_refused(cron: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_cron(cron)


@pytest.mark.parametrize(
    ("cron", "zone", "fires"),
    [
        ("30 2 25-31 3 */7", BERLIN, False),  # the last Sunday in March, at a time that it does not have
        ("30 2 25-31 3 */7", "UTC", True),
        ("30 3 25-31 3 */7", BERLIN, True),
        ("30 2 25-31 3 */7", "America/New_York", True),
        ("0 0 29 2 *", BERLIN, True),
    ],
)
def test_a_cron_that_names_only_times_that_clocks_leave_out_never_fires(cron: str, zone: str, fires: bool) -> None:
    assert ever_fires(parse_cron(cron), zone) is fires


@pytest.mark.parametrize(
    ("cron", "moment", "first"),
    [
        ("30 2 * * *", "2026-10-25T01:30", "2026-10-25T00:30"),
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-25T00:30"),
        ("30 2 * * *", "2026-10-26T01:30", "2026-10-26T01:30"),
        ("30 * * * *", "2026-10-25T01:30", "2026-10-25T01:30"),
    ],
)
def test_of_a_time_that_comes_twice_the_first_is_meant(cron: str, moment: str, first: str) -> None:
    assert first_of_two(parse_cron(cron), at(moment), BERLIN) == at(first)


def test_an_interval_has_no_times_that_come_twice() -> None:
    assert first_of_two(timedelta(hours=1), at("2026-10-25T01:30"), BERLIN) == at("2026-10-25T01:30")


def test_29_february_is_found_across_the_year_2100() -> None:
    assert next_time(parse_cron("0 0 29 2 *"), at("2096-03-01T00:00"), "UTC") == at("2104-02-29T00:00")
    assert previous_time(parse_cron("0 0 29 2 *"), at("2104-02-29T00:00"), "UTC") == at("2096-02-29T00:00")
    assert next_time(parse_cron("0 0 29 2 */6"), at("2096-03-01T00:00"), "UTC").year == 2116


def test_a_time_that_a_day_does_not_have_is_skipped() -> None:
    daily = parse_cron("30 2 * * *")
    assert next_time(daily, at("2026-03-28T12:00", BERLIN), BERLIN) == at("2026-03-30T02:30", BERLIN)
    assert previous_time(daily, at("2026-03-29T12:00", BERLIN), BERLIN) == at("2026-03-28T02:30", BERLIN)


def test_a_time_that_comes_twice_fires_once_the_first_time() -> None:
    daily = parse_cron("30 2 * * *")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_time(daily, at("2026-10-24T12:00", BERLIN), BERLIN) == first
    assert next_time(daily, first, BERLIN) == at("2026-10-26T02:30", BERLIN)
    assert previous_time(daily, at("2026-10-25T12:00", BERLIN), BERLIN) == first


@pytest.mark.parametrize(
    ("zone", "day"), [(BERLIN, "2026-10-25"), (BERLIN, "2026-03-29"), ("Australia/Lord_Howe", "2026-04-05")]
)
def test_a_schedule_for_every_hour_follows_real_time_where_clocks_change(zone: str, day: str) -> None:
    half_hourly = parse_cron("*/30 * * * *")
    moment = at(f"{day}T00:00", zone)
    times = [moment := next_time(half_hourly, moment, zone) for _ in range(12)]
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=30)}
    for earlier, later in pairwise(times):
        assert previous_time(half_hourly, later, zone) == earlier


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("15m", "2026-11-20T07:15"),
        ("1h", "2026-11-20T08:00"),
        ("90m", "2026-11-20T07:30"),
        ("1d", "2026-11-20T23:00"),
        ("1w", "2026-11-25T23:00"),
        ("10s", "2026-11-20T07:00:10"),
    ],
)
def test_an_interval_counts_from_the_hour_and_whole_days_from_midnight(every: str, expected: str) -> None:
    assert next_time(schedule_of({"every": every}), at("2026-11-20T07:00"), BERLIN) == at(expected)


def test_days_stay_at_midnight_where_clocks_change() -> None:
    daily = schedule_of({"every": "1d"})
    assert firings(daily, at("2026-10-24T12:00", BERLIN), 3, BERLIN) == [
        "Sun 25.10. 00:00:00",
        "Mon 26.10. 00:00:00",
        "Tue 27.10. 00:00:00",
    ]
    assert previous_time(daily, at("2026-10-26T00:00", BERLIN), BERLIN) == at("2026-10-25T00:00", BERLIN)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "either `cron` or `every`"),
        ({"cron": "* * * * *", "every": "1h"}, "either `cron` or `every`"),
        ({"every": "500ms"}, "at least one second"),
        ({"every": "0s"}, "at least one second"),
        ({"every": "36h"}, "whole days"),
        ({"every": "400d"}, "at most 366"),
        ({"every": "soon"}, "every is not a duration"),
        ({"cron": "0 0 30 2 *"}, "cron never fires"),
    ],
)
def test_parameters_that_mean_no_schedule_are_refused(parameters: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        schedule_of(parameters)


@st.composite
def crons(draw: st.DrawFn) -> str:
    def part(low: int, high: int) -> str:
        first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
        return draw(st.sampled_from(["*", str(first), f"{first}-{last}", f"{first},{last}", f"*/{max(1, last - low)}"]))

    return " ".join([part(0, 59), part(0, 23), part(1, 28), part(1, 12), part(0, 6)])


MOMENTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@settings(max_examples=150, deadline=None)
@given(crons(), MOMENTS, st.sampled_from([BERLIN, "UTC", "America/New_York", "Asia/Kathmandu"]))
def test_next_and_previous_are_neighbours_and_fit_the_expression(text: str, start: datetime, zone: str) -> None:
    cron = parse_cron(text)
    following = next_time(cron, start, zone)
    assert following > start
    wall = following.astimezone(ZoneInfo(zone))
    assert cron.falls_on(wall.date())
    assert wall.hour in cron.hours
    assert wall.minute in cron.minutes
    assert previous_time(cron, following + timedelta(seconds=1), zone) == following
    before = previous_time(cron, following, zone)
    assert before <= start
    assert next_time(cron, before, zone) == following
