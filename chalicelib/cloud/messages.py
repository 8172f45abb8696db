"""What SQS and EventBridge Scheduler hand to a function, read; and what SQS is told in return."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from chalicelib.engine.messages import Message, from_json
from chalicelib.errors import UsageError
from chalicelib.ports import Received


class Batch(NamedTuple):
    """What one invocation was handed, and SQS's own id for each handle."""

    received: Sequence[Received]
    ids: Mapping[str, str]

    def answer(self, failed: Sequence[Received]) -> dict[str, Any]:
        """A partial batch response: these come again, the others are deleted (ReportBatchItemFailures)."""
        return {"batchItemFailures": [{"itemIdentifier": self.ids[each.handle]} for each in failed]}


def read_batch(event: Mapping[str, Any]) -> Batch:
    """The deliveries in an SQS event; a body that is none of ours is a delivery without a message."""
    received: list[Received] = []
    ids: dict[str, str] = {}
    for record in event["Records"]:
        handle, body = str(record["receiptHandle"]), str(record["body"])
        attributes: Mapping[str, str] = record.get("attributes") or {}
        count = int(attributes.get("ApproximateReceiveCount") or 1)
        received.append(Received(handle, count, _message(body), body))
        ids[handle] = str(record["messageId"])
    return Batch(received, ids)


class Tick(NamedTuple):
    """A schedule's moment: whose, and the planned time in epoch milliseconds."""

    tenant: str
    flow: str
    trigger: str
    planned: int


def read_tick(event: Mapping[str, Any]) -> Tick:
    """The moment in a schedule's event; raises UsageError for anything else.

    `at` is what Scheduler puts in for `<aws.scheduler.scheduled-time>`: RFC 3339, such as `2026-11-20T06:00:00Z`.
    """
    tenant, flow, trigger, at = (event.get(name) for name in ("tenant", "flow", "trigger", "at"))
    if not (isinstance(tenant, str) and isinstance(flow, str) and isinstance(trigger, str) and isinstance(at, str)):
        raise UsageError("This is not a schedule's event. It has `tenant`, `flow`, `trigger` and `at`, each a text.")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise UsageError(f"`at` is no time: {at[:40]!r}. Write it like 2026-11-20T06:00:00Z.") from error
    if moment.tzinfo is None:
        raise UsageError(f"`at` has no time zone: {at[:40]!r}. Write it like 2026-11-20T06:00:00Z.")
    return Tick(tenant, flow, trigger, round(moment.timestamp() * 1000))


def _message(body: str) -> Message | None:
    try:
        return from_json(json.loads(body))
    except (ValueError, RecursionError):
        return None
