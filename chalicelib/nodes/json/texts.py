"""JSON text to value and back, with nothing that JSON cannot say."""

import json
import math

from chalicelib.flow.values import Json
from chalicelib.flow.wording import place_in_json

DEEPEST = 200
"""Levels of nesting that are read and written; the standard lets a reader set such a limit (RFC 8259, section 9)."""


def read(text: str) -> Json:
    """The value; whole numbers of any size stay exact.

    Raises ValueError, with a message that never shows the text, for anything that is not JSON: NaN and infinities,
    numbers too large to be held, lone surrogates, and nesting beyond the limit.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float)
    except json.JSONDecodeError as error:
        raise ValueError(_placed(error)) from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        # CPython's own words for a number of more than 4,300 digits are about the interpreter.
        said = str(error)
        raise ValueError("a whole number has more than 4,300 digits" if "integer string" in said else said) from None
    if is_deeper(value, DEEPEST):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    if ("\\u" in text or not text.isascii()) and not _is_unicode(value):
        raise ValueError("it has a lone surrogate, which no text in Unicode has")
    return value


def _placed(error: json.JSONDecodeError) -> str:
    line, column = place_in_json(error)
    return f"{error.msg} at line {line}, column {column}"


def is_deeper(value: Json, limit: int) -> bool:
    """Whether lists and objects are nested deeper than this."""
    level: list[Json] = [value]
    for _ in range(limit):
        below: list[Json] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(item for item in one.values() if isinstance(item, dict | list))
            elif isinstance(one, list):
                below.extend(item for item in one if isinstance(item, dict | list))
        if not below:
            return False
        level = below
    return True


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _is_unicode(value: Json) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
