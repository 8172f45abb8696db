"""What an expression becomes by the place it stands in: never by how many rows there were today (design 3.3).

Values are shared, never copied: what a place takes as it is comes back as the same object.
"""

import json
import math
import re
from decimal import Decimal
from typing import assert_never

from chalicelib.errors import MissingValueError, ParameterError
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.targets import (
    CONDITION,
    TEXT,
    UNTYPED,
    Condition,
    FilePlace,
    Kind,
    ListOf,
    ObjectOf,
    OneOf,
    Scalar,
    Target,
    Untyped,
    target_of,
)
from chalicelib.flow.values import Json
from chalicelib.flow.wording import is_file, kind_of

__all__ = ["CONDITION", "TEXT", "UNTYPED", "Target", "as_text", "convert", "describe", "takes_nothing", "target_of"]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""RFC 8259 section 6."""

_LONGEST_NUMBER = 1000


class _Unfit(Exception):  # noqa: N818
    """This value does not fit; its sentence says why. Never leaves this file."""


def convert(value: Json | Missing, target: Target, where: str) -> Json:
    """Make of an expression's answer what its place wants, where nothing is lost by it.

    Text and numbers become each other, as do text and `true`/`false`; one becomes a list of one; everything else has to
    fit as it is. `where` (`with.amount`) goes into the message. Raises MissingValueError where there is nothing and a
    value is needed, ParameterError where the value does not fit; neither shows the value.
    """
    if value is MISSING:
        if isinstance(target, Condition):
            return False
        if takes_nothing(target):
            return []
        raise MissingValueError(
            f"`{where}`: the expression found nothing.  ->  If the value may be missing, say what then: "
            f"$default(..., {way_out(target)}).",
            where=where,
        )
    try:
        return _fit(value, target)
    except _Unfit as misfit:
        raise ParameterError(f"`{where}` {misfit}", where=where) from None


def takes_nothing(target: Target) -> bool:
    """Whether nothing found becomes an empty list here; a plain path to nothing is refused before that."""
    if isinstance(target, OneOf):
        others = [one for one in target.branches if one != Scalar(Kind.NULL)]
        return bool(others) and all(isinstance(one, ListOf) for one in others)
    return isinstance(target, ListOf)


def way_out(target: Target) -> str:
    """What to write as the default in a place, for messages."""
    match target:
        case Scalar(Kind.TEXT):
            return '""'
        case Scalar(Kind.NUMBER | Kind.INTEGER):
            return "0"
        case Scalar(Kind.BOOLEAN):
            return "false"
        case ListOf():
            return "[]"
        case _:
            return "null"


def describe(target: Target) -> str:
    """What a place wants, for messages: `a number`, `text or a list`."""
    match target:
        case Scalar(kind):
            return kind.value
        case Condition():
            return "true or false"
        case ListOf():
            return "a list"
        case ObjectOf():
            return "an object"
        case FilePlace():
            return "a file"
        case Untyped():
            return "any value"
        case OneOf(branches):
            return " or ".join(dict.fromkeys(describe(one) for one in branches))
        case _:
            assert_never(target)


def as_text(value: Json) -> str:
    """A value inside text: text as it is, numbers and booleans as text, objects and lists as JSON, null as nothing.

    Raises ParameterError for a file, and for numbers JSON does not know.
    """
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float_text(value)
        case list() | dict():
            if is_file(value) or (isinstance(value, list) and any(is_file(item) for item in value)):
                raise ParameterError(
                    "A file cannot stand inside text.  ->  Pass it whole, or read it with `file.read_text`."
                )
            try:
                return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            except (ValueError, RecursionError) as error:
                raise ParameterError("This cannot be written as JSON.  ->  Pass only what is needed of it.") from error


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        raise ParameterError("An infinity or NaN is no JSON number.  ->  Look at the computation it comes from.")
    return repr(value)


def _fit(value: Json, target: Target) -> Json:
    match target:
        case Untyped():
            return value
        case Scalar(kind):
            return _scalar(value, kind)
        case Condition():
            if isinstance(value, bool):
                return value
            raise _Unfit(
                f"wants true or false, and the expression gives {kind_of(value)}.  ->  Compare it, as in x > 0 or "
                'x = "yes"; whether there is something in it says $not($empty(x)).'
            )
        case ListOf(items):
            return _list(value, items)
        case ObjectOf():
            return _object(value, target)
        case FilePlace():
            if is_file(value):
                return value
            raise _Unfit(f"wants a file, and the expression gives {kind_of(value)}.  ->  Pass a file whole.")
        case OneOf(branches):
            return _one_of(value, target, branches)
        case _:
            assert_never(target)


def _scalar(value: Json, kind: Kind) -> Json:
    match kind:
        case Kind.TEXT:
            return _text(value)
        case Kind.NUMBER:
            return _number(value)
        case Kind.INTEGER:
            return _whole(value)
        case Kind.BOOLEAN:
            if isinstance(value, bool):
                return value
            if value in ("true", "false"):
                return value == "true"
        case Kind.NULL:
            if value is None:
                return value
        case _:
            assert_never(kind)
    raise _misfit(value, kind.value)


def _text(value: Json) -> str:
    match value:
        case str():
            return value
        case bool() | int():
            return as_text(value)
        case float() if math.isfinite(value):
            return repr(value)
        case _:
            raise _misfit(value, Kind.TEXT.value)


def _number(value: Json) -> int | float:
    match value:
        case int() | float() if not isinstance(value, bool) and math.isfinite(value):
            return value
        case str() if len(value) <= _LONGEST_NUMBER and (found := _NUMBER.fullmatch(value)):
            if not found[2] and not found[3]:
                return int(value)
            number = float(value)
            # Nothing may be lost: 0.1 is fine, a decimal of thirty digits is not, nor is 1e400.
            if math.isfinite(number) and Decimal(repr(number)) == Decimal(value):
                return number
        case _:
            pass
    raise _misfit(value, Kind.NUMBER.value)


def _whole(value: Json) -> int:
    number = _number(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if isinstance(number, int):
        return number
    if number is not None and number.is_integer():
        return int(number)
    raise _misfit(value, Kind.INTEGER.value)


def _list(value: Json, items: Target) -> Json:
    rows: list[Json] = [] if value is None else value if isinstance(value, list) else [value]
    if isinstance(items, Untyped):
        return rows
    fitted = [_fit(row, items) for row in rows]
    return fitted if any(new is not old for new, old in zip(fitted, rows, strict=True)) else rows


def _object(value: Json, target: ObjectOf) -> Json:
    if not isinstance(value, dict):
        hint = "$parse(...) reads JSON text." if isinstance(value, str) else "Give it an object."
        raise _Unfit(f"wants an object, and the expression gives {kind_of(value)}.  ->  {hint}")
    if not target.fields and isinstance(target.others, Untyped):
        return value
    fitted = {key: _fit(item, target.fields.get(key, target.others)) for key, item in value.items()}
    return fitted if any(fitted[key] is not value[key] for key in fitted) else value


def _one_of(value: Json, target: OneOf, branches: tuple[Target, ...]) -> Json:
    """The value as it is where a branch takes it so; else the first conversion that works."""
    first: Json | Missing = MISSING
    for branch in branches:
        try:
            fitted = _fit(value, branch)
        except _Unfit:
            continue
        if fitted is value:
            return value
        first = fitted if first is MISSING else first
    if first is MISSING:
        raise _misfit(value, describe(target))
    return first


def _misfit(value: Json, wanted: str) -> _Unfit:
    hints = {
        "null": f"If null means nothing: $default(..., {way_out_of(wanted)}).",
        "a file": "Read it with `file.read_text`, or pass it where a file is wanted.",
        "a list": "Choose one with [0], or join it: $joined(...).",
        "an object": "Choose a field of it, or write it as JSON: $string(...).",
    }
    hint = hints.get(kind_of(value), "Nothing may be lost by a conversion: convert it in the expression.")
    return _Unfit(f"wants {wanted}, and the expression gives {kind_of(value)}.  ->  {hint}")


def way_out_of(wanted: str) -> str:
    """The default to propose where something of this kind is wanted."""
    return {Kind.TEXT.value: '""', Kind.BOOLEAN.value: "false"}.get(wanted, "0")
