"""When two values are the same, and which of them comes first."""

import re
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias

from chalicelib.errors import ExpressionError, ParameterError
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.places import as_text
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of
from chalicelib.nodes.data.fields import DEEPEST

Reading: TypeAlias = Literal["as_is", "number", "text", "no_case", "natural", "time"]
"""How a value is understood before it is compared.

`as_is`: numbers as numbers, text as text. `number`: text such as "19.90" counts as a number too. `text`: numbers and
booleans count as text. `no_case`: text without regard to case. `natural`: the same, and digits inside text count as
numbers, so that `item 2` comes before `item 10`. `time`: text is a point in time (ISO 8601), a number milliseconds
since 1970.
"""

Comparable: TypeAlias = tuple[int, int | float | Decimal | str | bool | tuple[tuple[int, int, str], ...]]
"""A rank (numbers, text, booleans, lists, objects) and, within the rank, something that Python orders."""

Identity: TypeAlias = tuple[object, ...]
"""Two values are the same exactly if their identities are equal; hashable."""

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?\s*\Z")
_DIGITS = re.compile(r"([0-9]+)")


def number_in(text: str) -> int | Decimal | None:
    """The exact number a text spells (`12`, `-0.5`, `1e3`, `+7`), or None; spaces around it do not count."""
    if not _NUMBER.match(text):
        return None
    number = Decimal(text.strip())
    return int(number) if number == number.to_integral_value() and number.adjusted() < 800 else number


def exact(number: float) -> int | Decimal:
    """A number as it is written: 0.1 is one tenth, not the nearest fraction of two."""
    return number if isinstance(number, int) else Decimal(repr(number))


def is_number(value: Json | Missing) -> bool:
    """Whether it is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def comparable(value: Json, reading: Reading, place: str) -> Comparable:
    """Something that Python orders as the reading says; `place` is where the value lies, for the message.

    Raises ParameterError where the value cannot be understood in this way. Null is the caller's business.
    """
    if isinstance(value, str):
        return _comparable_text(value, reading, place)
    match value:
        case bool():
            if reading == "text":
                return 1, as_text(value)
            if reading in {"number", "time"}:
                raise ParameterError(f"`{place}` is a boolean, and it is to be read as a {reading}.")
            return 2, value
        case int() | float():
            if reading == "text":
                return 1, as_text(value)
            if reading == "time":
                return 0, instant(value, place)
            return 0, exact(value) if reading == "number" else value
        case _:
            if reading in {"number", "time"}:
                raise ParameterError(f"`{place}` is {kind_of(value)}, and it is to be read as a {reading}.")
            return (3 if isinstance(value, list) else 4), repr(identity(value))


def _comparable_text(text: str, reading: Reading, place: str) -> Comparable:
    match reading:
        case "as_is" | "text":
            return 1, text
        case "no_case":
            return 1, text.casefold()
        case "number":
            number = number_in(text)
            if number is None:
                raise ParameterError(f"`{place}` is text that spells no number, and it is to be read as a number.")
            return 0, number
        case "natural":
            pieces = _DIGITS.split(text.casefold())
            # The length of a run of digits without its leading zeros, then the digits: the order of the numbers.
            return 1, tuple(
                (0, len(piece.lstrip("0")), piece.lstrip("0")) if position % 2 else (1, 0, piece)
                for position, piece in enumerate(pieces)
                if piece
            )
        case "time":
            return 0, instant(text, place)


def instant(value: Json, place: str) -> int:
    """The moment a value names, in microseconds since 1970; text without an offset is in UTC."""
    from chalicelib.flow import dates  # imported late: only who compares times needs them

    try:
        return (dates.read_time(value, UTC) - dates.EPOCH) // timedelta(microseconds=1)
    except ExpressionError as error:
        raise ParameterError(f"`{place}` is {kind_of(value)} that names no time. {error.detail}") from error


def identity(value: Json | Missing, depth: int = 0) -> Identity:
    """What makes a value itself: 1 and 1.0 are the same, 1 and "1" and true are not; the order of keys is nothing.

    Raises ParameterError where a value is nested too deeply.
    """
    if depth > DEEPEST:
        raise ParameterError(f"A value is nested deeper than {DEEPEST} levels.")
    match value:
        case None:
            return (0,)
        case bool():
            return 1, value
        case int() | float():
            return 2, value
        case str():
            return 3, value
        case list():
            return 4, *(identity(item, depth + 1) for item in value)
        case dict():
            # Sorted, so that the identity also orders objects in the same way everywhere.
            return 5, *sorted((key, identity(item, depth + 1)) for key, item in value.items())
        case _:
            return (-1,) if value is MISSING else (-2,)
