"""When a schedule fires: cron expressions of five or six fields, and intervals. Pure; the time is an argument.

Fields are `minute hour day month weekday`, with seconds in front where there are six. Numbers, names (`MON`, `JAN`),
lists, ranges and steps; days and weekdays that are both restricted mean either (POSIX crontab); weekday 0 and 7 are
Sunday.

Where clocks change, a schedule does what EventBridge Scheduler does (its guide, "Schedule types", daylight saving): a
time that does not exist that day is skipped, a time that comes twice fires once, the first time. A schedule for every
hour follows real time instead: it fires in both of the two hours.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from chalicelib.kit.durations import parse_duration

_MONTHS: Final[dict[str, int]] = dict(
    zip(("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), range(1, 13), strict=True)
)
_WEEKDAYS: Final[dict[str, int]] = dict(zip(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), range(7), strict=True))
_SHORTHANDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST_MONTH: Final = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_PIECE = re.compile(r"(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?", re.ASCII)
_MARGIN = timedelta(hours=3)
"""More than any clock is ever put back (two hours, in 1947)."""
_DAY = timedelta(days=1)
_SEARCHED_FROM: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""What a schedule does from here on tells whether it ever fires; the past of a zone's clocks does not."""
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class _Field:
    """What a place in a cron expression may hold."""

    name: str
    low: int
    high: int
    names: Mapping[str, int]


