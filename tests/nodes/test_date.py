from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kit.values import Failed, GetMoment
from chalicelib.nodes.date.add import Add
from chalicelib.nodes.date.between import Between
from chalicelib.nodes.date.convert import Convert
from chalicelib.nodes.date.end_of import EndOf
from chalicelib.nodes.date.format import Format
from chalicelib.nodes.date.now import Now
from chalicelib.nodes.date.parse import Parse
from chalicelib.nodes.date.start_of import StartOf
from chalicelib.nodes.date.subtract import Subtract
from tests.nodes.anything import outcome, ran, values
from tests.talk import MOMENT, talk

BERLIN = "Europe/Berlin"
moments = st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def failed(answer: Any) -> str:
    assert isinstance(answer, Failed), answer
    assert answer.failure.code == "date_invalid"
    return answer.failure.message


def test_the_flow_s_zone_counts_unless_the_step_names_one() -> None:
    asked, text = talk(Format(time="2026-07-01T12:00:00Z", pattern="HH:mm"), MOMENT)
    assert (asked, text) == ((GetMoment(),), "14:00")
    assert talk(Format(time="2026-07-01T12:00:00Z", pattern="HH:mm", zone="UTC")) == ((), "12:00")
    assert ran(Now) == "2026-11-20T07:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "pattern", "time"),
    [
        ("20.11.2026", "dd.MM.yyyy", "2026-11-19T23:00:00.000Z"),
        ("1/2/26 3:04 pm", "M/d/yy h:mm a", "2026-01-02T14:04:00.000Z"),
        ("12:00 AM, July 4, 1999", "h:mm a, MMMM d, yyyy", "1999-07-03T22:00:00.000Z"),
        ("Fri 20 nov 2026 07:08:09.120 +05:30", "EEE d MMM yyyy HH:mm:ss.SSS ZZ", "2026-11-20T01:38:09.120Z"),
        ("20261120T070809Z", "yyyyMMdd'T'HHmmssZ", "2026-11-20T07:08:09.000Z"),
        ("2026-11-20 07:00 America/New_York", "yyyy-MM-dd HH:mm z", "2026-11-20T12:00:00.000Z"),
        ("2026 324", "yyyy ooo", "2026-11-19T23:00:00.000Z"),
        ("1795158000", "X", "2026-11-20T07:00:00.000Z"),
        ("Jahr 2026", "'Jahr' yyyy", "2025-12-31T23:00:00.000Z"),
        ("2026-03-29 02:30", "yyyy-MM-dd HH:mm", "2026-03-29T01:30:00.000Z"),
    ],
)
def test_times_are_read_by_a_pattern(text: str, pattern: str, time: str) -> None:
    assert ran(Parse, time=text, pattern=pattern, zone=BERLIN) == time


@pytest.mark.parametrize(
    ("text", "pattern", "reason"),
    [
        ("2026-11-20", "dd.MM.yyyy", "not written as the pattern says"),
        ("31.02.2026", "dd.MM.yyyy", "no such time"),
        ("Mon 20.11.2026", "EEE dd.MM.yyyy", "no such time"),
        ("13:00 pm", "h:mm a", "no such time"),
        ("2025 366", "yyyy ooo", "no such time"),
        ("2026", "YYYY", "`YYYY` means nothing"),
        ("1 1", "d d", "says the day twice"),
        ("1", "d" + " " * 300, "shorter"),
        ("0000", "yyyy", "no such time"),
        ("999999999999999", "x", "no such time"),
        ("2026 Nowhere/Else", "yyyy z", "no time zone"),
    ],
)
def test_what_cannot_be_read_by_a_pattern_fails_with_its_reason(text: str, pattern: str, reason: str) -> None:
    assert reason in failed(ran(Parse, time=text, pattern=pattern, zone=BERLIN))


@settings(deadline=None)
@given(moments, st.sampled_from(["dd.MM.yyyy HH:mm:ss.SSS ZZ", "cccc, d MMMM yyyy h:mm:ss.SSS a ZZZ", "x"]))
def test_what_is_written_by_a_pattern_is_read_by_it(moment: datetime, pattern: str) -> None:
    time = moment.isoformat()
    written = ran(Format, time=time, pattern=pattern, zone="Asia/Kolkata")
    if moment.year > 1950:  # before that, offsets have seconds
        assert ran(Parse, time=written, pattern=pattern, zone="UTC") == ran(Parse, time=time)


