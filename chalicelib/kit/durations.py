"""Durations as people write them in flows: `90s`, `10m`, `1h30m`, `2d`."""

import re
from datetime import timedelta
from typing import Final

PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"
"""The same pattern stands in the JSON Schema of every duration."""

_PIECE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(PATTERN[1:-1])
_UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=3660)


def parse_duration(text: object) -> timedelta:
    """Read a duration; ValueError with a sentence where it is none, or is longer than ten years."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or len(text) > 40 or not _WHOLE.fullmatch(text):
        raise ValueError("is not a duration; write a number and a unit, such as 90s, 10m, 1h30m or 2d")
    try:
        total = sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in _PIECE.findall(text)), timedelta())
    except OverflowError:
        total = timedelta.max
    if total > _LONGEST:
        raise ValueError("is longer than ten years")
    return total
