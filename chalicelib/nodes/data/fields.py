"""The fields that `data.*` parameters name: dotted paths into a row."""

import re
from functools import lru_cache

from chalicelib.errors import ParameterError
from chalicelib.flow.paths import Missing, Path, walk
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of

MOST_ROWS = 100_000
"""More rows than this no node returns: a join that multiplies stops here rather than where memory ends."""

DEEPEST = 200
"""More levels than this are refused wherever a value is walked to its end."""

_PART = re.compile(
    r"""(?P<dot>\.)?
    (?: \[ (?P<index>-?[0-9]{1,9}) \] | '(?P<single>[^']*)' | "(?P<double>[^"]*)" | (?P<name>[^.\[\]'"]+) )""",
    re.VERBOSE,
)


@lru_cache(maxsize=512)
def read_path(text: str) -> Path:
    """Read `address.city`, `lines[0].sku` or `headers.'x-shop'`; the empty text is the row itself.

    Raises ParameterError where the text is no path.
    """
    path: list[str | int] = []
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        is_index = part is not None and part["index"] is not None
        if part is None or bool(part["dot"]) != (position > 0 and not is_index):
            raise ParameterError(
                f"`{text[:100]}` is not a field: something is wrong at character {position + 1}. "
                "Write names with dots between them, as in `address.city` or `lines[0].sku`; "
                "a name with a dot or a bracket in it goes in quotes."
            )
        quoted = part["single"] if part["single"] is not None else part["double"]
        path.append(int(part["index"]) if is_index else part["name"] if quoted is None else quoted)
        position = part.end()
    return tuple(path)


def find(item: Json, path: Path) -> Json | Missing:
    """The field's value in this row; through a list it is the list of what its rows have there."""
    return walk(("", *path), {"": item})


def as_row(item: Json, place: str) -> dict[str, Json]:
    """The row, which must be an object; ParameterError says which one is not."""
    if isinstance(item, dict):
        return item
    raise ParameterError(f"`{place}` is {kind_of(item)}, and this needs an object with fields.")


def spot(index: int, field: str, parameter: str = "items") -> str:
    """Where a value lies, as a person would write it: `items[3].total`."""
    return f"{parameter}[{index}]" + (f".{field}" if field and not field.startswith("[") else field)
