"""A schedule in EventBridge Scheduler's own words, or a named refusal of what it has no words for. Pure.

Its cron has six fields (`minutes hours day-of-month month day-of-week year`), one of the two days is always `?`,
weekdays count from Sunday as 1, and it fires to the minute (EventBridge Scheduler guide, "Schedule types").
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from chalicelib.errors import NotBuiltYetError
from chalicelib.kit.cron import Schedule, next_time

_LONGEST_EXPRESSION = 256
"""API reference, CreateSchedule, ScheduleExpression."""


class Spoken(NamedTuple):
    """One schedule as Scheduler takes it; `start` (epoch seconds) is the first firing of a rate, 0 for a cron."""

    expression: str
    zone: str
    start: int = 0


def spoken(schedule: Schedule, zone: str, now: datetime, where: str) -> tuple[Spoken, ...]:
    """The schedules that together fire when this one does; two of them where days and weekdays mean either.

    Where both fire at once the flow starts once all the same: the planned moment is its delivery key.

    Args:
        schedule: as `kit.cron` understood it.
        zone: an IANA name.
        now: when it is made; a rate begins at its next multiple, so that it is in step with the other hosts.
        where: names the trigger in a refusal, such as `triggers.nightly`.

    Raises:
        NotBuiltYetError: Scheduler cannot express it; the message says what, and what to write instead.
    """
    if isinstance(schedule, timedelta):
        return (_rate(schedule, zone, now, where),)
    if schedule.seconds != (0,):
        raise NotBuiltYetError(f"{where}: on AWS a schedule fires to the minute. Write `cron` with five fields.")
    time = f"{_list(schedule.minutes, 0, 59)} {_list(schedule.hours, 0, 23)}"
    days, months = _list(schedule.days, 1, 31), _list(schedule.months, 1, 12)
    weekdays = _list({day + 1 for day in schedule.weekdays}, 1, 7)
    if schedule.either_day:
        found = [f"{time} {days} {months} ? *", f"{time} ? {months} {weekdays} *"]
    elif weekdays == "*":
        found = [f"{time} {days} {months} ? *"]
    elif days == "*":
        found = [f"{time} ? {months} {weekdays} *"]
    else:
        raise NotBuiltYetError(
            f"{where}: on AWS a schedule cannot ask for a day of the month and a weekday at once, as a step such as "
            "*/2 beside a weekday does. Name one of them, or the other in an `if`."
        )
    expressions = [f"cron({each})" for each in found]
    if max(map(len, expressions)) > _LONGEST_EXPRESSION:
        raise NotBuiltYetError(f"{where}: `cron` is too long for AWS. Use ranges, or several triggers.")
    return tuple(Spoken(each, zone) for each in expressions)


def _rate(interval: timedelta, zone: str, now: datetime, where: str) -> Spoken:
    if interval % timedelta(minutes=1):
        raise NotBuiltYetError(f"{where}: on AWS `every` is whole minutes. Write 1m or more.")
    days, rest = divmod(interval, timedelta(days=1))
    if days == 1 and not rest:
        return Spoken("cron(0 0 * * ? *)", zone)
    if not rest and not _is_even(zone, now):
        raise NotBuiltYetError(
            f"{where}: on AWS a day of `every` has 24 hours, and in {zone} clocks change. Write a `cron`, or set the "
            "trigger's `timezone` to UTC."
        )
    minutes = interval // timedelta(minutes=1)
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            count = minutes // size
            first = next_time(interval, now, zone)
            return Spoken(f"rate({count} {unit}{'' if count == 1 else 's'})", zone, int(first.timestamp()))
    raise AssertionError("every number of minutes is a multiple of one")


def _is_even(zone: str, now: datetime) -> bool:
    """Whether the zone's clocks stay as they are for the year to come."""
    place = ZoneInfo(zone)
    offsets = {(now.astimezone(UTC) + timedelta(days=days)).astimezone(place).utcoffset() for days in range(0, 370, 5)}
    return len(offsets) == 1


def _list(values: Collection[int], low: int, high: int) -> str:
    """A field: `*` for everything, else numbers and ranges."""
    wanted = sorted(values)
    if len(wanted) == high - low + 1:
        return "*"
    spans: list[list[int]] = []
    for value in wanted:
        if spans and value == spans[-1][1] + 1:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
