"""Functions on times: ISO text in UTC, in the flow's zone where clocks matter and no other is given."""

from datetime import tzinfo

from chalicelib.errors import ExpressionError
from chalicelib.flow import dates
from chalicelib.flow.date_patterns import format_time
from chalicelib.flow.functions import Function, Surroundings, table
from chalicelib.flow.values import Json


def time(around: Surroundings, value: Json) -> str:
    """Any spelling of a time as ISO text in UTC."""
    return dates.iso(dates.read_time(value, around.zone))


def date(around: Surroundings, value: Json, pattern: Json, zone: Json = None) -> str:
    """The time as text, by Luxon's letters."""
    return format_time(dates.read_time(value, around.zone), pattern, _zone(around, zone))


def day(around: Surroundings, value: Json, zone: Json = None) -> str:
    """The calendar day, `2026-11-20`."""
    return format_time(dates.read_time(value, around.zone), "yyyy-MM-dd", _zone(around, zone))


def plus(around: Surroundings, value: Json, span: Json) -> str:
    """The time so much later; a day is 24 hours."""
    return dates.iso(dates.shift(dates.read_time(value, around.zone), dates.read_duration(span)))


def minus(around: Surroundings, value: Json, span: Json) -> str:
    """The time so much earlier; a day is 24 hours."""
    return dates.iso(dates.shift(dates.read_time(value, around.zone), -dates.read_duration(span)))


def between(around: Surroundings, start: Json, end: Json, unit: Json) -> int | float:
    """How much time lies between, in a unit; negative if the second is earlier."""
    return dates.between(dates.read_time(start, around.zone), dates.read_time(end, around.zone), unit)


def start_of(around: Surroundings, value: Json, unit: Json, zone: Json = None) -> str:
    """The beginning of the day, week, month ... that the time lies in."""
    return dates.iso(dates.start_of(dates.read_time(value, around.zone), unit, _zone(around, zone)))


def _zone(around: Surroundings, name: Json) -> tzinfo:
    if name is None:
        return around.zone
    if not isinstance(name, str):
        raise ExpressionError("A time zone is text.  ->  Write one such as Europe/Berlin, UTC or +01:00.")
    return dates.zone_of(name)


TIME_FUNCTIONS = table(
    Function(
        "$time(x)",
        "Milliseconds, ISO 8601, `2026-11-20 07:00` or RFC 2822 as ISO text in UTC.",
        '$time("Fri, 20 Nov 2026 07:00:00 +0100")',
        "2026-11-20T06:00:00.000Z",
        time,
        looks_around=True,
    ),
    Function(
        "$date(t, pattern, tz?)",
        "The time as text, by Luxon's letters, in English.",
        '$date("2026-11-20T07:00:00Z", "dd.MM.yyyy HH:mm", "Europe/Berlin")',
        "20.11.2026 08:00",
        date,
        least=2,
        most=3,
        looks_around=True,
    ),
    Function(
        "$day(t, tz?)",
        "The calendar day.",
        '$day("2026-11-20T23:30:00Z", "Europe/Berlin")',
        "2026-11-21",
        day,
        most=2,
        looks_around=True,
    ),
    Function(
        "$plus(t, d)",
        "The time so much later: `ms s m h d w`; a day is 24 hours.",
        '$plus("2026-11-20T07:00:00Z", "2d")',
        "2026-11-22T07:00:00.000Z",
        plus,
        least=2,
        most=2,
        looks_around=True,
    ),
    Function(
        "$minus(t, d)",
        "The time so much earlier.",
        '$minus("2026-11-20T07:00:00Z", "1h30m")',
        "2026-11-20T05:30:00.000Z",
        minus,
        least=2,
        most=2,
        looks_around=True,
    ),
    Function(
        "$between(t, u, unit)",
        'The time from `t` to `u`, with a fraction, in `"milliseconds"` to `"weeks"`.',
        '$between("2026-11-20T07:00:00Z", "2026-11-20T08:30:00Z", "hours")',
        1.5,
        between,
        least=3,
        most=3,
        wants=2,
        looks_around=True,
    ),
    Function(
        "$start_of(t, unit, tz?)",
        'The beginning of the `"second"`, `"minute"`, `"hour"`, `"day"`, `"week"` (Monday), `"month"`, `"quarter"` '
        'or `"year"`.',
        '$start_of("2026-11-20T07:00:00Z", "month", "Europe/Berlin")',
        "2026-10-31T23:00:00.000Z",
        start_of,
        least=2,
        most=3,
        looks_around=True,
    ),
)
