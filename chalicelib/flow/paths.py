"""Plain paths (names, dots, `[0]`), walked by us rather than by JSONata.

A plain path is what two thirds of all expressions are. Walked here it costs well under a microsecond, copies nothing
and keeps every number as it was sent. The answer equals JSONata's, but for three things (design 9): a path through a
list always gives a list, numbers stay exact, and null is a value.

What a path answers is a part of the scope itself, not a copy: values are shared, and whoever holds one never changes
it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

from chalicelib.flow.values import Json

Path: TypeAlias = tuple[str | int, ...]
"""`trigger.rows[0].'net-price'` is `("trigger", "rows", 0, "net-price")`."""


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""A value that is not there. Null is one that is."""


def walk(path: Path, scope: Mapping[str, Json]) -> Json | Missing:
    """Follow a plain path into the scope.

    A name asked of a list is asked of each of its rows, and the answers, joined, are a list however many there are. An
    index belongs to the name before it: `rows.tags[0]` is the first tag of each row, `rows[0].tags` the tags of the
    first row. `[0]` of what is no list is the thing itself; a negative index counts from the end.

    Returns:
        The very value that lies there, never a copy; `MISSING` where there is none.
    """
    value: Json | Missing = scope.get(str(path[0]), MISSING)
    for position in range(1, len(path)):
        key = path[position]
        if isinstance(value, list):
            if isinstance(key, str):
                return _through(path, position, value)
            value = _at(value, key)
        elif isinstance(key, int):
            if key not in (0, -1):
                return MISSING
        elif isinstance(value, dict):
            value = value.get(key, MISSING)
        else:
            return MISSING
    return value


_WORDS = frozenset({"and", "or", "in", "true", "false", "null", "function"})
"""Words that JSONata reads otherwise where they stand bare."""


def spell(path: Path) -> str:
    """The path as one writes it: `trigger.rows[0].'net-price'`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            quote = '"' if "'" in key else "'"
            plain = key.isidentifier() and key.isascii() and key not in _WORDS
            text += ("." if text else "") + (key if plain else f"{quote}{key}{quote}")
    return text


def _at(rows: list[Json], index: int) -> Json | Missing:
    try:
        return rows[index]
    except IndexError:
        return MISSING


def _through(path: Path, position: int, rows: list[Json]) -> list[Json]:
    """Ask the rest of the path, from the name at `position`, of every row. What has no answer is left out."""
    while position < len(path):
        name = path[position]
        position += 1
        indexes: list[int] = []
        while position < len(path) and isinstance(index := path[position], int):
            indexes.append(index)
            position += 1
        found: list[Json] = []
        for row in rows:
            value = _field(row, str(name))
            for index in indexes:
                if isinstance(value, list):
                    value = _at(value, index)
                elif index not in (0, -1):
                    value = MISSING
            if isinstance(value, list):
                found.extend(value)
            elif value is not MISSING:
                found.append(value)
        rows = found
    return rows


def _field(row: Json, name: str) -> Json | Missing:
    """A field of one row; of a row that is itself a list, the fields of all objects inside it, in order."""
    if isinstance(row, dict):
        return row.get(name, MISSING)
    if not isinstance(row, list):
        return MISSING
    found: list[Json] = []
    todo: list[Json] = [row]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(reversed(item))
        elif isinstance(item, dict) and name in item:
            value = item[name]
            if isinstance(value, list):
                found.extend(value)
            else:
                found.append(value)
    return found or MISSING
