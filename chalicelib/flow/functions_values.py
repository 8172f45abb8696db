"""Functions on values of any kind: defaults, lists, objects, JSON text."""

import json
import math
import re
from collections.abc import Callable, Hashable

from chalicelib.errors import ExpressionError
from chalicelib.flow.exactness import EXACT_LIMIT
from chalicelib.flow.functions import Function, table
from chalicelib.flow.values import Json
from chalicelib.flow.wording import kind_of, place_in_json


def default(value: Json, otherwise: Json) -> Json:
    """The value, or the other one where it is missing or null."""
    return otherwise if value is None else value


def empty(value: Json = None) -> bool:
    """Whether there is nothing in it: missing, null, no text, no rows, no fields. Zero and false are something."""
    return value is None or value == "" or (isinstance(value, list | dict) and not value)


def as_list(value: Json = None) -> list[Json]:
    """The list itself; a list of one for one thing; an empty one for nothing."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def unique(rows: Json = None, key: Json = None) -> list[Json]:
    """The rows without repetitions, by their whole value or by one field; the first of each stays, in order."""
    if key is not None and not isinstance(key, str):
        raise ExpressionError('`$unique` compares by the name of a field.  ->  Write $unique(rows, "email").')
    seen: set[Hashable] = set()
    kept: list[Json] = []
    for row in as_list(rows):
        if key is None:
            identity = _identity(row)
        elif isinstance(row, dict):
            identity = _identity(row.get(key))
        else:
            raise ExpressionError(
                f"`$unique` was to compare rows by a field, and one is {kind_of(row)}.  ->  Leave the field out."
            )
        if identity not in seen:
            seen.add(identity)
            kept.append(row)
    return kept


def _identity(value: Json) -> Hashable:
    """Something to compare by: equal exactly where the values are equal as JSON (1 and 1.0 are, 1 and true are not)."""
    match value:
        case bool():
            return ("bool", value)
        case list():
            return ("list", *[_identity(item) for item in value])
        case dict():
            return frozenset((key, _identity(item)) for key, item in value.items())
        case _:
            return value


def partition(rows: Json, size: Json) -> list[Json]:
    """The rows in lists of `size`, the last one perhaps shorter."""
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ExpressionError("`$partition` wants a whole number of at least 1.  ->  Write $partition(rows, 10).")
    listed = as_list(rows)
    return [listed[start : start + size] for start in range(0, len(listed), size)]


def pick(value: Json, names: Json) -> Json:
    """The object with only the named fields; of a list, each of its objects so."""
    wanted = list(dict.fromkeys(_names("pick", names)))
    places = {name: place for place, name in enumerate(wanted)}

    def picked(fields: dict[str, Json]) -> dict[str, Json]:
        # By whichever is fewer: names are data, and so many of them for every row would never end.
        if len(wanted) <= len(fields):
            return {name: fields[name] for name in wanted if name in fields}
        return {name: fields[name] for name in sorted(fields.keys() & places.keys(), key=places.__getitem__)}

    return _each_object("pick", value, picked)


def omit(value: Json, names: Json) -> Json:
    """The object without the named fields; of a list, each of its objects so."""
    unwanted = set(_names("omit", names))
    return _each_object(
        "omit", value, lambda fields: {name: item for name, item in fields.items() if name not in unwanted}
    )


def _names(function: str, names: Json) -> list[str]:
    found = [name for name in as_list(names) if isinstance(name, str)]
    if len(found) != len(as_list(names)):
        raise ExpressionError(f'`${function}` wants names as text.  ->  Write ${function}(x, ["id", "name"]).')
    return found


def _each_object(function: str, value: Json, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    if isinstance(value, dict):
        return change(value)
    rows = value if isinstance(value, list) else [value]
    for row in rows:
        if not isinstance(row, dict):
            raise ExpressionError(
                f"`${function}` wants an object, or a list of objects; this is {kind_of(row)}.  ->  Give it one."
            )
    return [change(row) for row in rows if isinstance(row, dict)]


_FENCE = re.compile(r"```[A-Za-z0-9]*[ \t]*\r?\n(.*?)\r?\n?```", re.DOTALL)


def parse(text: Json) -> Json:
    """The value that a JSON text says; a Markdown fence around it (as language models write) is taken off.

    As everywhere in JSONata, a whole number beyond 2^53 becomes text. Anything else than JSON is an error.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"`$parse` wants JSON text, and was given {kind_of(text)}.  ->  Leave `$parse` out.")
    bare = text.strip()
    fenced = _FENCE.fullmatch(bare)
    try:
        return json.loads(
            fenced[1] if fenced else bare, parse_int=_read_whole, parse_float=_read_float, parse_constant=_read_float
        )
    except ValueError as error:
        place = (
            " at line {}, column {}".format(*place_in_json(error)) if isinstance(error, json.JSONDecodeError) else ""
        )
        raise ExpressionError(
            f"`$parse` was given text that is not JSON{place}.  ->  Look at the text; ask its sender for JSON alone."
        ) from error


def _read_whole(digits: str) -> int | str:
    number = int(digits) if len(digits) < 18 else None
    return number if number is not None and abs(number) <= EXACT_LIMIT else digits


def _read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("not a JSON number")
    return number


VALUE_FUNCTIONS = table(
    Function(
        "$default(x, d)",
        "`x`, or `d` where `x` is missing or null (`??` is for missing only).",
        '$default(inputs.note, "(none)")',
        "(none)",
        default,
        least=2,
        most=2,
        wants=0,
    ),
    Function(
        "$empty(x)",
        'Whether `x` is missing, null, `""`, `[]` or `{}`.',
        "$empty(inputs.tags)",
        result=True,
        call=empty,
        least=0,
        wants=0,
    ),
    Function(
        "$list(x)",
        "`x` as a list: missing or null is `[]`, one thing a list of one, a list itself.",
        '$list("a")',
        ["a"],
        as_list,
        least=0,
        wants=0,
    ),
    Function(
        "$unique(list, key?)",
        "The list without repetitions, by the whole row or by one field; the first of each stays.",
        '$unique([{"id": 1, "n": "a"}, {"id": 1, "n": "b"}], "id")',
        [{"id": 1, "n": "a"}],
        unique,
        most=2,
        wants=0,
    ),
    Function(
        "$partition(list, n)",
        "The list cut into lists of `n`; the last may be shorter.",
        "$partition([1, 2, 3], 2)",
        [[1, 2], [3]],
        partition,
        least=2,
        most=2,
        wants=0,
    ),
    Function(
        "$pick(o, names)",
        "The object with the named fields only; of a list, each of its objects so.",
        '$pick({"id": 1, "name": "Ann", "age": 40}, ["id", "name"])',
        {"id": 1, "name": "Ann"},
        pick,
        least=2,
        most=2,
    ),
    Function(
        "$omit(o, names)",
        "The object without the named fields; of a list, each of its objects so.",
        '$omit({"id": 1, "note": "x"}, ["note"])',
        {"id": 1},
        omit,
        least=2,
        most=2,
    ),
    Function(
        "$parse(text)",
        "The value a JSON text says, a Markdown fence around it taken off; what is not JSON is an error.",
        """$parse('{"a": [1, 2]}')""",
        {"a": [1, 2]},
        parse,
    ),
)
