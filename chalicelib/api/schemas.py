"""What routes take and give, as JSON Schema: requests are held against these, and OpenAPI shows them all.

`PARAMETERS` and `BODIES` are properties by name, as a flow's `inputs` are: each is required unless it is `optional` or
has a `default` (`flow.inputs.fit_inputs` reads them). `ANSWERS` are whole schemas.
"""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.approval_form import DECISIONS, LONGEST_COMMENT, LONGEST_NAME
from chalicelib.engine.records import Status
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.values import Json

_FLOW_NAME: Final[dict[str, Json]] = {"type": "string", "pattern": f"^{FLOW_NAME.pattern}$"}
_STATUSES: Final[list[Json]] = [status.word for status in Status]
_STEP_STATUSES: Final[list[Json]] = [
    *("pending", "running", "retrying", "waiting", "succeeded", "failed", "skipped", "unknown", "not_run"),
]
_TEXT: Final[dict[str, Json]] = {"type": "string"}
_MAYBE_TEXT: Final[dict[str, Json]] = {"type": ["string", "null"]}
_TIME: Final[dict[str, Json]] = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Final[dict[str, Json]] = {"type": ["string", "null"], "format": "date-time"}
_FLAG: Final[dict[str, Json]] = {"type": "boolean"}
_ANY: Final[dict[str, Json]] = {}
_OBJECT: Final[dict[str, Json]] = {"type": "object"}
_MAYBE_OBJECT: Final[dict[str, Json]] = {"type": ["object", "null"]}
_URL: Final[dict[str, Json]] = {"type": "string", "description": "Where it can be looked at."}

Properties = Mapping[str, Json]


def _optional(schema: Mapping[str, Json], description: str) -> dict[str, Json]:
    return {**schema, "description": description, "optional": True}


PARAMETERS: Final[Mapping[str, Properties]] = {
    "Publish": {
        "dry_run": {"type": "boolean", "default": False, "description": "Check only; nothing is stored."},
    },
    "Wait": {
        "wait": {
            "type": "number",
            "minimum": 0,
            "maximum": 600,
            "default": 0,
            "description": "How many seconds to wait for the end; the deployment's limit applies (25 by default).",
        },
    },
    "Executions": {
        "flow": _optional(_FLOW_NAME, "Only of this flow."),
        "status": _optional({"type": "string", "enum": _STATUSES}, "Only with this status."),
        "since": _optional(_TIME, "Only those started at or after this time."),
        "until": _optional(_TIME, "Only those started at or before this time."),
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50, "description": "How many at most."},
        "cursor": _optional({"type": "string", "maxLength": 400}, "From the page before: go on behind it."),
    },
    "Refusals": {
        "flow": _optional(_FLOW_NAME, "Only of this flow."),
        "days": {"type": "integer", "minimum": 1, "maximum": 30, "default": 7, "description": "Of so many days."},
    },
    "Force": {"force": {"type": "boolean", "default": False, "description": "Though published flows use it."}},
    "Nodes": {
        "kind": _optional({"type": "string", "enum": ["action", "control", "trigger"]}, "Only of this kind."),
        "service": _optional(_TEXT, "Only of this service."),
    },
}

_GRANTS: Final[dict[str, Json]] = {
    "http": _optional({"type": "array", "items": {"type": "string"}}, "Hosts, as the plugin asks for them."),
    "kv": {"type": "boolean", "default": False, "description": "A key-value space of its own."},
    "log": {"type": "boolean", "default": False, "description": "Lines in the server's log."},
    "wasi": {"type": "boolean", "default": False, "description": "The small part of WASI that its toolchain needs."},
}

BODIES: Final[Mapping[str, Properties]] = {
    "Grants": _GRANTS,
    "AddPlugin": {
        "parts": {"type": "array", "items": {"type": "string"}, "description": "The package's parts, in order."},
        "grant": _optional(
            {"type": "object", "properties": _GRANTS, "additionalProperties": False}, "Nothing without it."
        ),
    },
    "Start": {
        "inputs": _optional(_OBJECT, "The flow's inputs."),
        "trigger": _optional(_TEXT, "A trigger's id: the execution then starts as if it had fired."),
        "document": _optional(
            _OBJECT, "What the trigger hands over, such as `body` and `headers`; parts left out are empty."
        ),
    },
    "Rollback": {
        "version": {"type": "string", "minLength": 7, "description": "The version's hash, or the beginning of it."},
    },
    "Cancel": {"message": _optional({"type": "string", "maxLength": 500}, "Why; shown with the execution.")},
    "Redrive": {
        "step": _optional(_TEXT, "From this step instead: it runs again, and everything after it."),
        "force": {
            "type": "boolean",
            "default": False,
            "description": "Repeat an at-most-once step too, whose effect may have happened.",
        },
    },
    "Answer": {
        "port": {
            "type": "string",
            "enum": ["approved", "rejected", "received"],
            "description": "Of an approval `approved` or `rejected`, of a callback `received`.",
        },
        "comment": _optional({"type": "string", "maxLength": LONGEST_COMMENT}, "Of an approval: why."),
        "value": _optional(_ANY, "Of a callback: what its `body` is to be; null without it."),
        "link": _optional(
            {"type": "string", "minLength": 1, "maxLength": 2000},
            "Of a step in a loop, which waits once a turn: the link of that turn, whole or its last part.",
        ),
    },
    "Decision": {
        "decision": {"type": "string", "enum": list[Json](DECISIONS)},
        "by": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "description": "Who answers."},
        "comment": _optional({"type": "string", "maxLength": LONGEST_COMMENT}, "Why."),
    },
}


