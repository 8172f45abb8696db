"""Write the JSON Schema of a flow file, for editors: what may stand where, with each node's own parameters.

Draft 7, because that is what YAML language servers understand best. It helps while typing; `penstock check` is
stricter.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.reading import CATCH_UP, MOST_AT_ONCE, OVERLAP

Schema = dict[str, Any]

_ID = "^(?!(and|or|in|true|false|null)$)[a-z][a-z0-9_]{0,39}$"
_EXPRESSION: Schema = {"type": "string", "pattern": r"\$\{"}
_DURATION: Schema = {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"}
_AT_ONCE: Schema = {"type": "integer", "minimum": 1, "maximum": MOST_AT_ONCE}
_LANES: Schema = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "max": {**_AT_ONCE, "description": "How many at once: in all, or with `key` in each lane; 1 if left out."},
        "key": {**_EXPRESSION, "description": "What tells lanes apart, from `trigger`, `inputs` and `vars`."},
    },
}
_KEPT = {
    *("type", "enum", "items", "properties", "required", "additionalProperties", "description", "default", "pattern"),
    *("minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "anyOf", "oneOf", "examples", "const"),
}
"""What an editor understands; the rest is Penstock's own."""


def flow_schema(entries: Mapping[str, Mapping[str, Any]]) -> Schema:
    """The whole schema, made from the catalogue's entries."""
    steps = [entry for entry in entries.values() if entry["kind"] != "trigger"]
    triggers = [entry for entry in entries.values() if entry["kind"] == "trigger"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A Penstock flow",
        "type": "object",
        "required": ["flow", "steps"],
        "additionalProperties": False,
        "properties": {
            "flow": {"description": "The flow's name.", "type": "string", "pattern": f"^{FLOW_NAME.pattern}$"},
            "description": {"description": "What it is for.", "type": "string"},
            "timezone": {"description": "For schedules and dates, such as Europe/Berlin.", "type": "string"},
            "inputs": {
                "description": "What the steps work on, whoever starts the flow: JSON Schema properties.",
                "type": "object",
                "propertyNames": {"pattern": _ID},
                "additionalProperties": {"type": "object"},
            },
            "vars": {
                "description": "Values that are not secret and may differ per stage.",
                "type": "object",
                "propertyNames": {"pattern": _ID},
            },
            "triggers": _named("How executions start.", "trigger"),
            "steps": _named("What is done. A step that mentions another waits for it.", "step"),
            "on_failure": _named("Steps for when the execution fails; they see `failure`.", "step"),
            "output": {"description": "The execution's result."},
            "concurrency": {
                "description": "How many executions run at once; the others are queued in the order they came.",
                "anyOf": [_AT_ONCE, _LANES],
            },
            "deadline": {**_DURATION, "description": "After how long an execution ends as timed out."},
            "durability": {
                "description": "When facts are written besides where they must be: also at hand-overs (`barrier`, the "
                "default), after each step, or not at all.",
                "enum": ["end", "barrier", "every"],
            },
            "retention": {**_DURATION, "description": "How long ended executions are kept."},
            "plugins": {
                "description": "The version of each plugin, by its hash; without it the one that is installed.",
                "type": "object",
                "propertyNames": {"pattern": _ID},
                "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            },
        },
        "definitions": {
            "trigger": _placed(_TRIGGER, triggers),
            "step": _placed(_STEP, steps),
            "need": _NEED,
            **{f"with {entry['type']}": _with(entry["parameters"]) for entry in entries.values()},
        },
    }


_TRIGGER: Schema = {
    "credential": {"description": "The name of the credential it works with.", "type": "string"},
    "verify": {
        "description": "How a delivery proves where it comes from; `none` must be written out.",
        "anyOf": [
            {"const": "none"},
            {
                "type": "object",
                "required": ["scheme"],
                "properties": {"scheme": {"type": "string"}, "credential": {"type": "string"}},
            },
        ],
    },
    "dedupe": {"description": "An expression: two deliveries with the same value are one.", "type": "string"},
    "if": {"description": "A condition; where it is false the delivery is answered and nothing starts."},
    "inputs": {
        "description": "What the flow's `inputs` become.",
        "anyOf": [{"type": "object"}, _EXPRESSION],
    },
    "respond": {
        "description": "What the sender is told: that it was accepted, the result, or what a `respond` step says.",
        "enum": ["accepted", "result", "step"],
    },
    "overlap": {
        "description": "Of a schedule: what to do while the last one is still running; `allow` if left out.",
        "enum": list(OVERLAP),
    },
    "catch_up": {
        "description": "Of a schedule: which of the times that were missed to make up for; `none` if left out.",
        "enum": list(CATCH_UP),
    },
}

_STEP: Schema = {
    "name": {"description": "What people see.", "type": "string"},
    "credential": {"description": "The name of the credential it works with; never a secret.", "type": "string"},
    "after": {
        "description": "What it waits for besides the steps it mentions.",
        "anyOf": [{"$ref": "#/definitions/need"}, {"type": "array", "items": {"$ref": "#/definitions/need"}}],
    },
    "if": {"description": "A condition; where it is false the step is skipped.", "type": ["string", "boolean"]},
    "steps": {"description": "The body of a loop.", "type": "object", "propertyNames": {"pattern": _ID}},
    "output": {"description": "The value of one round of a loop's body."},
    "retry": {
        "description": "How a failed attempt is repeated.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "attempts": {"description": "How many in all.", "type": "integer", "minimum": 1},
            "first": {**_DURATION, "description": "The first pause."},
            "factor": {"description": "By what each pause is longer than the last.", "type": "number", "minimum": 1},
            "cap": {**_DURATION, "description": "The longest pause."},
            "within": {**_DURATION, "description": "How long after the first attempt began another may still begin."},
            "for": {
                "description": "Which failures: timeout, connect, a status such as 429, or 5xx.",
                "type": "array",
                "items": {"type": ["string", "integer"]},
            },
        },
    },
    "timeout": {**_DURATION, "description": "How long one attempt may take."},
    "on_error": {
        "description": "Go on after a failure, with null or with a value.",
        "anyOf": [
            {"const": "continue"},
            {"type": "object", "required": ["use"], "additionalProperties": False, "properties": {"use": {}}},
        ],
    },
    "effect": {
        "description": "What running it twice would do, where that differs from the node's own.",
        "enum": ["pure", "read", "idempotent", "at_least_once", "at_most_once"],
    },
    "run": {"description": "`apart`: in an invocation of its own.", "enum": ["inline", "apart"]},
}

