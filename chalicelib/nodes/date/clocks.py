"""What the date nodes share: how a time is given, which zone counts, and how a time that cannot be is reported."""

import calendar
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StrictFloat, StrictInt

from chalicelib.errors import ExpressionError
from chalicelib.flow import dates
from chalicelib.kit.action import Conversation
from chalicelib.kit.values import Failed, Failure, GetMoment, Json, Moment

Time: TypeAlias = Annotated[str | StrictInt | StrictFloat, Field(json_schema_extra={"widget": "time"})]
"""A time: ISO 8601, `2026-11-20 07:00`, RFC 2822, or milliseconds since 1970."""

Unit: TypeAlias = Literal["second", "minute", "hour", "day", "week", "month", "quarter", "year"]

AT_EIGHT = Moment(datetime(2026, 11, 20, 7, 0, tzinfo=UTC), "Europe/Berlin", b"\0" * 32)
"""The moment that examples are told: eight o'clock in Berlin."""


def answer(work: Callable[[], Json]) -> Json:
    """What the work returns; a failure `date_invalid` where a time, a zone or a pattern cannot be understood."""
    try:
        return work()
    except ExpressionError as error:
        return Failed(Failure("date_invalid", error.detail))
    except (ValueError, OverflowError):
        # What Python says here would repeat the value.
        return Failed(Failure("date_invalid", "The time lies outside the years 1 to 9999."))


def in_zone(name: str | None, work: Callable[[tzinfo], Json]) -> Conversation:
    """Do the work in the zone named, else in the flow's, which the worker is asked for."""
    if name is None:
        moment: Moment = yield GetMoment()
        name = moment.zone
    chosen = name
    return answer(lambda: work(dates.zone_of(chosen)))


def shift_calendar(moment: datetime, zone: tzinfo, *, months: int, days: int) -> datetime:
    """So many months and days later on the calendar of `zone`, at the same time of day.

    A day that a month does not have becomes its last; a time that clocks skip lies after the gap. Raises ValueError or
    OverflowError outside the years 1 to 9999.
    """
    if not months and not days:
        return moment
    local = moment.astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError("year")
    last = calendar.monthrange(year, month + 1)[1]
    wall = local.replace(tzinfo=None, fold=0, year=year, month=month + 1, day=min(local.day, last))
    return (wall + timedelta(days=days)).replace(tzinfo=zone).astimezone(UTC)


def with_offset(moment: datetime, zone: tzinfo) -> str:
    """The time as clocks in `zone` show it, with their offset from UTC: `2026-11-20T08:00:00.000+01:00`."""
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


def moved(time: str | float, zone: tzinfo, sign: int, *, months: int, days: int, duration: str | None) -> str:
    """A time so much later (`sign` 1) or earlier (-1), as ISO 8601 in UTC: by the calendar first, then by the clock."""
    moment = shift_calendar(dates.read_time(time, zone), zone, months=sign * months, days=sign * days)
    if duration is not None:
        moment = dates.shift(moment, sign * dates.read_duration(duration))
    return dates.iso(moment)