def _object(**properties: Json) -> dict[str, Json]:
    """An object that always has exactly these."""
    return {
        "type": "object",
        "properties": properties,
        "required": list[Json](properties),
        "additionalProperties": False,
    }


def _open(schema: dict[str, Json], *optional: str) -> dict[str, Json]:
    """The same with some of its properties optional."""
    required = schema["required"]
    kept = [name for name in required if name not in optional] if isinstance(required, list) else []
    return {**schema, "required": kept}


def _list(items: Json) -> dict[str, Json]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Json]:
    return {"$ref": f"#/components/schemas/{name}"}


_EXPIRES: Final[dict[str, Json]] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When it is too late to answer; null: never, or not known yet.",
}
_LIVE: Final[dict[str, Json]] = {
    "flow": _FLOW_NAME,
    "version": {"type": "string", "description": "SHA-256 of the document, in hexadecimal."},
    "enabled": _FLAG,
    "paused": {"type": "boolean", "description": "Whether what it starts waits in the queue."},
    "published": _TIME,
}
_REASON: Final[dict[str, Json]] = {
    "anyOf": [_object(step=_MAYBE_TEXT, code=_TEXT, message=_TEXT), {"type": "null"}],
    "description": "Why it ended other than well.",
}
_SUMMARY: Final[dict[str, Json]] = {
    "id": _TEXT,
    "url": _URL,
    "flow": _FLOW_NAME,
    "version": _TEXT,
    "status": {"type": "string", "enum": _STATUSES},
    "trigger": _MAYBE_TEXT,
    "started": _TIME,
    "ended": _MAYBE_TIME,
}

