"""Delivers queues to functions as Lambda's event source mappings do: in batches, outside SendMessage.

moto calls the function inside SendMessage, so a worker that sends to its own queue waits for itself. `disarm` stops
that; `deliver` makes one poll of one mapping, which a test repeats until nothing is left; `serve` does so for ever.
"""

import json
import sys
import time
from typing import Any

_MOST_PER_RECEIVE = 10
_IDLE_SECONDS = 0.5


def disarm() -> None:
    """Make SendMessage store and nothing else."""
    from moto.sqs.models import Queue

    queue: Any = Queue
    add = queue.add_message

    def add_message(self: Any, message: Any) -> None:
        held, self.lambda_event_source_mappings = self.lambda_event_source_mappings, {}
        try:
            add(self, message)
        finally:
            self.lambda_event_source_mappings = held

    queue.add_message = add_message


def deliver(sqs: Any, functions: Any, mapping: dict[str, Any], *, wait_seconds: int = 0) -> int:
    """Poll one mapping's queue once and hand its messages over; returns how many there were.

    Args:
        sqs: a boto3 SQS client.
        functions: a boto3 Lambda client.
        mapping: an entry of `list_event_source_mappings`.
        wait_seconds: how long the poll may wait for a first message.
    """
    arn: str = mapping["EventSourceArn"]
    url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    received = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(_MOST_PER_RECEIVE, mapping["BatchSize"]),
        WaitTimeSeconds=wait_seconds,
        AttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    messages: list[dict[str, Any]] = received.get("Messages", [])
    if not messages:
        return 0
    event = {"Records": [_record(message, arn) for message in messages]}
    answer = functions.invoke(FunctionName=mapping["FunctionArn"], Payload=json.dumps(event).encode())
    payload = answer["Payload"].read()
    if "FunctionError" in answer:
        print(f"{mapping['FunctionArn']}: {payload.decode()}", file=sys.stderr)
        return len(messages)
    failed = _failed(json.loads(payload), messages, mapping)
    for message in messages:
        if message["MessageId"] not in failed:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return len(messages)


def deliver_all(sqs: Any, functions: Any, *, most_polls: int = 1000) -> int:
    """Poll every enabled mapping until none has a message left; returns how many were handed over.

    Raises:
        RuntimeError: messages still come after that many polls, as when one fails for ever with no delay.
    """
    total = 0
    for _ in range(most_polls):
        delivered = sum(deliver(sqs, functions, mapping) for mapping in _mappings(functions))
        if not delivered:
            return total
        total += delivered
    raise RuntimeError(f"messages still come after {most_polls} polls")


def serve(sqs: Any, functions: Any) -> None:
    """Deliver until the process ends."""
    while True:
        try:
            delivered = sum(deliver(sqs, functions, mapping) for mapping in _mappings(functions))
        except Exception as error:  # noqa: BLE001  a queue or function deleted meanwhile must not end the deliveries
            print(f"delivery failed: {error}", file=sys.stderr)
            delivered = 0
        if not delivered:
            time.sleep(_IDLE_SECONDS)


def _mappings(functions: Any) -> list[dict[str, Any]]:
    found = functions.list_event_source_mappings()["EventSourceMappings"]
    return [one for one in found if ":sqs:" in one["EventSourceArn"] and one.get("State", "Enabled") == "Enabled"]


def _record(message: dict[str, Any], arn: str) -> dict[str, Any]:
    attributes: dict[str, dict[str, Any]] = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"dataType": value["DataType"], "stringValue": value.get("StringValue")}
            for name, value in attributes.items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def _failed(answer: Any, messages: list[dict[str, Any]], mapping: dict[str, Any]) -> set[str]:
    """The ids to keep: those named, and all of them when the answer names none that we sent (Lambda's own rule)."""
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []) or not answer:
        return set()
    sent = {message["MessageId"] for message in messages}
    failures: list[dict[str, Any]] = answer.get("batchItemFailures") or []
    failed = {str(failure.get("itemIdentifier")) for failure in failures}
    return failed if failed <= sent else sent