_NEED: Schema = {
    "anyOf": [
        {"type": "string", "pattern": r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$"},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "any": {"description": "All are settled, and one holds.", "type": "array", "items": {"type": "string"}},
                "first": {"description": "The first one that holds.", "type": "array", "items": {"type": "string"}},
                "at_least": {"description": "How many must hold.", "type": "integer", "minimum": 1},
                "of": {"description": "Of which.", "type": "array", "items": {"type": "string"}},
            },
        },
    ]
}


def _named(description: str, kind: str) -> Schema:
    """A map of steps or triggers by id."""
    return {
        "description": description,
        "type": "object",
        "propertyNames": {"pattern": _ID},
        "additionalProperties": {"$ref": f"#/definitions/{kind}"},
    }


def _placed(keys: Schema, entries: list[Mapping[str, Any]]) -> Schema:
    """A step or trigger: the keys they share, and for each node its own `with`."""
    properties = dict(keys)
    if "steps" in properties:
        properties["steps"] = {**properties["steps"], "additionalProperties": {"$ref": "#/definitions/step"}}
    uses = {"description": "The node.", "enum": [entry["type"] for entry in entries]}
    return {
        "type": "object",
        "required": ["uses"],
        "additionalProperties": False,
        "properties": {"uses": uses, "with": {"description": "The node's parameters.", "type": "object"}, **properties},
        "allOf": [
            {
                "if": {"properties": {"uses": {"const": entry["type"]}}},
                "then": {
                    **({"required": ["with"]} if entry["parameters"]["required"] else {}),
                    "properties": {
                        "uses": {"description": entry["summary"]},
                        "with": {"$ref": f"#/definitions/with {entry['type']}"},
                    },
                },
            }
            for entry in entries
        ],
    }


def _with(parameters: Mapping[str, Any]) -> Schema:
    """A node's parameters, each of which may be an expression too."""
    return _loosened(parameters, is_top=True)


def _loosened(schema: Mapping[str, Any], *, is_top: bool = False) -> Schema:
    """A schema that also takes an expression wherever it takes a value, and one value where it takes a list of rows."""
    plain: Schema = {key: value for key, value in schema.items() if key in _KEPT}
    for key in ("items", "additionalProperties"):
        if isinstance(plain.get(key), dict):
            plain[key] = _loosened(plain[key])
    if "properties" in plain:
        plain["properties"] = {name: _loosened(part) for name, part in plain["properties"].items()}
    for key in ("anyOf", "oneOf"):
        if key in plain:
            plain[key] = [_loosened(part) for part in plain[key]]
    description = {"description": plain.pop("description")} if "description" in plain else {}
    default = {"default": plain.pop("default")} if plain.get("default", ...) is not ... else {}
    if default.get("default", ...) is None:
        default = {}
    if is_top or not plain:
        return {**description, **default, **plain}
    if schema.get("x-place") == "list" or not _is_closed(plain):
        return {**description, **default, **({} if schema.get("x-place") == "list" else plain)}
    if schema.get("x-one") and "items" in plain:
        return {**description, **default, "anyOf": [plain, plain["items"]]}
    return {**description, **default, "anyOf": [plain, _EXPRESSION]}


def _is_closed(plain: Schema) -> bool:
    """Whether an expression would not fit already."""
    return plain.get("type") != "string" or "pattern" in plain or "enum" in plain
