"""What nodes give, as JSON Schema, written shortly: the pieces of an action's or a control's `output`."""

from collections.abc import Mapping
from typing import Final

from chalicelib.kit.values import Json

Schema = Mapping[str, Json]

ANYTHING: Final[Schema] = {}
TEXT: Final[Schema] = {"type": "string"}
TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
WHOLE: Final[Schema] = {"type": "integer"}
YES_OR_NO: Final[Schema] = {"type": "boolean"}
OBJECT: Final[Schema] = {"type": "object"}
TEXTS_BY_NAME: Final[Schema] = {"type": "object", "additionalProperties": TEXT}


def listed(items: Schema) -> Schema:
    """A list of such values."""
    return {"type": "array", "items": items}


def shape(**fields: Schema) -> Schema:
    """An object of these fields and no others."""
    return {"type": "object", "properties": fields, "additionalProperties": False}


def answered(**fields: Schema) -> Schema:
    """An object that a service answers with: these fields, and whatever else it says."""
    return {"type": "object", "properties": fields}


FILE: Final[Schema] = shape(file=TEXT, name=TEXT, type=TEXT, size=WHOLE)
