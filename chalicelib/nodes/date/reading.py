"""Reads times that are written by a pattern of Luxon's letters: the other direction of `flow.date_patterns`.

Source of the letters: https://moment.github.io/luxon/#/parsing?id=table-of-tokens
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from chalicelib.errors import ExpressionError
from chalicelib.flow.date_patterns import MONTHS, WEEKDAYS
from chalicelib.flow.dates import EPOCH, zone_of

_LONGEST = 200
_SPACE = r"\s{1,20}"

_PIECES = re.compile(r"'(?P<quoted>[^']*)'|(?P<token>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>.)", re.DOTALL)


def _names(names: tuple[str, ...], letters: int | None = None) -> str:
    return "|".join(name[:letters] for name in names)


_OFFSET = r"[+-][0-9]{1,2}(?::?[0-9]{2})?|Z"
_TOKENS: Mapping[str, tuple[str, str]] = {
    "yyyy": ("year", "[0-9]{4}"),
    "yy": ("short_year", "[0-9]{2}"),
    "y": ("year", "[0-9]{1,4}"),
    "M": ("month", "[0-9]{1,2}"),
    "MM": ("month", "[0-9]{2}"),
    "MMM": ("month_name", _names(MONTHS, 3)),
    "MMMM": ("month_name", _names(MONTHS)),
    "L": ("month", "[0-9]{1,2}"),
    "LL": ("month", "[0-9]{2}"),
    "LLL": ("month_name", _names(MONTHS, 3)),
    "LLLL": ("month_name", _names(MONTHS)),
    "d": ("day", "[0-9]{1,2}"),
    "dd": ("day", "[0-9]{2}"),
    "ooo": ("day_of_year", "[0-9]{3}"),
    "o": ("day_of_year", "[0-9]{1,3}"),
    "EEE": ("weekday", _names(WEEKDAYS, 3)),
    "EEEE": ("weekday", _names(WEEKDAYS)),
    "ccc": ("weekday", _names(WEEKDAYS, 3)),
    "cccc": ("weekday", _names(WEEKDAYS)),
    "H": ("hour", "[0-9]{1,2}"),
    "HH": ("hour", "[0-9]{2}"),
    "h": ("half_hour", "[0-9]{1,2}"),
    "hh": ("half_hour", "[0-9]{2}"),
    "a": ("half", "am|pm|a\\.m\\.|p\\.m\\."),
    "m": ("minute", "[0-9]{1,2}"),
    "mm": ("minute", "[0-9]{2}"),
    "s": ("second", "[0-9]{1,2}"),
    "ss": ("second", "[0-9]{2}"),
    "S": ("milliseconds", "[0-9]{1,3}"),
    "SSS": ("milliseconds", "[0-9]{3}"),
    "u": ("fraction", "[0-9]{1,9}"),
    "Z": ("offset", _OFFSET),
    "ZZ": ("offset", _OFFSET),
    "ZZZ": ("offset", _OFFSET),
    "z": ("zone", r"[A-Za-z_]{1,20}(?:/[A-Za-z_+-]{1,30}){0,2}[0-9]{0,2}"),
    "X": ("seconds_since_1970", r"-?[0-9]{1,12}"),
    "x": ("milliseconds_since_1970", r"-?[0-9]{1,15}"),
}
"""By token: which part of the time it gives, and what it looks like."""


@lru_cache(maxsize=128)
def _compile(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression with a group per part; ExpressionError for letters that mean nothing."""
    if len(pattern) > _LONGEST:
        raise ExpressionError(f"The date pattern has more than {_LONGEST} characters.  ->  Write a shorter one.")
    expression = ""
    parts: set[str] = set()
    for found in _PIECES.finditer(pattern):
        token = found["token"]
        if token is None:
            text = found["quoted"] if found["quoted"] is not None else found["other"]
            # White space in a pattern is any white space, as services pad with it; one run of it, lest it backtrack.
            if not text.isspace():
                expression += re.escape(text)
            elif not expression.endswith(_SPACE):
                expression += _SPACE
            continue
        if token not in _TOKENS:
            raise ExpressionError(
                f"`{token[:20]}` means nothing when a date is read.  ->  Letters are Luxon's, as in dd.MM.yyyy HH:mm; "
                "text goes in 'single quotes'."
            )
        part, shape = _TOKENS[token]
        if part in parts:
            raise ExpressionError(f"The date pattern says the {part.replace('_', ' ')} twice.  ->  Say each part once.")
        parts.add(part)
        expression += f"(?P<{part}>{shape})"
    return re.compile(expression, re.IGNORECASE | re.ASCII)


def read_with(pattern: str, text: str, zone: tzinfo) -> datetime:
    """The time that a text names, written by the pattern; in `zone` unless the text says an offset or a zone.

    A part that the pattern leaves out is its smallest: the first month, the first day, midnight. Raises ExpressionError
    where the text is not written so, names no time there is, or a weekday that is not that day's.
    """
    found = _compile(pattern).fullmatch(text.strip()) if len(text) <= 2 * _LONGEST else None
    if found is None:
        raise ExpressionError("The time is not written as the pattern says.  ->  Compare it with an example.")
    parts = {name: value for name, value in found.groupdict().items() if value is not None}
    try:
        return _put_together(parts, zone)
    except (ValueError, OverflowError) as error:
        raise ExpressionError("The time is written as the pattern says, but there is no such time.") from error


def _put_together(parts: Mapping[str, str], zone: tzinfo) -> datetime:
    if "milliseconds_since_1970" in parts:
        return EPOCH + timedelta(milliseconds=int(parts["milliseconds_since_1970"]))
    if "seconds_since_1970" in parts:
        return EPOCH + timedelta(seconds=int(parts["seconds_since_1970"]))
    fraction = parts.get("fraction", "").ljust(6, "0")[:6]
    microsecond = int(fraction) + 1000 * int(parts.get("milliseconds", 0))
    local = datetime(
        _year(parts),
        _month(parts),
        int(parts.get("day", 1)),
        _hour(parts),
        int(parts.get("minute", 0)),
        int(parts.get("second", 0)),
        microsecond,
        tzinfo=_zone(parts, zone),
    )
    if "day_of_year" in parts:
        local = local.replace(month=1, day=1) + timedelta(days=int(parts["day_of_year"]) - 1)
        if local.year != _year(parts):
            raise ValueError("day of year")
    if "weekday" in parts and WEEKDAYS[local.weekday()][:3].lower() != parts["weekday"][:3].lower():
        raise ValueError("weekday")
    return local.astimezone(UTC)


def _year(parts: Mapping[str, str]) -> int:
    if "short_year" in parts:
        # As Luxon's default: 61 to 99 are of the last century.
        short = int(parts["short_year"])
        return short + (1900 if short > 60 else 2000)
    return int(parts.get("year", 1970))


def _month(parts: Mapping[str, str]) -> int:
    if "month_name" in parts:
        return [name[:3].lower() for name in MONTHS].index(parts["month_name"][:3].lower()) + 1
    return int(parts.get("month", 1))


def _hour(parts: Mapping[str, str]) -> int:
    if "half_hour" not in parts:
        return int(parts.get("hour", 0))
    hour = int(parts["half_hour"])
    if not 1 <= hour <= 12:
        raise ValueError("hour")
    return hour % 12 + (12 if parts.get("half", "a").lower().startswith("p") else 0)


def _zone(parts: Mapping[str, str], zone: tzinfo) -> tzinfo:
    if "offset" in parts:
        return zone_of(parts["offset"].upper())
    return zone_of(parts["zone"]) if "zone" in parts else zone
