"""What routes take and give, as JSON Schema: requests are held against these, and OpenAPI shows them all.

`PARAMETERS` and `BODIES` are properties by name, as a flow's `inputs` are: each is required unless it is `optional` or
has a `default` (`flow.inputs.fit_inputs` reads them). `ANSWERS` are whole schemas.
"""

from collections.abc import Mapping
from typing import Final

from chalicelib.api import schemas_consents, schemas_credentials
from chalicelib.api.approval_form import DECISIONS, LONGEST_COMMENT, LONGEST_NAME
from chalicelib.api.audit_log import OUTCOMES
from chalicelib.api.auth import Role
from chalicelib.api.scopes import MOST_SCOPES, SCOPE
from chalicelib.engine.records import Status
from chalicelib.flow.model import FLOW_NAME
from chalicelib.flow.values import Json

_FLOW_NAME: Final[dict[str, Json]] = {"type": "string", "pattern": f"^{FLOW_NAME.pattern}$"}
_STATUSES: Final[list[Json]] = [status.word for status in Status]
_STEP_STATUSES: Final[list[Json]] = [
    *("pending", "running", "retrying", "waiting", "succeeded", "failed", "skipped", "unknown", "not_run"),
]
_ROLES: Final[list[Json]] = [role.name.lower() for role in Role]
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
    "Keys": {
        "tenant": _optional(_FLOW_NAME, "Of another tenant, for the deployment's own admin keys."),
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100, "description": "How many at most."},
        "cursor": _optional({"type": "string", "maxLength": 40}, "From the page before: go on behind it."),
    },
    "Tenant": {"tenant": _optional(_FLOW_NAME, "Of another tenant, for the deployment's own admin keys.")},
    "Audit": {
        "since": _optional(_TIME, "Only entries of this time or later."),
        "until": _optional(_TIME, "Only entries of this time or earlier."),
        "who": _optional({"type": "string", "maxLength": 200}, "Only of this key, by its id."),
        "action": _optional({"type": "string", "maxLength": 100}, "Only this, by its operationId."),
        "outcome": _optional({"type": "string", "enum": list[Json](OUTCOMES)}, "Only with this outcome."),
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50, "description": "How many at most."},
        "cursor": _optional({"type": "string", "maxLength": 40}, "From the page before: go on behind it."),
    },
    "Nodes": {
        "kind": _optional({"type": "string", "enum": ["action", "control", "trigger"]}, "Only of this kind."),
        "service": _optional(_TEXT, "Only of this service."),
    },
}

BODIES: Final[Mapping[str, Properties]] = {
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
    "Key": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100, "description": "What the key is for."},
        "role": {"type": "string", "enum": _ROLES, "default": "viewer", "description": "What it may do."},
        "scopes": _optional(
            {"type": "array", "items": {"type": "string", "pattern": f"^{SCOPE.pattern}$"}, "maxItems": MOST_SCOPES},
            "The only flows that it is for: `shop`, `order-*`, `run:shop`; without it every flow.",
        ),
        "days": _optional({"type": "integer", "minimum": 1, "maximum": 3650}, "How long it counts; 90 without it."),
        "never_expires": {"type": "boolean", "default": False, "description": "It counts until it is revoked."},
        "tenant": _optional(_FLOW_NAME, "Another tenant's, for the deployment's own admin keys."),
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
    **schemas_credentials.BODIES,
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
_KEY: Final[dict[str, Json]] = {
    "id": _TEXT,
    "tenant": _TEXT,
    "name": _TEXT,
    "role": {"type": "string", "enum": _ROLES},
    "scopes": {"type": ["array", "null"], "items": _TEXT, "description": "The flows it is for; null: every flow."},
    "status": {"type": "string", "enum": ["active", "expired", "revoked"]},
    "created": _TIME,
    "created_by": {"type": "string", "description": "The id of the key that made it."},
    "expires": {**_MAYBE_TIME, "description": "null: never."},
    "revoked": _MAYBE_TIME,
    "last_used": {**_MAYBE_TIME, "description": "To within an hour."},
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
    "Keys": _object(items=_list(_ref("KeyShown")), cursor=_MAYBE_TEXT),
    "KeyShown": _object(**_KEY),
    "NewKey": _object(key={"type": "string", "description": "The key itself: shown this once."}, **_KEY),
    "Audit": _object(
        items=_list(_ref("Entry")),
        cursor={**_MAYBE_TEXT, "description": "Where there may be more: pass it on. Items may be none even so."},
    ),
    "Entry": _object(
        id={"type": "string", "description": "A ULID."},
        at=_TIME,
        who={"type": ["string", "null"], "description": "The key's id; null: nobody known."},
        role=_MAYBE_TEXT,
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
        first=_MAYBE_TIME,
        peers={**_list(_TEXT), "description": "Of a denial: some of the addresses it came from."},
    ),
    "Session": _object(
        who=_TEXT,
        role=_TEXT,
        tenant=_TEXT,
        opened=_TIME,
        expires={**_TIME, "description": "When it is over, whatever is asked."},
        idle_seconds={"type": "integer", "description": "When it is over, where nothing is asked."},
        csrf={"type": "string", "description": "Send it as X-Penstock-Csrf with whatever changes something."},
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
    **schemas_credentials.ANSWERS,
    **schemas_consents.ANSWERS,
}
