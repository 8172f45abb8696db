"""The words that schemas are written in."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from chalicelib.api.auth import Role
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.values import Json

FLOW: Final[dict[str, Json]] = {"type": "string", "pattern": f"^{FLOW_NAME.pattern}$"}
ROLES: Final[list[Json]] = [role.name.lower() for role in Role]
TEXT: Final[dict[str, Json]] = {"type": "string"}
MAYBE_TEXT: Final[dict[str, Json]] = {"type": ["string", "null"]}
TIME: Final[dict[str, Json]] = {"type": "string", "format": "date-time"}
MAYBE_TIME: Final[dict[str, Json]] = {"type": ["string", "null"], "format": "date-time"}
FLAG: Final[dict[str, Json]] = {"type": "boolean"}

Properties: TypeAlias = Mapping[str, Json]
"""Properties by name."""


def optional(schema: Mapping[str, Json], description: str) -> dict[str, Json]:
    """A property that may be left out."""
    return {**schema, "description": description, "optional": True}


def object_of(**properties: Json) -> dict[str, Json]:
    """An object that always has exactly these."""
    return {
        "type": "object",
        "properties": properties,
        "required": list[Json](properties),
        "additionalProperties": False,
    }


def open_object(schema: dict[str, Json], *optional: str) -> dict[str, Json]:
    """The same with some of its properties optional."""
    required = schema["required"]
    kept = [name for name in required if name not in optional] if isinstance(required, list) else []
    return {**schema, "required": kept}


def list_of(items: Json) -> dict[str, Json]:
    """A list of such."""
    return {"type": "array", "items": items}


def ref(name: str) -> dict[str, Json]:
    """What the schema of this name says."""
    return {"$ref": f"#/components/schemas/{name}"}