def test_a_pattern_of_many_spaces_is_read_at_once() -> None:
    assert "not written" in failed(ran(Parse, time=" 1" + " " * 390 + "x", pattern="d" + " " * 190 + "M", zone="UTC"))


@pytest.mark.parametrize(
    ("start", "parts", "end"),
    [
        ("2026-01-31T10:00", {"months": 1}, "2026-02-28T09:00:00.000Z"),
        ("2024-02-29T10:00", {"years": 1}, "2025-02-28T09:00:00.000Z"),
        ("2026-03-28T02:30", {"days": 1}, "2026-03-29T01:30:00.000Z"),
        ("2026-10-24T02:30", {"days": 1}, "2026-10-25T00:30:00.000Z"),
        ("2026-10-24T12:00", {"duration": "1d"}, "2026-10-25T10:00:00.000Z"),
        ("2026-12-31T00:00", {"months": 14, "days": 1, "duration": "1h"}, "2028-03-01T00:00:00.000Z"),
        ("2026-11-20T07:00", {}, "2026-11-20T06:00:00.000Z"),
    ],
)
def test_adding_follows_the_calendar_then_the_clock(start: str, parts: dict[str, Any], end: str) -> None:
    assert ran(Add, time=start, zone=BERLIN, **parts) == end


def test_subtracting_is_the_other_direction() -> None:
    assert ran(Subtract, time="2026-03-31", months=1, zone="UTC") == "2026-02-28T00:00:00.000Z"
    assert ran(Subtract, time="2026-01-01", days=1, duration="1h", zone="UTC") == "2025-12-30T23:00:00.000Z"


@pytest.mark.parametrize(
    "parts", [{"years": 8000}, {"months": 1_000_000}, {"days": 1_000_000, "years": 7000}, {"duration": "9999999d"}]
)
def test_times_beyond_the_calendar_fail_by_name(parts: dict[str, Any]) -> None:
    failed(ran(Add, time="2026-11-20", zone="UTC", **parts))
    failed(ran(Subtract, time="2026-11-20", zone="UTC", **parts))


@pytest.mark.parametrize(
    ("start", "end", "unit", "amount"),
    [
        ("2026-03-28T12:00", "2026-03-29T12:00", "days", 23 / 24),
        ("2026-03-28T12:00", "2026-03-29T12:00", "calendar_days", 1),
        ("2026-11-20T00:00", "2026-11-19T23:59", "calendar_days", -1),
        ("2026-01-31", "2026-02-27", "months", 0),
        ("2026-01-31", "2026-02-28", "months", 1),
        ("2026-01-31", "2026-03-31", "months", 2),
        ("2026-03-31", "2026-01-31", "months", -2),
        ("2024-02-29", "2025-02-28", "years", 1),
        ("2026-11-20", "2027-11-19", "years", 0),
        ("2027-11-19", "2026-11-20", "years", 0),
        ("2026-11-20T00:00:00.5Z", "2026-11-20T00:00:02Z", "seconds", 1.5),
    ],
)
def test_what_lies_between(start: str, end: str, unit: str, amount: float) -> None:
    assert ran(Between, start=start, end=end, unit=unit, zone=BERLIN) == amount


@settings(deadline=None)
@given(moments, moments)
def test_whole_months_are_the_most_that_fit(one: datetime, other: datetime) -> None:
    start, end = sorted([one, other])
    months = ran(Between, start=start.isoformat(), end=end.isoformat(), unit="months", zone="UTC")

    def later(count: int) -> datetime:
        return datetime.fromisoformat(ran(Add, time=start.replace(microsecond=0).isoformat(), months=count, zone="UTC"))

    floor = end.replace(microsecond=0)
    assert later(months) <= floor + timedelta(seconds=1)
    assert later(months + 1) >= floor


