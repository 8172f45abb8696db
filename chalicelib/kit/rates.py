"""How often something may happen, as people write it: `100/minute`."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

PATTERN: Final = r"^[1-9][0-9]{0,5}/(second|minute|hour|day)$"
"""The same pattern stands in the JSON Schema of every rate."""

_WHOLE: Final = re.compile(PATTERN[1:-1])
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


class Rate(NamedTuple):
    """So many at once, and so many again over so many seconds, evenly."""

    tokens: int
    seconds: int


@lru_cache(maxsize=256)
def parse_rate(text: str) -> Rate:
    """Read a rate; ValueError with a sentence where it is none."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("is not a rate; write a number and second, minute, hour or day, such as 100/minute")
    count, _, unit = text.partition("/")
    return Rate(int(count), _SECONDS[unit])
