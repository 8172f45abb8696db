"""What routes take and give, as JSON Schema: requests are held against these, and OpenAPI shows them all.

`PARAMETERS` and `BODIES` are properties by name, as a flow's `inputs` are: each is required unless it is `optional` or
has a `default` (`flow.inputs.fit_inputs` reads them). `ANSWERS` are whole schemas.
"""

from collections.abc import Mapping
from typing import Final

from chalicelib.api import schemas_access, schemas_consents, schemas_credentials
from chalicelib.api.approval_form import DECISIONS, LONGEST_COMMENT, LONGEST_NAME
from chalicelib.api.schema_words import (
    FLAG,
    FLOW,
    MAYBE_TEXT,
    MAYBE_TIME,
    TEXT,
    TIME,
    Properties,
    list_of,
    object_of,
    open_object,
    optional,
    ref,
)
from chalicelib.engine.records import Status
from chalicelib.flow.values import Json

_STATUSES: Final[list[Json]] = [status.word for status in Status]
_STEP_STATUSES: Final[list[Json]] = [
    *("pending", "running", "retrying", "waiting", "succeeded", "failed", "skipped", "unknown", "not_run"),
]
_ANY: Final[dict[str, Json]] = {}
_OBJECT: Final[dict[str, Json]] = {"type": "object"}
_MAYBE_OBJECT: Final[dict[str, Json]] = {"type": ["object", "null"]}
_URL: Final[dict[str, Json]] = {"type": "string", "description": "Where it can be looked at."}


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
        "flow": optional(FLOW, "Only of this flow."),
        "status": optional({"type": "string", "enum": _STATUSES}, "Only with this status."),
        "since": optional(TIME, "Only those started at or after this time."),
        "until": optional(TIME, "Only those started at or before this time."),
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50, "description": "How many at most."},
        "cursor": optional({"type": "string", "maxLength": 400}, "From the page before: go on behind it."),
    },
    "Refusals": {
        "flow": optional(FLOW, "Only of this flow."),
        "days": {"type": "integer", "minimum": 1, "maximum": 30, "default": 7, "description": "Of so many days."},
    },
    **schemas_access.PARAMETERS,
    "Nodes": {
        "kind": optional({"type": "string", "enum": ["action", "control", "trigger"]}, "Only of this kind."),
        "service": optional(TEXT, "Only of this service."),
    },
}


BODIES: Final[Mapping[str, Properties]] = {
    "Start": {
        "inputs": optional(_OBJECT, "The flow's inputs."),
        "trigger": optional(TEXT, "A trigger's id: the execution then starts as if it had fired."),
        "document": optional(
            _OBJECT, "What the trigger hands over, such as `body` and `headers`; parts left out are empty."
        ),
    },
    "Rollback": {
        "version": {"type": "string", "minLength": 7, "description": "The version's hash, or the beginning of it."},
    },
    "Cancel": {"message": optional({"type": "string", "maxLength": 500}, "Why; shown with the execution.")},
    "Redrive": {
        "step": optional(TEXT, "From this step instead: it runs again, and everything after it."),
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
        "comment": optional({"type": "string", "maxLength": LONGEST_COMMENT}, "Of an approval: why."),
        "value": optional(_ANY, "Of a callback: what its `body` is to be; null without it."),
        "link": optional(
            {"type": "string", "minLength": 1, "maxLength": 2000},
            "Of a step in a loop, which waits once a turn: the link of that turn, whole or its last part.",
        ),
    },
    "Decision": {
        "decision": {"type": "string", "enum": list[Json](DECISIONS)},
        "by": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "description": "Who answers."},
        "comment": optional({"type": "string", "maxLength": LONGEST_COMMENT}, "Why."),
    },
    **schemas_access.BODIES,
    **schemas_credentials.BODIES,
}


_EXPIRES: Final[dict[str, Json]] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When it is too late to answer; null: never, or not known yet.",
}
_LIVE: Final[dict[str, Json]] = {
    "flow": FLOW,
    "version": {"type": "string", "description": "SHA-256 of the document, in hexadecimal."},
    "enabled": FLAG,
    "paused": {"type": "boolean", "description": "Whether what it starts waits in the queue."},
    "published": TIME,
}
_REASON: Final[dict[str, Json]] = {
    "anyOf": [object_of(step=MAYBE_TEXT, code=TEXT, message=TEXT), {"type": "null"}],
    "description": "Why it ended other than well.",
}
_SUMMARY: Final[dict[str, Json]] = {
    "id": TEXT,
    "url": _URL,
    "flow": FLOW,
    "version": TEXT,
    "status": {"type": "string", "enum": _STATUSES},
    "trigger": MAYBE_TEXT,
    "started": TIME,
    "ended": MAYBE_TIME,
}