ANSWERS: Final[Mapping[str, dict[str, Json]]] = {
    "Problem": _open(
        {
            **_object(
                type={"type": "string", "description": "urn:penstock:error:<code>"},
                title=_TEXT,
                status={"type": "integer"},
                detail=_TEXT,
                code=_TEXT,
                errors=_list(_ref("Mistake")),
            ),
            "additionalProperties": True,
        }
    ),
    "Mistake": {
        **_object(where=_TEXT, line={"type": "integer"}, column={"type": "integer"}, what=_TEXT, do=_TEXT),
        "description": "One mistake: where it stands (counted from 1; 0 is unknown), what it is, what to do about it.",
    },
    "Anything": _ANY,
    "Health": _object(status={"type": "string", "const": "ok"}),
    "Accepted": _open(
        _object(
            execution={"type": ["string", "null"], "description": "Its id; null where the trigger's `if` was false."},
            url=_URL,
            status={"type": "string", "enum": _STATUSES},
            ignored={"type": "boolean", "const": True},
        ),
        *("url", "status", "ignored"),
    ),
    "Ran": _open(
        _object(execution=_TEXT, url=_URL, status={"type": "string", "enum": _STATUSES}, output=_ANY, reason=_REASON),
        *("output", "reason"),
    ),
    "Retried": _object(execution=_TEXT, url=_URL, retry_of=_TEXT),
    "Standing": _object(execution=_TEXT, url=_URL, status={"type": "string", "enum": _STATUSES}),
    "Refusals": _object(
        items=_list(_ref("Refusal")),
        since={"type": ["string", "null"], "description": "The first day, in UTC."},
    ),
    "Refusal": _object(
        day={"type": "string", "description": "In UTC: 2026-11-20."},
        flow={"type": ["string", "null"], "description": "null: an address of no flow."},
        trigger={"type": ["string", "null"], "description": "null: an address of no trigger."},
        reason={"type": "string", "description": "The error's code, such as signature_wrong."},
        count={"type": "integer", "description": "How often, as far as it was written down."},
        last=_TIME,
    ),
    "Received": _object(received={"type": "boolean", "const": True}),
    "Expiry": _object(expires=_EXPIRES),
    "Approval": _object(
        flow=_FLOW_NAME,
        step=_TEXT,
        name={"type": "string", "description": "The step's name for people."},
        status={
            "type": "string",
            "enum": ["waiting", "early"],
            "description": "`early`: the flow has not come to the step; an answer is kept for it.",
        },
        ask={"type": ["string", "null"], "description": "The question; null while it is early."},
        by={**_list(_TEXT), "description": "Who may answer; empty: whoever has the link."},
        expires=_EXPIRES,
    ),
    "Decided": _object(flow=_FLOW_NAME, step=_TEXT, decision=_TEXT, by=_TEXT, comment=_TEXT, via=_TEXT),
    "Flows": _object(items=_list(_object(**_LIVE))),
    "Switched": _object(**_LIVE),
    "Resumed": _object(
        **_LIVE, woken={"type": "integer", "description": "How many executions were queued, and go on now."}
    ),
    "Trigger": _open(
        _object(
            **{"id": _TEXT, "uses": _TEXT, "with": _OBJECT},
            url={"type": ["string", "null"], "description": "A hook's address; null where the key may not know it."},
            methods=_list(_TEXT),
            verify={"type": "string", "description": "The scheme, or `none`."},
            respond={"type": "string", "enum": ["accepted", "result", "step"]},
        ),
        *("with", "url", "methods", "verify", "respond"),
    ),
    "Flow": _object(
        **_LIVE,
        description=_TEXT,
        timezone=_TEXT,
        inputs=_OBJECT,
        triggers=_list(_ref("Trigger")),
        text={"type": "string", "description": "The document as JSON, byte for byte what its version is the hash of."},
        document=_OBJECT,
    ),
    "Published": _open(
        _object(
            **_LIVE,
            changed={"type": "boolean", "description": "Whether another version is, or would be, live."},
            triggers=_list(_ref("Trigger")),
            warnings=_list(_ref("Mistake")),
        ),
        *("published", "triggers"),
    ),
    "Versions": _object(items=_list(_object(version=_TEXT, stored=_TIME, live=_FLAG))),
    "Version": _object(flow=_FLOW_NAME, version=_TEXT, text=_TEXT, document=_OBJECT),
    "Executions": _object(items=_list(_object(**_SUMMARY)), cursor=_MAYBE_TEXT),
    "Execution": _object(
        **_SUMMARY,
        deadline=_MAYBE_TIME,
        retry_of=_MAYBE_TEXT,
        parent=_MAYBE_TEXT,
        reason=_REASON,
        document={"description": "What the trigger handed over."},
        inputs=_ANY,
        output=_ANY,
        steps=_list(_ref("Step")),
    ),
    "Step": _object(
        id=_TEXT,
        uses=_TEXT,
        status={"type": "string", "enum": _STEP_STATUSES},
        port=_MAYBE_TEXT,
        started=_MAYBE_TIME,
        ended=_MAYBE_TIME,
        due={"type": ["string", "null"], "format": "date-time", "description": "When it goes on, where it waits."},
        link={
            "type": ["string", "null"],
            "description": "Where it is answered, while it waits for that; null where the key may not answer.",
        },
        child={"type": ["string", "null"], "description": "The execution that it waits for."},
        input=_ANY,
        output=_ANY,
        failure=_MAYBE_OBJECT,
        attempts=_list(
            _object(number={"type": "integer"}, started=_TIME, ended=_MAYBE_TIME, code=_MAYBE_TEXT, message=_MAYBE_TEXT)
        ),
    ),
    "Plugin": _object(
        name=_TEXT,
        version=_TEXT,
        hash=_TEXT,
        summary=_TEXT,
        asks=_ref("PluginGrants"),
        granted=_ref("PluginGrants"),
        nodes=_list(_TEXT),
        added=_TIME,
        versions=_list(_object(hash=_TEXT, version=_TEXT)),
    ),
    "PluginGrants": _object(http=_list(_TEXT), kv=_FLAG, log=_FLAG, wasi=_FLAG),
    "Plugins": _object(items=_list(_ref("Plugin"))),
    "PluginPart": _object(part=_TEXT),
    "PluginRemoved": _object(name=_TEXT, used_by=_list(_TEXT)),
    "Nodes": _object(
        items=_list(
            _object(
                type=_TEXT,
                kind=_TEXT,
                service=_MAYBE_TEXT,
                title=_TEXT,
                summary=_TEXT,
                effect={"description": "What it does to the world; an object where that depends on a parameter."},
                credential=_MAYBE_TEXT,
                ports=_list(_TEXT),
            )
        )
    ),
    "Node": {
        "type": "object",
        "properties": {"type": _TEXT, "kind": _TEXT, "parameters": _OBJECT},
        "required": ["type", "kind", "parameters"],
        "description": "The catalogue's entry.",
    },
}
