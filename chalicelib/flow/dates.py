"""Times as flows write them: read from what services send, shifted and compared.

Inside, a time is an aware `datetime` in UTC; outside it is RFC 3339 text in UTC with three decimals (design 9). A time
without an offset is read in a zone. Where clocks are turned back the first of the two is meant; a time that clocks skip
is read as if they had not been turned, so it lies after the gap.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from chalicelib.errors import ExpressionError
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_ISO = re.compile(r"\d{4}-?(\d\d-?\d\d|W\d\d(-?\d)?)([T ].+)?", re.ASCII | re.IGNORECASE)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?([0-5]\d))?", re.ASCII)
_RFC_2822 = re.compile(
    r"(?:[A-Za-z]{3},\s*)?(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+(\d\d):(\d\d)(?::(\d\d))?\s+([+-]\d{4}|[A-Za-z]{1,3})"
    r"(?:\s+\(.*\))?",
    re.ASCII,
)
_NAMED_OFFSETS = {
    "UT": 0,
    "UTC": 0,
    "GMT": 0,
    "Z": 0,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
}
"""The zones RFC 2822 section 4.3 lets a mail name; it says that all others mean nothing."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])", re.ASCII)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPANS = {
    "millisecond": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


@lru_cache(maxsize=128)
def zone_of(name: str) -> tzinfo:
    """The time zone of a name (`Europe/Berlin`, `UTC`, `Z`) or an offset (`+01:00`); else ExpressionError."""
    if name in {"UTC", "Z", "utc"}:
        return UTC
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups("0")
        span = timedelta(hours=int(hours), minutes=int(minutes))
        if span < timedelta(days=1):
            return timezone(-span if sign == "-" else span)
    try:
        return ZoneInfo(name)
    # ZoneInfoNotFoundError is a KeyError; a name with many slashes is looked for in as many folders.
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise ExpressionError(
            f"There is no time zone `{name[:60]}`.  ->  Write one such as Europe/Berlin, UTC or +01:00."
        ) from error


def read_time(value: Json, zone: tzinfo) -> datetime:
    """Read a time: milliseconds since 1970, ISO 8601, `2026-11-20 07:00`, or RFC 2822 as in mails and HTTP headers.

    Text without an offset is in `zone`. Raises ExpressionError, which never shows the value.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return EPOCH + timedelta(milliseconds=value)
        if isinstance(value, str):
            text = value.strip()
            return _read_iso(text, zone) if _ISO.fullmatch(text) else _read_rfc_2822(text)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(
            "This cannot be read as a time.  ->  Times are ISO 8601 (2026-11-20T07:00:00Z), 2026-11-20 07:00, "
            "RFC 2822, or milliseconds since 1970, in the years 1 to 9999."
        ) from error
    raise ExpressionError(f"A time is text or a number of milliseconds, not {kind_of(value)}.  ->  Give one of those.")


def _read_iso(text: str, zone: tzinfo) -> datetime:
    if " " in text[11:]:
        text = text[:11] + text[11:].replace(" ", "")
    read = datetime.fromisoformat(text.upper())
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def _read_rfc_2822(text: str) -> datetime:
    found = _RFC_2822.fullmatch(text)
    if not found:
        raise ValueError("no time")
    day, month, year, hour, minute, second, offset = found.groups("0")
    if offset[0] in "+-":
        span = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
        span = -span if offset[0] == "-" else span
    elif offset.upper() in _NAMED_OFFSETS:
        span = timedelta(hours=_NAMED_OFFSETS[offset.upper()])
    else:
        raise ValueError("no zone")
    number = _MONTHS.index(month.lower()) + 1
    return datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC) - span


def iso(moment: datetime) -> str:
    """The time as RFC 3339 in UTC with three decimals: `2026-11-20T07:00:00.000Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def read_duration(text: Json) -> timedelta:
    """Read a length of time: `500ms`, `90s`, `15m`, `1h30m`, `2d`, `1w`. A day is 24 hours, whatever the clocks do."""
    if isinstance(text, str) and re.fullmatch(rf"(?:{_DURATION.pattern}\s*)+", text.strip(), re.ASCII):
        try:
            parts = [timedelta(**{_UNITS[unit]: float(count)}) for count, unit in _DURATION.findall(text)]
            return sum(parts, timedelta())
        except OverflowError as error:
            raise ExpressionError("This length of time is too long.  ->  Give one under a million days.") from error
    raise ExpressionError('This is no length of time.  ->  Write one such as "90s", "15m", "1h30m", "2d" or "1w".')


def shift(moment: datetime, span: timedelta) -> datetime:
    """The moment so much later, or earlier; ExpressionError beyond the years 1 to 9999."""
    try:
        return moment + span
    except OverflowError as error:
        raise ExpressionError("This time lies outside the years 1 to 9999.  ->  Shift it by less.") from error


def on_wall(moment: datetime, zone: tzinfo) -> datetime:
    """The moment as clocks in a zone show it; ExpressionError beyond the years 1 to 9999."""
    try:
        return moment.astimezone(zone)
    except OverflowError as error:
        raise ExpressionError("Clocks there show a time outside the years 1 to 9999.  ->  Take another.") from error


def between(start: datetime, end: datetime, unit: Json) -> int | float:
    """How much time lies between, negative if `end` is earlier; whole where it is, else with a fraction."""
    span = _SPANS.get(unit.removesuffix("s") if isinstance(unit, str) else "")
    if span is None:
        raise ExpressionError(
            'This is no unit to measure time in.  ->  Use "milliseconds", "seconds", "minutes", "hours", "days" (of 24 '
            'hours) or "weeks".'
        )
    whole, rest = divmod(end - start, span)
    return (end - start) / span if rest else whole


def start_of(moment: datetime, unit: Json, zone: tzinfo) -> datetime:
    """The beginning of the second, minute, hour, day, week (Monday), month, quarter or year, as clocks in `zone` show.

    Where clocks skip midnight the day begins when they go on.
    """
    local = on_wall(moment, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match unit:
        case "second" | "seconds":
            begin = local.replace(microsecond=0)
        case "minute" | "minutes":
            begin = local.replace(second=0, microsecond=0)
        case "hour" | "hours":
            begin = local.replace(minute=0, second=0, microsecond=0)
        case "day" | "days":
            begin = midnight
        case "week" | "weeks":
            begin = shift(midnight, -timedelta(days=local.weekday()))
        case "month" | "months":
            begin = midnight.replace(day=1)
        case "quarter" | "quarters":
            begin = midnight.replace(day=1, month=local.month - (local.month - 1) % 3)
        case "year" | "years":
            begin = midnight.replace(day=1, month=1)
        case _:
            raise ExpressionError(
                'This is no unit that begins.  ->  Use "second", "minute", "hour", "day", "week", "month", "quarter" '
                'or "year".'
            )
    return on_wall(begin, UTC)
