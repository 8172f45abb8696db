"""What the routes about credentials take and give; `schemas` shows these among all others. No answer holds a value."""

from collections.abc import Mapping
from typing import Final

from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.values import Json

_TEXT: Final[dict[str, Json]] = {"type": "string"}
_TEXTS: Final[dict[str, Json]] = {"type": "array", "items": _TEXT}
_COUNT: Final[dict[str, Json]] = {"type": "integer"}
_MAYBE_TIME: Final[dict[str, Json]] = {"type": ["string", "null"], "format": "date-time"}
_ORIGIN: Final[dict[str, Json]] = {"type": "string", "enum": ["vault", "environment"]}
_FLOW: Final[dict[str, Json]] = {"type": "string", "pattern": f"^{FLOW_NAME.pattern}$"}
_ROLE: Final[dict[str, Json]] = {
    "type": "string",
    "enum": ["editor", "admin"],
    "description": "The least role that publishes flows with it, changes and tests it.",
}
_FLOWS: Final[dict[str, Json]] = {
    "type": ["array", "null"],
    "items": _FLOW,
    "maxItems": 1000,
    "description": "The only flows that may use it; null: each may.",
}
_FIELDS: Final[dict[str, Json]] = {
    "type": "object",
    "description": "The fields by name, each a text, as its type names them. They are never shown again.",
}
_LONGEST_OVERLAP: Final = 30 * 86_400

BODIES: Final[Mapping[str, Mapping[str, Json]]] = {
    "NewCredential": {
        "fields": _FIELDS,
        "type": {
            "type": "string",
            "optional": True,
            "description": "Such as bearer or github; without it the one it has, or what the fields look like.",
        },
        "role": {**_ROLE, "optional": True},
        "flows": {**_FLOWS, "optional": True},
    },
    "CredentialRotation": {
        "fields": {**_FIELDS, "description": "Each secret anew; what is not secret stays unless it is given."},
        "overlap_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": _LONGEST_OVERLAP,
            "default": 0,
            "description": "How long deliveries signed with the former secret still count.",
        },
    },
    "CredentialShare": {"role": {**_ROLE, "optional": True}, "flows": {**_FLOWS, "optional": True}},
    "CredentialTest": {
        "url": {
            "type": "string",
            "maxLength": 2000,
            "optional": True,
            "description": "An address that is asked with it, by GET; without it, as its type says.",
        }
    },
    "VaultRewrap": {
        "new_key": {"type": "boolean", "default": False, "description": "Make a new master key before."},
        "after": {
            "type": "string",
            "maxLength": 100,
            "default": "",
            "description": "Go on behind this name: the cursor of the answer before.",
        },
    },
}


def _object(**properties: Json) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list[Json](properties),
        "additionalProperties": False,
    }


ANSWERS: Final[Mapping[str, dict[str, Json]]] = {
    "Credentials": _object(items={"type": "array", "items": {"$ref": "#/components/schemas/Credential"}}),
    "Credential": _object(
        name=_TEXT,
        origin={**_ORIGIN, "description": "Where it is opened from."},
        hides={"type": "boolean", "description": "The environment has one of this name too, which is not used."},
        broken={"type": "boolean", "description": "What is stored cannot be read. Set it again."},
        type={"type": ["string", "null"], "description": "null: it is of the environment, which says none."},
        version=_COUNT,
        fields={**_TEXTS, "description": "The names of its fields."},
        hosts={**_TEXTS, "description": "Where it may go; empty: wherever its step calls."},
        share=_object(role=_ROLE, flows=_FLOWS),
        created=_MAYBE_TIME,
        changed=_MAYBE_TIME,
        former_until={**_MAYBE_TIME, "description": "Until when its former secret counts at hooks."},
    ),
    "CredentialGone": _object(
        name=_TEXT,
        environment={"type": "boolean", "description": "The environment has one of this name, which is used now."},
    ),
    "CredentialTested": _object(
        name=_TEXT,
        origin=_ORIGIN,
        version=_COUNT,
        asked={"type": ["string", "null"], "description": "The host that was asked; null: none."},
        status={"type": ["integer", "null"], "description": "What it answered."},
        works={"type": ["boolean", "null"], "description": "null: it was opened, and nobody could be asked."},
        said=_TEXT,
    ),
    "VaultRewrapped": _object(
        master_key={"type": ["string", "null"], "description": "The id of a new master key, where one was made."},
        looked_at=_COUNT,
        rewrapped=_COUNT,
        failed={"type": "array", "items": _object(name=_TEXT, why=_TEXT)},
        cursor={"type": ["string", "null"], "description": "Where to go on; null at the end."},
    ),
}