@pytest.mark.parametrize(
    ("unit", "begin", "end"),
    [
        ("hour", "2026-03-29T10:00:00.000Z", "2026-03-29T10:59:59.999Z"),
        ("day", "2026-03-28T23:00:00.000Z", "2026-03-29T21:59:59.999Z"),
        ("week", "2026-03-22T23:00:00.000Z", "2026-03-29T21:59:59.999Z"),
        ("month", "2026-02-28T23:00:00.000Z", "2026-03-31T21:59:59.999Z"),
        ("quarter", "2025-12-31T23:00:00.000Z", "2026-03-31T21:59:59.999Z"),
        ("year", "2025-12-31T23:00:00.000Z", "2026-12-31T22:59:59.999Z"),
    ],
)
def test_units_begin_and_end_as_clocks_in_the_zone_show(unit: str, begin: str, end: str) -> None:
    assert ran(StartOf, time="2026-03-29T10:15:00Z", unit=unit, zone=BERLIN) == begin
    assert ran(EndOf, time="2026-03-29T10:15:00Z", unit=unit, zone=BERLIN) == end


@settings(deadline=None)
@given(
    moments,
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.sampled_from([BERLIN, "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Auckland"]),
)
def test_after_the_end_of_a_unit_the_next_one_begins(moment: datetime, unit: str, zone: str) -> None:
    end = datetime.fromisoformat(ran(EndOf, time=moment.isoformat(), unit=unit, zone=zone))
    following = (end + timedelta(milliseconds=1)).isoformat()
    assert datetime.fromisoformat(ran(StartOf, time=following, unit=unit, zone=zone)) == end + timedelta(milliseconds=1)
    assert end >= moment - timedelta(milliseconds=1)


def test_converting_writes_the_offset_and_reads_a_bare_time_in_its_zone() -> None:
    assert ran(Convert, time="2026-07-01 12:00", zone="Asia/Tokyo", to=BERLIN) == "2026-07-01T05:00:00.000+02:00"
    assert ran(Convert, time="2026-07-01T12:00:00Z", to="UTC") == "2026-07-01T12:00:00.000+00:00"
    assert ZoneInfo(BERLIN).key == BERLIN


@pytest.mark.parametrize(
    "time", ["tomorrow", "2026-13-01", "", 1e300, -(10**30), "0000-01-01", "9999-12-31T23:59:59-12:00"]
)
def test_a_time_that_cannot_be_read_fails_by_name(time: Any) -> None:
    for node in (Parse, Format, StartOf, EndOf, Add):
        failed(ran(node, time=time, zone=BERLIN))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "\x00", "+99:00", "a" * 500])
def test_a_zone_that_is_none_fails_by_name(zone: str) -> None:
    failed(ran(Format, time="2026-11-20", zone=zone))
    failed(ran(Convert, time="2026-11-20", to=zone))
    failed(ran(Now, zone=zone))


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        (Parse, {"time": values, "pattern": values}),
        (Parse, {"time": st.text(max_size=8), "pattern": st.text(alphabet="dMyHhmsSaZzoXxEL' .-", max_size=10)}),
        (
            Format,
            {
                "time": st.integers() | st.floats(),
                "pattern": st.text(alphabet="dMyHhmsSaZzoXxEL' .-", max_size=10),
                "zone": values,
            },
        ),
        (Add, {"time": values | moments.map(str), "months": st.integers(0, 10**6), "duration": values}),
        (
            Between,
            {"start": values | moments.map(str), "end": values, "unit": st.sampled_from(["days", "months", "years"])},
        ),
        (
            EndOf,
            {
                "time": st.integers(-(10**14), 10**15),
                "unit": st.sampled_from(["second", "hour", "week", "year"]),
                "zone": st.sampled_from([BERLIN, "Pacific/Kiritimati", "-23:59"]),
            },
        ),
        (Convert, {"time": st.integers(-(10**14), 10**15), "to": st.sampled_from([BERLIN, "+14:00"]) | values}),
        (Now, {"zone": values}),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_whatever_comes_in_a_value_or_a_named_failure_comes_out(node: Any, parameters: dict[str, Any]) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.fixed_dictionaries(parameters))
    def holds(chosen: dict[str, Any]) -> None:
        outcome(node, chosen)

    holds()
