"""Where an expression stands: the places that decide what it becomes (design 3.3, `flow/places.py`).

A place is derived from the JSON Schema of the parameter. `x-place` in a schema says what types cannot: `condition`,
`untyped`, `list`, `cases` (an object of conditions), `file`, `verbatim` (text in which a `${` means nothing).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from chalicelib.flow.values import Json


class Kind(StrEnum):
    """What a typed parameter of one value wants."""

    TEXT = "text"
    NUMBER = "a number"
    INTEGER = "a whole number"
    BOOLEAN = "true or false"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Untyped:
    """Any JSON, as it is (`json`, `set`, `output`)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`if`, `until`, a case: true or false only; nothing found is false."""


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file, passed whole."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A typed parameter of one value."""

    kind: Kind
    is_verbatim: bool = False
    """Text in another language, taken as it stands: a `${` in it begins no expression."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list: one becomes a list of one, nothing an empty list."""

    items: "Target" = field(default_factory=Untyped)


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object whose fields have places of their own; `optional` ones have a default and may be left out."""

    fields: Mapping[str, "Target"] = field(default_factory=dict[str, "Target"])
    optional: frozenset[str] = frozenset()
    others: "Target" = field(default_factory=Untyped)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of several: the first that takes the value as it is, else the first it can be converted to."""

    branches: tuple["Target", ...]


Target: TypeAlias = Untyped | Condition | FilePlace | Scalar | ListOf | ObjectOf | OneOf
"""Where an expression stands."""

UNTYPED: Final = Untyped()
CONDITION: Final = Condition()
TEXT: Final = Scalar(Kind.TEXT)
VERBATIM: Final = Scalar(Kind.TEXT, is_verbatim=True)

_SCALARS = {
    "string": TEXT,
    "number": Scalar(Kind.NUMBER),
    "integer": Scalar(Kind.INTEGER),
    "boolean": Scalar(Kind.BOOLEAN),
    "null": Scalar(Kind.NULL),
}


def target_of(schema: Mapping[str, Json], definitions: Mapping[str, Json] | None = None) -> Target:
    """The place that a JSON Schema describes.

    Read are `x-place`, `type`, `properties`, `required`, `additionalProperties`, `items`, `anyOf`, `oneOf`, `allOf` of
    one, `enum`, `const` and `$ref` into `$defs`; a schema that says nothing is an untyped place. `definitions` are the
    `$defs` of the document the schema comes from, where it does not carry them itself. Raises ValueError for an unknown
    `x-place`, which is a mistake in a node.
    """
    return _target(schema, definitions or {}, ())


def _target(schema: Json | Mapping[str, Json], definitions: Mapping[str, Json], inside: tuple[str, ...]) -> Target:
    if not isinstance(schema, Mapping):
        return UNTYPED
    own = schema.get("$defs")
    definitions = own if isinstance(own, dict) else definitions
    reference = schema.get("$ref")
    if isinstance(reference, str):
        # A schema that holds itself (a tree) is untyped from its second level on.
        name = reference.removeprefix("#/$defs/")
        return UNTYPED if name in inside else _target(definitions.get(name), definitions, (*inside, name))
    if (place := schema.get("x-place")) is not None:
        return _special(str(place), schema, definitions, inside)
    for word in ("anyOf", "oneOf", "allOf"):
        if isinstance(several := schema.get(word), list):
            return _one_of([_target(branch, definitions, inside) for branch in several])
    return _typed(schema, definitions, inside)


def _special(
    place: str, schema: Mapping[str, Json], definitions: Mapping[str, Json], inside: tuple[str, ...]
) -> Target:
    match place:
        case "untyped":
            return UNTYPED
        case "condition":
            return CONDITION
        case "list":
            return ListOf(_target(schema.get("items"), definitions, inside))
        case "cases":
            return ObjectOf(others=CONDITION)
        case "file":
            return FilePlace()
        case "verbatim":
            return VERBATIM
        case _:
            raise ValueError(f"unknown x-place {place!r}")


def _typed(schema: Mapping[str, Json], definitions: Mapping[str, Json], inside: tuple[str, ...]) -> Target:
    kind = schema.get("type")
    match kind:
        case list():
            return _one_of([_typed({**schema, "type": one}, definitions, inside) for one in kind])
        case "array":
            return ListOf(_target(schema.get("items"), definitions, inside))
        case "object":
            return _object(schema, definitions, inside)
        case str():
            return _SCALARS.get(kind, UNTYPED)
        case _:
            return _of_values(schema) if kind is None else UNTYPED


def _of_values(schema: Mapping[str, Json]) -> Target:
    """The place of a schema that lists its values instead of naming a type."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if not isinstance(values, list) or not values:
        return UNTYPED
    return _one_of([_place_of(value) for value in values])


def _place_of(value: Json) -> Target:
    match value:
        case None:
            return _SCALARS["null"]
        case bool():
            return _SCALARS["boolean"]
        case int():
            return _SCALARS["integer"]
        case float():
            return _SCALARS["number"]
        case str():
            return TEXT
        case _:
            return UNTYPED


def _object(schema: Mapping[str, Json], definitions: Mapping[str, Json], inside: tuple[str, ...]) -> Target:
    properties = schema.get("properties")
    required = schema.get("required")
    fields = properties if isinstance(properties, dict) else {}
    needed = required if isinstance(required, list) else []
    return ObjectOf(
        {name: _target(one, definitions, inside) for name, one in fields.items()},
        frozenset(name for name in fields if name not in needed),
        _target(schema.get("additionalProperties"), definitions, inside),
    )


def _one_of(branches: list[Target]) -> Target:
    if UNTYPED in branches or not branches:
        return UNTYPED
    unlike = tuple(dict.fromkeys(branches)) if all(isinstance(one, Scalar) for one in branches) else tuple(branches)
    return unlike[0] if len(unlike) == 1 else OneOf(unlike)
