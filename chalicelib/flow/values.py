"""The words every part of a flow is written in: JSON values, places in a file, pointers into a document."""

from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""What a flow and its data consist of: exactly what JSON can say, whole numbers of any size."""

Pointer: TypeAlias = tuple[str | int, ...]
"""The way from a document's root to one value: keys of maps and indexes of lists."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of a file, counted from 1 in characters; 0, 0 is unknown."""

    line: int
    column: int


UNKNOWN_PLACE = Place(0, 0)