_FIELDS: Final = (
    _Field("second", 0, 59, {}),
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression that has been understood. Sorted values; weekdays count from Sunday, 0."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Days and weekdays are both restricted: one of them is enough."""
    every_hour: bool
    """The hour is `*` or `*/n`: it follows real time where clocks change."""

    def falls_on(self, day: date) -> bool:
        """Whether it fires on this day at all."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day or by_weekday if self.either_day else by_day and by_weekday


Schedule: TypeAlias = Cron | timedelta
"""A cron expression, or an interval: intervals of whole days count from midnight, others from the full hour in UTC."""


def parse_cron(text: str) -> Cron:
    """Read a cron expression; ValueError with a sentence where it is none, or names a day that never comes."""
    words = _SHORTHANDS.get(text.strip().lower(), text).split()
    if len(words) not in {5, 6}:
        raise ValueError(
            f"has {len(words)} fields; write five (minute hour day month weekday), or six with seconds in front"
        )
    words = ["0", *words] if len(words) == 5 else words
    second, minute, hour, day, month, weekday = (
        _values(word, field) for word, field in zip(words, _FIELDS, strict=True)
    )
    both = all(not word.startswith(("*", "?")) for word in (words[3], words[5]))
    longest = max(_LONGEST_MONTH.get(n, 31) for n in month)
    if not both and min(day) > longest:
        raise ValueError(f"never fires: the months it names have no day {min(day)}")
    return Cron(
        seconds=tuple(sorted(second)),
        minutes=tuple(sorted(minute)),
        hours=tuple(sorted(hour)),
        days=frozenset(day),
        months=frozenset(month),
        weekdays=frozenset(n % 7 for n in weekday),
        either_day=both,
        every_hour=words[2].startswith("*"),
    )


def _values(word: str, field: _Field) -> set[int]:
    """The numbers that one field allows."""
    if word == "?" and field.name in {"day", "weekday"}:
        word = "*"
    return {value for piece in word.split(",") for value in _piece(piece, field)}


def _piece(piece: str, field: _Field) -> range:
    """The numbers of one range, such as `*/15`, `MON-FRI` or `5`."""
    span, slash, step_text = piece.partition("/")
    match = _PIECE.fullmatch(span)
    if match is None:
        raise ValueError(
            f"has {piece!r} as {field.name}; a number, a list, a range (1-5) or a step (*/5) can stand there"
        )
    if match["star"]:
        first, last = field.low, min(field.high, 6) if field.name == "weekday" else field.high
    else:
        first = _number(match["first"], field)
        last = _number(match["last"], field) if match["last"] else field.high if slash else first
        if match["last"] and field.name == "weekday" and last == 0:
            last = 7
    if first > last:
        raise ValueError(
            f"has {piece!r} as {field.name}, a range that runs backwards; write the two parts with a comma"
        )
    step = int(step_text) if step_text.isascii() and step_text.isdigit() else 0
    if slash and not 1 <= step <= max(field.high - field.low, 1):
        raise ValueError(f"has {piece!r} as {field.name}; a step is a number from 1 to {field.high - field.low}")
    return range(first, last + 1, step or 1)


def _number(text: str, field: _Field) -> int:
    """A number or a name of a field."""
    if text.upper() in field.names:
        return field.names[text.upper()]
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and field.low <= int(text) <= field.high):
        named = f" or {next(iter(field.names))} to {list(field.names)[-1]}" if field.names else ""
        raise ValueError(f"has {text!r} as {field.name}; it goes from {field.low} to {field.high}{named}")
    return int(text)


def schedule_of(parameters: Mapping[str, Any]) -> Schedule:
    """The schedule that the parameters of a `schedule` trigger mean; ValueError where they mean none."""
    cron, every = parameters.get("cron"), parameters.get("every")
    if (cron is None) == (every is None):
        raise ValueError("needs either `cron` or `every`, not both")
    if cron is not None:
        try:
            return parse_cron(str(cron))
        except ValueError as error:
            raise ValueError(f"cron {error}") from error
    try:
        interval = parse_duration(every)
    except ValueError as error:
        raise ValueError(f"every {error}") from error
    if interval < timedelta(seconds=1):
        raise ValueError("every must be at least one second")
    if interval > timedelta(days=366) or (interval > _DAY and interval % _DAY):
        raise ValueError("every above a day must be whole days, at most 366; for anything else write a cron")
    return interval


def next_time(schedule: Schedule, after: datetime, zone: str) -> datetime:
    """The first moment after `after` (aware) at which the schedule fires, in UTC; `zone` is an IANA name."""
    return _neighbour(schedule, after, ZoneInfo(zone), 1)


def previous_time(schedule: Schedule, before: datetime, zone: str) -> datetime:
    """The last moment before `before` (aware) at which the schedule fired, in UTC; `zone` is an IANA name."""
    return _neighbour(schedule, before, ZoneInfo(zone), -1)


def ever_fires(schedule: Schedule, zone: str) -> bool:
    """Whether it fires at all: not where every time it names falls into the hour that a zone's clocks leave out."""
    try:
        next_time(schedule, _SEARCHED_FROM, zone)
    except ValueError:
        return False
    return True


def first_of_two(schedule: Schedule, moment: datetime, zone: str) -> datetime:
    """The moment at which clocks on the wall showed this one's time first, where the schedule fires only then; in UTC.

    EventBridge Scheduler says that it fires once where a time comes twice, and not when; for us it is the first time.
    """
    if isinstance(schedule, timedelta) or schedule.every_hour:
        return moment.astimezone(UTC)
    return moment.astimezone(ZoneInfo(zone)).replace(fold=0).astimezone(UTC)


def _neighbour(schedule: Schedule, moment: datetime, zone: ZoneInfo, way: int) -> datetime:
    """The nearest firing strictly later (`way` 1) or strictly earlier (-1) than the moment."""
    moment = moment.astimezone(UTC)
    if isinstance(schedule, timedelta):
        return _tick(schedule, moment, zone, way)
    wall = moment.astimezone(zone).replace(tzinfo=None)
    is_near_change = (moment - _DAY).astimezone(zone).utcoffset() != (moment + _DAY).astimezone(zone).utcoffset()
    best: datetime | None = None
    for candidate in _wall_times(schedule, wall - way * _MARGIN if is_near_change else wall, way):
        if best is not None and (not schedule.every_hour or way * (candidate - _wall(best, zone)) > _MARGIN):
            break
        for instant in _instants(candidate, zone, twice=schedule.every_hour):
            if way * (instant - moment) > timedelta() and (best is None or way * (best - instant) > timedelta()):
                best = instant
        if best is not None and not is_near_change:
            break
    if best is None:
        raise ValueError("never fires")
    return best


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _instants(wall: datetime, zone: ZoneInfo, *, twice: bool) -> Iterator[datetime]:
    """The moments at which a wall clock shows this time: none in spring's gap, two in autumn's overlap."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(first, zone) != wall:
        return
    yield first
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if twice and second != first:
        yield second


def _wall_times(cron: Cron, start: datetime, way: int) -> Iterator[datetime]:
    """The cron's times on a wall clock from `start` on, in order; at most some 40 years of them.

    Forty, because 29 February comes back to the same weekday after 28 years, or 40 across the year 2100.
    """
    day, ends = start.date(), start.year + way * 41
    clock = start.time()
    while day.year != ends and 1 < day.year < 9998:
        if day.month not in cron.months:
            day = _month_beside(day, way)
            clock = time.min if way > 0 else time.max
            continue
        if cron.falls_on(day):
            for moment in _times_of_day(cron, clock, way):
                yield datetime.combine(day, moment)
        day += way * _DAY
        clock = time.min if way > 0 else time.max


def _month_beside(day: date, way: int) -> date:
    """The first day of the next month, or the last day of the one before."""
    if way < 0:
        return day.replace(day=1) - _DAY
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _times_of_day(cron: Cron, start: time, way: int) -> Iterator[time]:
    """The cron's times within a day from `start` on, in order."""
    for hour in cron.hours[::way]:
        if way * (hour - start.hour) < 0:
            continue
        for minute in cron.minutes[::way]:
            if hour == start.hour and way * (minute - start.minute) < 0:
                continue
            for second in cron.seconds[::way]:
                moment = time(hour, minute, second)
                if moment >= start if way > 0 else moment <= start:
                    yield moment


def _tick(interval: timedelta, moment: datetime, zone: ZoneInfo, way: int) -> datetime:
    """The next or the last multiple of an interval."""
    if interval < _DAY or interval % _DAY:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        turn = (moment - epoch) // interval
        if way > 0:
            return epoch + (turn + 1) * interval
        exact = epoch + turn * interval == moment
        return epoch + (turn - exact) * interval
    step = interval // _DAY
    turn = (moment.astimezone(zone).date().toordinal() - _EPOCH_DAY) // step + way
    while True:  # at most three rounds: the turn of today, and its neighbours
        midnight = datetime.combine(date.fromordinal(_EPOCH_DAY + turn * step), time.min, tzinfo=zone).astimezone(UTC)
        earlier = datetime.combine(
            date.fromordinal(_EPOCH_DAY + (turn - way) * step), time.min, tzinfo=zone
        ).astimezone(UTC)
        if way * (earlier - moment) <= timedelta():
            return midnight
        turn -= way
