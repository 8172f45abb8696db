"""One cell of a table, read as a type."""

import re
from decimal import Decimal
from typing import Literal, TypeAlias

from chalicelib.kit.values import Json

Type: TypeAlias = Literal["text", "number", "boolean", "detect"]
"""How a cell is read; `detect` is a number or boolean where nothing is lost, null where it is empty, else text."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,399})(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?")
"""A number as JSON writes it: 007 and +49 are text."""


def read_cell(cell: str, kind: Type) -> Json:
    """The value; ValueError where the cell is not of its type. An empty cell is null unless it is text."""
    text = cell.strip()
    if kind == "text":
        return cell
    if not text:
        return None
    if kind in {"boolean", "detect"} and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if kind in {"number", "detect"} and _NUMBER.fullmatch(text):
        number = _number(text)
        if number is not None:
            return number
    if kind == "detect":
        return cell
    raise ValueError(kind)


def _number(text: str) -> int | float | None:
    """The number, or None where a float would not hold all of its digits."""
    if text.lstrip("-").isdigit():
        return int(text)
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else None
