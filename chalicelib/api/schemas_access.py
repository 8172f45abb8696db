"""What the routes about keys, the audit log, sessions and plugins take and give; `schemas` shows them among others."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.audit_log import OUTCOMES
from chalicelib.api.schema_words import (
    FLAG,
    FLOW,
    MAYBE_TEXT,
    MAYBE_TIME,
    ROLES,
    TEXT,
    TIME,
    Properties,
    list_of,
    object_of,
    optional,
    ref,
)
from chalicelib.api.scopes import MOST_SCOPES, SCOPE
from chalicelib.flow.values import Json

PARAMETERS: Final[Mapping[str, Properties]] = {
    "Keys": {
        "tenant": optional(FLOW, "Of another tenant, for the deployment's own admin keys."),
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100, "description": "How many at most."},
        "cursor": optional({"type": "string", "maxLength": 40}, "From the page before: go on behind it."),
    },
    "Tenant": {"tenant": optional(FLOW, "Of another tenant, for the deployment's own admin keys.")},
    "Audit": {
        "since": optional(TIME, "Only entries of this time or later."),
        "until": optional(TIME, "Only entries of this time or earlier."),
        "who": optional({"type": "string", "maxLength": 200}, "Only of this key, by its id."),
        "action": optional({"type": "string", "maxLength": 100}, "Only this, by its operationId."),
        "outcome": optional({"type": "string", "enum": list[Json](OUTCOMES)}, "Only with this outcome."),
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50, "description": "How many at most."},
        "cursor": optional({"type": "string", "maxLength": 40}, "From the page before: go on behind it."),
    },
    "Force": {"force": {"type": "boolean", "default": False, "description": "Though published flows use it."}},
}

_GRANTS: Final[dict[str, Json]] = {
    "http": optional({"type": "array", "items": {"type": "string"}}, "Hosts, as the plugin asks for them."),
    "kv": {"type": "boolean", "default": False, "description": "A key-value space of its own."},
    "log": {"type": "boolean", "default": False, "description": "Lines in the server's log."},
    "wasi": {"type": "boolean", "default": False, "description": "The small part of WASI that its toolchain needs."},
}

BODIES: Final[Mapping[str, Properties]] = {
    "Grants": _GRANTS,
    "AddPlugin": {
        "parts": {"type": "array", "items": {"type": "string"}, "description": "The package's parts, in order."},
        "grant": optional(
            {"type": "object", "properties": _GRANTS, "additionalProperties": False}, "Nothing without it."
        ),
    },
    "Key": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100, "description": "What the key is for."},
        "role": {"type": "string", "enum": ROLES, "default": "viewer", "description": "What it may do."},
        "scopes": optional(
            {"type": "array", "items": {"type": "string", "pattern": f"^{SCOPE.pattern}$"}, "maxItems": MOST_SCOPES},
            "The only flows that it is for: `shop`, `order-*`, `run:shop`; without it every flow.",
        ),
        "days": optional({"type": "integer", "minimum": 1, "maximum": 3650}, "How long it counts; 90 without it."),
        "never_expires": {"type": "boolean", "default": False, "description": "It counts until it is revoked."},
        "tenant": optional(FLOW, "Another tenant's, for the deployment's own admin keys."),
    },
    "KeyRotation": {
        "overlap_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 604_800,
            "default": 0,
            "description": "How long the secret before still counts.",
        },
    },
}

_KEY: Final[dict[str, Json]] = {
    "id": TEXT,
    "tenant": TEXT,
    "name": TEXT,
    "role": {"type": "string", "enum": ROLES},
    "scopes": {"type": ["array", "null"], "items": TEXT, "description": "The flows it is for; null: every flow."},
    "status": {"type": "string", "enum": ["active", "expired", "revoked"]},
    "created": TIME,
    "created_by": {"type": "string", "description": "The id of the key that made it."},
    "expires": {**MAYBE_TIME, "description": "null: never."},
    "revoked": MAYBE_TIME,
    "last_used": {**MAYBE_TIME, "description": "To within an hour."},
}

ANSWERS: Final[Mapping[str, dict[str, Json]]] = {
    "Keys": object_of(items=list_of(ref("KeyShown")), cursor=MAYBE_TEXT),
    "KeyShown": object_of(**_KEY),
    "NewKey": object_of(key={"type": "string", "description": "The key itself: shown this once."}, **_KEY),
    "Audit": object_of(
        items=list_of(ref("Entry")),
        cursor={**MAYBE_TEXT, "description": "Where there may be more: pass it on. Items may be none even so."},
    ),
    "Entry": object_of(
        id={"type": "string", "description": "A ULID."},
        at=TIME,
        who={"type": ["string", "null"], "description": "The key's id; null: nobody known."},
        role=MAYBE_TEXT,
        via={"type": ["string", "null"], "description": "`key` or `session`."},
        action={"type": "string", "description": "The operationId in this document."},
        target={"type": ["string", "null"], "description": "The path it was asked of; null of denials."},
        peer={"type": ["string", "null"], "description": "The address it came from; of denials see `peers`."},
        outcome={
            "type": "string",
            "enum": list[Json](OUTCOMES),
            "description": "`failed`: what was allowed was then refused for another reason, or went wrong.",
        },
        code={"type": ["string", "null"], "description": "The error's code, where it was one."},
        of={"type": ["string", "null"], "description": "Of a failure: the entry that allowed it."},
        count={"type": "integer", "description": "Of a denial: how often, since `first`."},
        first=MAYBE_TIME,
        peers={**list_of(TEXT), "description": "Of a denial: some of the addresses it came from."},
    ),
    "Session": object_of(
        who=TEXT,
        role=TEXT,
        tenant=TEXT,
        opened=TIME,
        expires={**TIME, "description": "When it is over, whatever is asked."},
        idle_seconds={"type": "integer", "description": "When it is over, where nothing is asked."},
        csrf={"type": "string", "description": "Send it as X-Penstock-Csrf with whatever changes something."},
    ),
    "Plugin": object_of(
        name=TEXT,
        version=TEXT,
        hash=TEXT,
        summary=TEXT,
        asks=ref("PluginGrants"),
        granted=ref("PluginGrants"),
        nodes=list_of(TEXT),
        added=TIME,
        versions=list_of(object_of(hash=TEXT, version=TEXT)),
    ),
    "PluginGrants": object_of(http=list_of(TEXT), kv=FLAG, log=FLAG, wasi=FLAG),
    "Plugins": object_of(items=list_of(ref("Plugin"))),
    "PluginPart": object_of(part=TEXT),
    "PluginRemoved": object_of(name=TEXT, used_by=list_of(TEXT)),
}
