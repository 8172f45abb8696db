"""A schedule in EventBridge Scheduler's own words: expressions that fire in every minute in which it does. Pure.

They may fire in more minutes than that: `worker.minutes` finds out which moments of a minute are the schedule's own. So
nothing is refused for want of a word. Scheduler's cron has six fields (`minutes hours day-of-month month day-of-week
year`), one of the two days is always `?`, weekdays count from Sunday as 1, and it fires to the minute (EventBridge
Scheduler guide, "Schedule types"). Its rates are not used: how they count is not said to the minute.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from math import gcd
from typing import NamedTuple
from zoneinfo import ZoneInfo

from chalicelib.kit.cron import Cron, Schedule, next_time

_DAY = timedelta(days=1)
_AHEAD = 400
"""Days that tell how a zone's clocks change: more than a year, since most do so twice in one."""


class Spoken(NamedTuple):
    """One schedule as Scheduler takes it."""

    expression: str
    zone: str


def spoken(schedule: Schedule, zone: str, now: datetime) -> tuple[Spoken, ...]:
    """The schedules that together fire in every minute in which this one does.

    Several of them where a day or a weekday is enough. Where two fire in one minute each moment starts once all the
    same.

    Args:
        schedule: as `kit.cron` understood it.
        zone: an IANA name.
        now: when they are made; how the zone's clocks will change is looked up from here on.
    """
    if isinstance(schedule, timedelta):
        return _interval(schedule, zone, now)
    offsets = _offsets(zone, now)
    if schedule.every_hour and len(offsets) > 1:
        # It follows real time through the change of clocks, and Scheduler's hours do so in UTC alone. Which day it is
        # there depends on the hour: every day is asked.
        minutes = {(minute - offset) % 60 for minute in schedule.minutes for offset in offsets}
        return (_spoken(minutes, range(24), "*", "*", "?", "UTC"),)
    return _cron(schedule, zone)


def _cron(cron: Cron, zone: str) -> tuple[Spoken, ...]:
    """In the schedule's own zone, where Scheduler does with the change of clocks what ours does."""
    days, months = _list(cron.days, 1, 31), _list(cron.months, 1, 12)
    weekdays = _list({day + 1 for day in cron.weekdays}, 1, 7)
    by_day = _spoken(cron.minutes, cron.hours, days, months, "?", zone)
    by_weekday = _spoken(cron.minutes, cron.hours, "?", months, weekdays, zone)
    if cron.either_day:
        return by_day, by_weekday
    # Scheduler cannot ask for both; where both are restricted, days are those that fire less often.
    return (by_weekday if days == "*" and weekdays != "*" else by_day,)


def _interval(interval: timedelta, zone: str, now: datetime) -> tuple[Spoken, ...]:
    if interval % _DAY == timedelta():
        # At midnight, or when the day begins where clocks leave midnight out.
        times = {(at.hour, at.minute) for at in _midnights(zone, now)}
        return (_spoken({minute for _, minute in times}, {hour for hour, _ in times}, "*", "*", "?", zone),)
    minutes, odd = divmod(interval, timedelta(minutes=1))
    if odd:
        return (_spoken(range(60), range(24), "*", "*", "?", "UTC"),)
    # Multiples of the interval in UTC are among those of what it has in common with an hour, and with a day.
    hours = range(0, 24, gcd(minutes // 60, 24)) if minutes % 60 == 0 else range(24)
    return (_spoken(range(0, 60, gcd(minutes, 60)), hours, "*", "*", "?", "UTC"),)


def _spoken(minutes: Iterable[int], hours: Iterable[int], days: str, months: str, weekdays: str, zone: str) -> Spoken:
    time = f"{_list(set(minutes), 0, 59)} {_list(set(hours), 0, 23)}"
    return Spoken(f"cron({time} {days} {months} {weekdays} *)", zone)


def _offsets(zone: str, now: datetime) -> set[int]:
    """How far the zone's clocks will be ahead of UTC, in minutes: more than one where they change."""
    place = ZoneInfo(zone)
    moments = (now.astimezone(UTC) + day * _DAY for day in range(0, _AHEAD, 5))
    return {int((moment.astimezone(place).utcoffset() or timedelta()) / timedelta(minutes=1)) for moment in moments}


def _midnights(zone: str, now: datetime) -> list[datetime]:
    """When days will begin in a zone, as its clocks show."""
    found: list[datetime] = []
    moment = now
    for _ in range(_AHEAD):
        moment = next_time(_DAY, moment, zone)
        found.append(moment.astimezone(ZoneInfo(zone)))
    return found


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
