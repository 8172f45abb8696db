"""Times: what is read, the edges of summer time, and the letters of a date pattern."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ExpressionError
from chalicelib.flow.date_patterns import format_time
from chalicelib.flow.dates import between, iso, read_duration, read_time, shift, start_of, zone_of
from chalicelib.flow.values import Json

BERLIN = zone_of("Europe/Berlin")
EARLY, LATE = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001 - hypothesis wants them without a zone
SINCE, UNTIL = datetime(1990, 1, 1), datetime(2037, 1, 1)  # noqa: DTZ001
MOMENT = datetime(2026, 11, 20, 7, 5, 9, 42_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-20T07:00:00Z", "2026-11-20T07:00:00.000Z"),
        ("2026-11-20T07:00:00.123456789Z", "2026-11-20T07:00:00.123Z"),
        ("2026-11-20T07:00:00+01:00", "2026-11-20T06:00:00.000Z"),
        ("2026-11-20T07:00:00-0530", "2026-11-20T12:30:00.000Z"),
        ("2026-11-20t07:00:00z", "2026-11-20T07:00:00.000Z"),
        ("20261120T070000Z", "2026-11-20T07:00:00.000Z"),
        ("2026-11-20 07:00 +02:00", "2026-11-20T05:00:00.000Z"),
        ("2026-11-20 07:00", "2026-11-20T06:00:00.000Z"),
        ("2026-11-20", "2026-11-19T23:00:00.000Z"),
        ("2026-W47-5", "2026-11-19T23:00:00.000Z"),
        ("  2026-11-20T07:00:00Z\n", "2026-11-20T07:00:00.000Z"),
        ("Fri, 20 Nov 2026 07:00:00 GMT", "2026-11-20T07:00:00.000Z"),
        ("20 Nov 2026 07:00 +0100", "2026-11-20T06:00:00.000Z"),
        ("Fri, 20 Nov 2026 07:00:00 EST", "2026-11-20T12:00:00.000Z"),
        ("Fri, 20 Nov 2026 07:00:00 -0330 (NST)", "2026-11-20T10:30:00.000Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (1795158000000, "2026-11-20T07:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1.5, "1970-01-01T00:00:00.001Z"),
    ],
)
def test_a_time_is_read_in_the_spellings_that_services_use(written: Json, expected: str):
    assert iso(read_time(written, BERLIN)) == expected


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "2026-13-01", "2026-02-30T00:00:00Z", "20.11.2026", "Fri, 20 Nov 2026 07:00:00 XYZ", "07:00",
     "Fri, 31 Feb 2026 07:00:00 GMT", "Fri, 20 Foo 2026 07:00:00 GMT", 1e20, float("nan"), float("inf"), True, None, [], {}, "0" * 5000],
)  # fmt: skip
def test_what_is_no_time_is_an_error_that_does_not_show_it(written: Json):
    with pytest.raises(ExpressionError) as raised:
        read_time(written, BERLIN)
    assert "->" in raised.value.detail
    if isinstance(written, str) and len(written) > 4 and written != "07:00":
        assert written not in raised.value.detail


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # Clocks skip 02:00 to 03:00 on 29 March 2026, and show 02:00 to 03:00 twice on 25 October 2026.
        ("2026-03-29 01:59", "2026-03-29T00:59:00.000Z"),
        ("2026-03-29 02:30", "2026-03-29T01:30:00.000Z"),
        ("2026-03-29 03:00", "2026-03-29T01:00:00.000Z"),
        ("2026-10-25 01:59", "2026-10-24T23:59:00.000Z"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),
        ("2026-10-25 03:00", "2026-10-25T02:00:00.000Z"),
    ],
)
def test_a_time_without_an_offset_is_read_in_the_zone_also_where_clocks_turn(written: str, expected: str):
    assert iso(read_time(written, BERLIN)) == expected


@pytest.mark.parametrize(
    ("name", "hours"),
    [("UTC", 0), ("Z", 0), ("+01:00", 1), ("-0530", -5.5), ("+2", 2), ("UTC+2", 2), ("Asia/Kolkata", 5.5)],
)
def test_a_zone_is_a_name_or_an_offset(name: str, hours: float):
    assert MOMENT.astimezone(zone_of(name)).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    "name", ["", "Nowhere/Else", "../../etc/passwd", "/etc/localtime", "+25:00", "europe", "Europe", "\0"]
)
def test_a_zone_that_does_not_exist_is_an_error(name: str):
    with pytest.raises(ExpressionError, match="no time zone"):
        zone_of(name)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("500ms", 0.5),
        ("1m 1 ms", 60.001),
        ("15m", 900),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1.5h", 5400),
        (" 1h 5s ", 3605),
        ("0s", 0),
    ],
)
def test_a_length_of_time_is_read(written: str, seconds: int):
    assert read_duration(written).total_seconds() == seconds


@pytest.mark.parametrize(
    "written", ["", "2", "2 days", "-1d", "1y", "1M", "d", 5, None, "1e3s", "\u0661d", "9" * 400 + "d"]
)
def test_what_is_no_length_of_time_is_an_error(written: Json):
    with pytest.raises(ExpressionError, match="length of time"):
        read_duration(written)


def test_shifting_beyond_the_calendar_is_an_error():
    with pytest.raises(ExpressionError, match="years 1 to 9999"):
        shift(MOMENT, timedelta(days=4_000_000))


def test_a_day_is_24_hours_also_when_clocks_turn():
    before = read_time("2026-03-28 12:00", BERLIN)
    assert iso(shift(before, read_duration("1d"))) == "2026-03-29T11:00:00.000Z"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("milliseconds", 129_600_000),
        ("seconds", 129_600),
        ("minutes", 2160),
        ("hours", 36),
        ("day", 1.5),
        ("weeks", 1.5 / 7),
    ],
)
def test_the_time_between_is_whole_where_it_can_be(unit: str, expected: float):
    start = read_time("2026-11-20T00:00:00Z", UTC)
    end = read_time("2026-11-21T12:00:00Z", UTC)
    assert between(start, end, unit) == pytest.approx(expected)
    assert isinstance(between(start, end, unit), type(expected))
    assert between(end, start, unit) == -between(start, end, unit)


@pytest.mark.parametrize("unit", ["months", "", "fortnight", None, 5])
def test_a_unit_without_a_length_is_an_error(unit: Json):
    with pytest.raises(ExpressionError, match="unit"):
        between(MOMENT, MOMENT, unit)


@pytest.mark.parametrize(
    ("unit", "zone", "written", "expected"),
    [
        ("second", "UTC", "2026-11-20T07:05:09.042Z", "2026-11-20T07:05:09.000Z"),
        ("minute", "UTC", "2026-11-20T07:05:09.042Z", "2026-11-20T07:05:00.000Z"),
        ("hour", "Asia/Kolkata", "2026-11-20T07:05:09Z", "2026-11-20T06:30:00.000Z"),
        ("day", "Europe/Berlin", "2026-11-20T23:30:00Z", "2026-11-20T23:00:00.000Z"),
        ("week", "Europe/Berlin", "2026-11-20T07:00:00Z", "2026-11-15T23:00:00.000Z"),
        ("month", "Europe/Berlin", "2026-11-20T07:00:00Z", "2026-10-31T23:00:00.000Z"),
        ("quarter", "UTC", "2026-11-20T07:00:00Z", "2026-10-01T00:00:00.000Z"),
        ("year", "Europe/Berlin", "2026-11-20T07:00:00Z", "2025-12-31T23:00:00.000Z"),
        # The day of the change has 23 or 25 hours; it begins before the change.
        ("day", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00.000Z"),
        ("day", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00.000Z"),
        ("week", "Europe/Berlin", "2026-03-30T12:00:00Z", "2026-03-29T22:00:00.000Z"),
        # Each of the two hours from 02:00 to 03:00 begins by itself.
        ("hour", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00.000Z"),
        ("hour", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00.000Z"),
        # Clocks in Cairo skipped midnight on 26 April 2024: the day began at one.
        ("day", "Africa/Cairo", "2024-04-26T12:00:00Z", "2024-04-25T22:00:00.000Z"),
        # In Havana midnight came twice on 3 November 2024: the first one counts.
        ("day", "America/Havana", "2024-11-03T12:00:00Z", "2024-11-03T04:00:00.000Z"),
    ],
)
def test_the_beginning_is_the_one_that_clocks_in_the_zone_show(unit: str, zone: str, written: str, expected: str):
    assert iso(start_of(read_time(written, UTC), unit, zone_of(zone))) == expected


def test_a_unit_that_does_not_begin_is_an_error():
    with pytest.raises(ExpressionError, match="unit"):
        start_of(MOMENT, "decade", UTC)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("dd.MM.yyyy HH:mm", "20.11.2026 08:05"),
        ("d.M.yy H:m:s", "20.11.26 8:5:9"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2026-11-20T08:05:09.042+01:00"),
        ("EEE, dd MMM yyyy HH:mm:ss ZZZ", "Fri, 20 Nov 2026 08:05:09 +0100"),
        ("EEEE d. MMMM, hh:mm a", "Friday 20. November, 08:05 AM"),
        ("'at' h 'o''clock'", "at 8 o'clock"),
        ("kkkk-'W'WW-c", "2026-W47-5"),
        ("o ooo q qq", "324 324 4 04"),
        ("Z z ZZZZ", "+1 Europe/Berlin CET"),
        ("X x", "1795158309 1795158309042"),
        ("S u uu uuu", "42 042 04 0"),
        ("ccc cccc ccccc EEEEE LLL LLLL MMMMM L LL", "Fri Friday F F Nov November N 11 11"),
        ("G GG y yyyyyy", "AD Anno Domini 2026 002026"),
        ("", ""),
        ("20:00 / ä", "20:00 / ä"),
    ],
)
def test_a_time_is_printed_by_luxons_letters(pattern: str, expected: str):
    assert format_time(MOMENT, pattern, BERLIN) == expected


def test_noon_and_midnight_are_twelve():
    for hour, expected in ((0, "12 AM"), (12, "12 PM"), (23, "11 PM")):
        assert format_time(datetime(2026, 1, 1, hour, tzinfo=UTC), "h a", UTC) == expected


def test_an_offset_with_minutes_is_printed():
    assert format_time(MOMENT, "Z ZZ ZZZ", zone_of("-03:30")) == "-3:30 -03:30 -0330"


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [("YYYY-MM-DD", "`yyyy`"), ("DD", "`dd`"), ("b", "Luxon"), ("at h", "Luxon"), ("'x", "closed"), (5, "text")],
)
def test_a_letter_that_means_nothing_is_an_error_with_a_hint(pattern: Json, hint: str):
    with pytest.raises(ExpressionError, match=hint):
        format_time(MOMENT, pattern, UTC)


@given(st.datetimes(min_value=EARLY, max_value=LATE), st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))  # fmt: skip
def test_a_printed_time_is_read_back(moment: datetime, zone: str):
    exact = moment.replace(tzinfo=UTC, microsecond=moment.microsecond // 1000 * 1000)
    assert read_time(iso(exact), zone_of(zone)) == exact


@given(st.datetimes(min_value=SINCE, max_value=UNTIL), st.sampled_from(["hour", "day", "week", "month", "quarter", "year"]))  # fmt: skip
def test_a_beginning_is_not_later_and_begins_by_itself(moment: datetime, unit: str):
    for zone in (BERLIN, zone_of("Australia/Lord_Howe"), zone_of("America/Sao_Paulo")):
        exact = moment.replace(tzinfo=UTC)
        begin = start_of(exact, unit, zone)
        assert begin <= exact
        assert start_of(begin, unit, zone) == begin
