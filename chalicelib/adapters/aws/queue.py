"""Messages through SQS: sent ten at a time, every answer read; and the receiving side, for hosts that poll."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chalicelib.adapters.aws.client import Aws
from chalicelib.engine.messages import LONGEST_DELAY_SECONDS, Message, Send, Start, from_json, to_json
from chalicelib.errors import NotFoundError, StoreError, WorldError
from chalicelib.ports import Blobs, Clock, Received

MOST_IN_BATCH = 10
"""Entries of one batch (API reference, SendMessageBatch)."""

LARGEST_MESSAGE = 1_048_576
"""Bytes of one message, and of one batch together (the same)."""

LONGEST_WAIT = 20
"""Seconds that one receive waits (API reference, ReceiveMessage)."""

LONGEST_HIDING = 42_000
"""Seconds. A message may be hidden for 43,200 s in all, counted from when it was received (API reference,
ChangeMessageVisibility); the longest invocation has had it for 900 s. More is refused, and it would come at once."""

_PAUSES = (0.1, 0.4, 0.0)
"""Seconds after each try of what a batch did not take; the last one is final."""


def message_in(body: str) -> Message | None:
    """The message a body says; None where it is none of ours. For whoever is handed bodies, such as a Lambda event."""
    try:
        return from_json(json.loads(body))
    except (ValueError, RecursionError):
        return None


class AwsQueue:
    """Fulfils `ports.Queue` and `ports.Inbox` on one queue."""

    def __init__(self, aws: Aws, url: str, blobs: Blobs, clock: Clock) -> None:
        """`blobs` take the inputs that make a message too large; `clock` waits before what failed is sent again."""
        self._aws = aws
        self._url = url
        self._blobs = blobs
        self._clock = clock

    async def send(self, sends: Sequence[Send]) -> None:
        """Return once every message is in the queue; raises StoreError naming how many were not."""
        entries = [await self._entry(each, number) for number, each in enumerate(sends)]
        if len(entries) == 1:
            await self._send_one(entries[0])
            return
        lost = await asyncio.gather(*(self._send_batch(batch) for batch in _batches(entries)))
        reasons = [reason for reasons in lost for reason in reasons]
        if reasons:
            raise StoreError(f"{len(reasons)} of {len(entries)} messages are not in the queue: {reasons[0]}")

    async def _entry(self, send: Send, number: int) -> dict[str, Any]:
        message = send.message
        body = _body(message)
        if len(body) > LARGEST_MESSAGE and isinstance(message, Start):
            name = await self._blobs.put(message.input.encode("utf-8", "surrogatepass"))
            body = _body(replace(message, birth=replace(message.birth, input_pack=f"b{name}"), input=""))
        if len(body) > LARGEST_MESSAGE:
            raise StoreError(
                f"a message of execution {message.execution} has {len(body)} bytes; the queue takes {LARGEST_MESSAGE}."
            )
        entry: dict[str, Any] = {"Id": str(number), "MessageBody": body}
        if send.delay_seconds > 0:
            entry["DelaySeconds"] = min(send.delay_seconds, LONGEST_DELAY_SECONDS)
        return entry

    async def _send_one(self, entry: dict[str, Any]) -> None:
        payload = {name: value for name, value in entry.items() if name != "Id"}
        try:
            await self._aws.sqs("SendMessage", {"QueueUrl": self._url, **payload})
        except (NotFoundError, WorldError) as error:
            raise StoreError(f"1 of 1 messages is not in the queue, or not for sure: {error.detail}") from error

    async def _send_batch(self, entries: Sequence[dict[str, Any]]) -> Sequence[str]:
        """Send them, those that failed again; return the reason of each that is not in the queue."""
        lost: list[str] = []
        left = list(entries)
        for number, pause in enumerate(_PAUSES, 1):
            try:
                answer = await self._aws.sqs("SendMessageBatch", {"QueueUrl": self._url, "Entries": left})
            except (NotFoundError, WorldError) as error:
                return [*lost, *(error.detail for _ in left)]
            failed = {each["Id"]: each for each in answer.get("Failed") or ()}
            is_last = number == len(_PAUSES)
            # The sender's fault stays one, however often it is sent.
            hopeless = {name for name, each in failed.items() if is_last or each.get("SenderFault")}
            lost += [f"{failed[name].get('Code')} {failed[name].get('Message') or ''}".strip() for name in hopeless]
            left = [entry for entry in left if entry["Id"] in failed.keys() - hopeless]
            if not left:
                break
            await self._clock.sleep(pause)
        return lost

    async def send_text(self, body: str) -> None:
        """Send a body as it is, for people to look at; raises StoreError where it is not in the queue for sure."""
        await self._send_one({"MessageBody": body})

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        """Up to `most` deliveries, at most ten; waits for the first up to `wait_seconds`, at most twenty."""
        answer = await self._aws.sqs(
            "ReceiveMessage",
            {
                "QueueUrl": self._url,
                "MaxNumberOfMessages": min(most, MOST_IN_BATCH),
                "WaitTimeSeconds": min(LONGEST_WAIT, -int(-wait_seconds // 1)),
                "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
            },
        )
        return [_received(each) for each in answer.get("Messages") or ()]

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """They are done with; raises StoreError naming how many are not, which then come again."""
        lost: list[str] = []
        for start in range(0, len(received), MOST_IN_BATCH):
            part = received[start : start + MOST_IN_BATCH]
            entries = [{"Id": str(number), "ReceiptHandle": each.handle} for number, each in enumerate(part)]
            answer = await self._aws.sqs("DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})
            lost += [str(each.get("Code")) for each in answer.get("Failed") or () if not each.get("SenderFault")]
        if lost:
            raise StoreError(f"{len(lost)} of {len(received)} messages could not be acknowledged: {lost[0]}")

    async def fail(self, received: Received, delay_seconds: int) -> None:
        """It comes again after this long; one whose hiding is over already comes again anyway."""
        hidden = max(0, min(delay_seconds, LONGEST_HIDING))
        call = {"QueueUrl": self._url, "ReceiptHandle": received.handle, "VisibilityTimeout": hidden}
        try:
            await self._aws.sqs("ChangeMessageVisibility", call)
        except StoreError as error:
            if str(error.facts.get("aws_code")).rpartition(".")[2] not in _NOT_OUT:
                raise


_NOT_OUT = frozenset({"InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid"})
"""What SQS says of a delivery that is no longer one."""


def _body(message: Message) -> str:
    # ASCII alone: SQS refuses some characters, and lone surrogates survive as escapes.
    return json.dumps(to_json(message), separators=(",", ":"))


def _batches(entries: Sequence[dict[str, Any]]) -> Sequence[Sequence[dict[str, Any]]]:
    """In order, at most ten together, and no more bytes than a batch takes."""
    batches: list[list[dict[str, Any]]] = []
    room = 0
    for entry in entries:
        size = len(entry["MessageBody"])
        if not batches or len(batches[-1]) == MOST_IN_BATCH or size > room:
            batches.append([])
            room = LARGEST_MESSAGE
        batches[-1].append(entry)
        room -= size
    return batches


def _received(each: dict[str, Any]) -> Received:
    body = each["Body"]
    message = message_in(body)
    attributes: dict[str, str] = each.get("Attributes") or {}
    count = int(attributes.get("ApproximateReceiveCount", 1))
    return Received(each["ReceiptHandle"], count, message, "" if message else body)
