"""Prints times with Luxon's letters (`dd.MM.yyyy HH:mm`), which are what users of n8n know; names are English.

Source of the letters: https://moment.github.io/luxon/#/formatting?id=table-of-tokens. Left out are the localized macros
(`DD`, `ff` and their like) and the locale's week numbers: a flow prints the same wherever it is.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import TypeAlias

from chalicelib.errors import ExpressionError
from chalicelib.flow.dates import milliseconds, on_wall
from chalicelib.flow.values import Json

_Write: TypeAlias = Callable[[datetime], str]

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November")
MONTHS = (*_MONTHS, "December")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_PIECES = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<token>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>.)", re.DOTALL)


def format_time(moment: datetime, pattern: Json, zone: tzinfo) -> str:
    """Print a time as clocks in `zone` show it; text in 'single quotes' stands as it is.

    A letter that means nothing is an ExpressionError, so that `YYYY` does not print itself.
    """
    if not isinstance(pattern, str):
        raise ExpressionError('A date pattern is text.  ->  Write one such as "dd.MM.yyyy HH:mm".')
    local = on_wall(moment, zone)
    return "".join([part if isinstance(part, str) else part(local) for part in _compile(pattern)])


@lru_cache(maxsize=256)
def _compile(pattern: str) -> tuple[str | _Write, ...]:
    parts: list[str | _Write] = []
    for found in _PIECES.finditer(pattern):
        match found.lastgroup, found.group(found.lastgroup or 0):
            case "token" | "letter", _:
                parts.append(_writer(found["token"]))
            case "quoted", text:
                parts.append(text.replace("''", "'") or "'")
            case _, "'":
                raise ExpressionError("A quote in this date pattern is not closed.  ->  Quote text like this: 'at'.")
            case _, text:
                parts.append(text)
    return tuple(parts)


def _writer(token: str) -> _Write:
    if write := _TOKENS.get(token):
        return write
    meant = {"YYYY": "yyyy", "YY": "yy", "Y": "y", "DD": "dd", "D": "d", "A": "a", "SS": "ss"}.get(token)
    hint = f"Did you mean `{meant}`?" if meant else "The letters are Luxon's: yyyy MM dd HH mm ss SSS, EEEE, MMMM, ZZ."
    raise ExpressionError(f"`{token[:20]}` means nothing in a date pattern.  ->  {hint} Put text in 'single quotes'.")


def _offset(local: datetime, style: str) -> str:
    """The offset from UTC: narrow `+1`, short `+01:00`, techie `+0100`."""
    span = local.utcoffset()
    total = round(span.total_seconds() / 60) if span is not None else 0
    hours, minutes = divmod(abs(total), 60)
    sign = "-" if total < 0 else "+"
    match style:
        case "narrow":
            return f"{sign}{hours}:{minutes:02}" if minutes else f"{sign}{hours}"
        case "techie":
            return f"{sign}{hours:02}{minutes:02}"
        case _:
            return f"{sign}{hours:02}:{minutes:02}"


def _hour12(local: datetime) -> int:
    return local.hour % 12 or 12


_TOKENS: Mapping[str, _Write] = {
    "S": lambda t: str(t.microsecond // 1000),
    "SSS": lambda t: f"{t.microsecond // 1000:03}",
    "u": lambda t: f"{t.microsecond // 1000:03}",
    "uu": lambda t: f"{t.microsecond // 10_000:02}",
    "uuu": lambda t: str(t.microsecond // 100_000),
    "s": lambda t: str(t.second),
    "ss": lambda t: f"{t.second:02}",
    "m": lambda t: str(t.minute),
    "mm": lambda t: f"{t.minute:02}",
    "h": lambda t: str(_hour12(t)),
    "hh": lambda t: f"{_hour12(t):02}",
    "H": lambda t: str(t.hour),
    "HH": lambda t: f"{t.hour:02}",
    "Z": lambda t: _offset(t, "narrow"),
    "ZZ": lambda t: _offset(t, "short"),
    "ZZZ": lambda t: _offset(t, "techie"),
    "ZZZZ": lambda t: t.tzname() or "",
    "z": lambda t: getattr(t.tzinfo, "key", None) or t.tzname() or "",
    "a": lambda t: "AM" if t.hour < 12 else "PM",
    "d": lambda t: str(t.day),
    "dd": lambda t: f"{t.day:02}",
    "c": lambda t: str(t.isoweekday()),
    "ccc": lambda t: WEEKDAYS[t.weekday()][:3],
    "cccc": lambda t: WEEKDAYS[t.weekday()],
    "ccccc": lambda t: WEEKDAYS[t.weekday()][0],
    "E": lambda t: str(t.isoweekday()),
    "EEE": lambda t: WEEKDAYS[t.weekday()][:3],
    "EEEE": lambda t: WEEKDAYS[t.weekday()],
    "EEEEE": lambda t: WEEKDAYS[t.weekday()][0],
    "L": lambda t: str(t.month),
    "LL": lambda t: f"{t.month:02}",
    "LLL": lambda t: MONTHS[t.month - 1][:3],
    "LLLL": lambda t: MONTHS[t.month - 1],
    "LLLLL": lambda t: MONTHS[t.month - 1][0],
    "M": lambda t: str(t.month),
    "MM": lambda t: f"{t.month:02}",
    "MMM": lambda t: MONTHS[t.month - 1][:3],
    "MMMM": lambda t: MONTHS[t.month - 1],
    "MMMMM": lambda t: MONTHS[t.month - 1][0],
    "y": lambda t: str(t.year),
    "yy": lambda t: f"{t.year % 100:02}",
    "yyyy": lambda t: f"{t.year:04}",
    "yyyyyy": lambda t: f"{t.year:06}",
    "G": lambda _: "AD",
    "GG": lambda _: "Anno Domini",
    "GGGGG": lambda _: "A",
    "kk": lambda t: f"{t.isocalendar().year % 100:02}",
    "kkkk": lambda t: f"{t.isocalendar().year:04}",
    "W": lambda t: str(t.isocalendar().week),
    "WW": lambda t: f"{t.isocalendar().week:02}",
    "o": lambda t: str(t.timetuple().tm_yday),
    "ooo": lambda t: f"{t.timetuple().tm_yday:03}",
    "q": lambda t: str((t.month + 2) // 3),
    "qq": lambda t: f"{(t.month + 2) // 3:02}",
    "X": lambda t: str(milliseconds(t) // 1000),
    "x": lambda t: str(milliseconds(t)),
}
"""What each token prints of a local time."""