ANSWERS: Final[Mapping[str, dict[str, Json]]] = {
    "Problem": open_object(
        {
            **object_of(
                type={"type": "string", "description": "urn:penstock:error:<code>"},
                title=TEXT,
                status={"type": "integer"},
                detail=TEXT,
                code=TEXT,
                errors=list_of(ref("Mistake")),
            ),
            "additionalProperties": True,
        }
    ),
    "Mistake": {
        **object_of(where=TEXT, line={"type": "integer"}, column={"type": "integer"}, what=TEXT, do=TEXT),
        "description": "One mistake: where it stands (counted from 1; 0 is unknown), what it is, what to do about it.",
    },
    "Anything": _ANY,
    "Health": object_of(status={"type": "string", "const": "ok"}),
    "Accepted": open_object(
        object_of(
            execution={"type": ["string", "null"], "description": "Its id; null where the trigger's `if` was false."},
            url=_URL,
            status={"type": "string", "enum": _STATUSES},
            ignored={"type": "boolean", "const": True},
        ),
        *("url", "status", "ignored"),
    ),
    "Ran": open_object(
        object_of(execution=TEXT, url=_URL, status={"type": "string", "enum": _STATUSES}, output=_ANY, reason=_REASON),
        *("output", "reason"),
    ),
    "Retried": object_of(execution=TEXT, url=_URL, retry_of=TEXT),
    "Standing": object_of(execution=TEXT, url=_URL, status={"type": "string", "enum": _STATUSES}),
    "Refusals": object_of(
        items=list_of(ref("Refusal")),
        since={"type": ["string", "null"], "description": "The first day, in UTC."},
    ),
    "Refusal": object_of(
        day={"type": "string", "description": "In UTC: 2026-11-20."},
        flow={"type": ["string", "null"], "description": "null: an address of no flow."},
        trigger={"type": ["string", "null"], "description": "null: an address of no trigger."},
        reason={"type": "string", "description": "The error's code, such as signature_wrong."},
        count={"type": "integer", "description": "How often, as far as it was written down."},
        last=TIME,
    ),
    "Received": object_of(received={"type": "boolean", "const": True}),
    "Expiry": object_of(expires=_EXPIRES),
    "Approval": object_of(
        flow=FLOW,
        step=TEXT,
        name={"type": "string", "description": "The step's name for people."},
        status={
            "type": "string",
            "enum": ["waiting", "early"],
            "description": "`early`: the flow has not come to the step; an answer is kept for it.",
        },
        ask={"type": ["string", "null"], "description": "The question; null while it is early."},
        by={**list_of(TEXT), "description": "Who may answer; empty: whoever has the link."},
        expires=_EXPIRES,
    ),
    "Decided": object_of(flow=FLOW, step=TEXT, decision=TEXT, by=TEXT, comment=TEXT, via=TEXT),
    "Flows": object_of(items=list_of(object_of(**_LIVE))),
    "Switched": object_of(**_LIVE),
    "Resumed": object_of(
        **_LIVE, woken={"type": "integer", "description": "How many executions were queued, and go on now."}
    ),
    "Trigger": open_object(
        object_of(
            **{"id": TEXT, "uses": TEXT, "with": _OBJECT},
            url={"type": ["string", "null"], "description": "A hook's address; null where the key may not know it."},
            methods=list_of(TEXT),
            verify={"type": "string", "description": "The scheme, or `none`."},
            respond={"type": "string", "enum": ["accepted", "result", "step"]},
        ),
        *("with", "url", "methods", "verify", "respond"),
    ),
    "Flow": object_of(
        **_LIVE,
        description=TEXT,
        timezone=TEXT,
        inputs=_OBJECT,
        triggers=list_of(ref("Trigger")),
        text={"type": "string", "description": "The document as JSON, byte for byte what its version is the hash of."},
        document=_OBJECT,
    ),
    "Published": open_object(
        object_of(
            **_LIVE,
            changed={"type": "boolean", "description": "Whether another version is, or would be, live."},
            triggers=list_of(ref("Trigger")),
            warnings=list_of(ref("Mistake")),
        ),
        *("published", "triggers"),
    ),
    "Versions": object_of(items=list_of(object_of(version=TEXT, stored=TIME, live=FLAG))),
    "Version": object_of(flow=FLOW, version=TEXT, text=TEXT, document=_OBJECT),
    "Executions": object_of(items=list_of(object_of(**_SUMMARY)), cursor=MAYBE_TEXT),
    "Execution": object_of(
        **_SUMMARY,
        deadline=MAYBE_TIME,
        retry_of=MAYBE_TEXT,
        parent=MAYBE_TEXT,
        reason=_REASON,
        document={"description": "What the trigger handed over."},
        inputs=_ANY,
        output=_ANY,
        steps=list_of(ref("Step")),
    ),
    "Step": object_of(
        id=TEXT,
        uses=TEXT,
        status={"type": "string", "enum": _STEP_STATUSES},
        port=MAYBE_TEXT,
        started=MAYBE_TIME,
        ended=MAYBE_TIME,
        due={"type": ["string", "null"], "format": "date-time", "description": "When it goes on, where it waits."},
        link={
            "type": ["string", "null"],
            "description": "Where it is answered, while it waits for that; null where the key may not answer.",
        },
        child={"type": ["string", "null"], "description": "The execution that it waits for."},
        input=_ANY,
        output=_ANY,
        failure=_MAYBE_OBJECT,
        attempts=list_of(
            object_of(number={"type": "integer"}, started=TIME, ended=MAYBE_TIME, code=MAYBE_TEXT, message=MAYBE_TEXT)
        ),
    ),
    "Nodes": object_of(
        items=list_of(
            object_of(
                type=TEXT,
                kind=TEXT,
                service=MAYBE_TEXT,
                title=TEXT,
                summary=TEXT,
                effect={"description": "What it does to the world; an object where that depends on a parameter."},
                credential=MAYBE_TEXT,
                ports=list_of(TEXT),
            )
        )
    ),
    "Node": {
        "type": "object",
        "properties": {"type": TEXT, "kind": TEXT, "parameters": _OBJECT},
        "required": ["type", "kind", "parameters"],
        "description": "The catalogue's entry.",
    },
    **schemas_access.ANSWERS,
    **schemas_credentials.ANSWERS,
    **schemas_consents.ANSWERS,
}
