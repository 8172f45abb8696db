"""Field types that say which widget to draw and how an expression in that place is read."""

from datetime import timedelta
from typing import Annotated, Any, Final, cast
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from chalicelib.kit.durations import PATTERN, parse_duration
from chalicelib.kit.values import Json

LONGEST_WAIT: Final = timedelta(days=366)
"""A year, leap years included: who waits longer starts another execution."""


def one_as_list(value: Any) -> Any:
    """One value becomes a list of one; nothing becomes an empty list."""
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _file(reference: dict[str, Any]) -> dict[str, Any]:
    """A file's reference as a step made it."""
    if not isinstance(reference.get("file"), str):
        raise ValueError("is not a file; pass one whole, as in ${ steps.download.file }")  # noqa: TRY004 - pydantic
    return reference


def _within_a_year(length: timedelta) -> timedelta:
    """As long as a step may wait."""
    if length > LONGEST_WAIT:
        raise ValueError("is more than 366 days; a step waits a year at most")
    return length


def _some_time(length: timedelta) -> timedelta:
    """Longer than nothing."""
    if length < timedelta(seconds=1):
        raise ValueError("is less than a second")
    return length


def _known_zone(name: str) -> str:
    """An IANA time zone that this machine knows."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is not a time zone; write an IANA name, such as Europe/Berlin or UTC") from error
    return name


LongText = Annotated[str, Field(json_schema_extra={"widget": "textarea"})]
"""Text of several lines."""

Code = Annotated[str, Field(min_length=1, json_schema_extra={"x-place": "verbatim", "widget": "code"})]
"""A program, taken as it is written: a `${` in it begins no expression."""

Anything = Annotated[Json, Field(json_schema_extra={"x-place": "untyped"})]
"""An untyped place: any JSON, expressions inside it included."""

AnyObject = Annotated[dict[str, Any], Field(json_schema_extra={"x-place": "untyped"})]
"""An untyped place that must be an object."""

Rows = Annotated[list[Any], BeforeValidator(one_as_list), Field(json_schema_extra={"x-place": "list"})]
"""A list parameter: one value becomes a list of one, nothing becomes an empty list."""

Condition = Annotated[bool, Field(json_schema_extra={"x-place": "condition"})]
"""True or false only; nothing found is false."""

FileReference = Annotated[
    dict[str, Any], AfterValidator(_file), Field(json_schema_extra={"x-place": "file", "widget": "file"})
]
"""A file: `{"file", "name", "type", "size"}`, passed whole."""

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "widget": "duration"}),
]
"""A length of time: a number and a unit, such as `90s`, `10m`, `1h30m` or `2d`."""

Pause = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_within_a_year),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "widget": "duration", "x-maximum": "366d"}),
]
"""A length of time for which a step waits: a `Duration` of at most 366 days."""

Patience = Annotated[Pause, AfterValidator(_some_time)]
"""A length of time for which somebody else is waited for: a `Pause` of at least a second."""

Zone = Annotated[str, AfterValidator(_known_zone), Field(json_schema_extra={"widget": "timezone"})]
"""An IANA time zone, such as `Europe/Berlin`."""
