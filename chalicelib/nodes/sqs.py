"""Amazon SQS: messages into queues."""

import re
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.answers import json_of
from chalicelib.kit.aws import Region, aws_error, deduplication_id_of, message_attributes, message_text
from chalicelib.kit.fields import AnyObject, Anything
from chalicelib.kit.outputs import TEXT, TEXT_OR_NULL, shape
from chalicelib.kit.service import Service
from chalicelib.kit.values import Json, Request, Response

SQS = Service(
    "Amazon SQS",
    base_url="https://sqs.{region}.amazonaws.com",
    credential="aws",
    credential_options={"service": "sqs"},
    headers={"content-type": "application/x-amz-json-1.0"},
    error_message=aws_error,
    docs="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html",
)

_REGION = re.compile(r"^https://sqs\.([a-z0-9-]+)\.amazonaws\.com/")


class SendMessage(Action):
    """Send a message to a queue.

    The value is `{"message_id", "sequence_number"}`; only FIFO queues number their messages. To a FIFO queue, a step
    that is tried again sends the same deduplication id, so that the queue keeps one message.
    """

    service = SQS
    effect = "at_least_once"
    output = shape(message_id=TEXT, sequence_number=TEXT_OR_NULL)
    example = Example(
        given={
            "queue_url": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders",
            "body": {"order": 17},
            "attributes": {"source": "shop", "priority": 2},
        },
        sends=(
            Request(
                "POST",
                "/",
                headers={"x-amz-target": "AmazonSQS.SendMessage"},
                json={
                    "QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders",
                    "MessageBody": '{"order":17}',
                    "MessageAttributes": {
                        "source": {"DataType": "String", "StringValue": "shop"},
                        "priority": {"DataType": "Number", "StringValue": "2"},
                    },
                },
                fills={"region": "eu-central-1"},
            ),
        ),
        receives=(Response.of({"MessageId": "c1b0", "MD5OfMessageBody": "9e1f"}),),
        returns={"message_id": "c1b0", "sequence_number": None},
    )

    queue_url: Annotated[str, Field(pattern=r"^https?://")]
    """The queue's address."""
    body: Anything
    """The message: text as it is, anything else as JSON."""
    delay_seconds: Annotated[int, Field(ge=0, le=900)] | None = None
    """How long the queue holds it back, up to 15 minutes; not for FIFO queues."""
    attributes: AnyObject | None = None
    """Message attributes by name: text or numbers."""
    group_id: Annotated[str, Field(max_length=128)] | None = None
    """The message group; FIFO queues need it, and keep the order within it."""
    deduplication_id: Annotated[str, Field(max_length=128)] | None = None
    """Messages with the same one are one for five minutes; without it, a FIFO queue gets one of the step's own."""
    region: Region | None = None
    """The region; without it, the one in the queue's address, else the credential's."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.body in (None, ""):
            raise ValueError("body is empty, and SQS takes no empty message")
        if self._is_fifo and not self.group_id:
            raise ValueError("a FIFO queue needs `group_id`")
        if self._is_fifo and self.delay_seconds:
            raise ValueError("a FIFO queue takes no `delay_seconds`")
        return self

    @property
    def _is_fifo(self) -> bool:
        """FIFO queues have names that end so."""
        return self.queue_url.endswith(".fifo")

    def run(self) -> Conversation:
        """Send it."""
        deduplication_id = yield from deduplication_id_of(self.deduplication_id, is_fifo=self._is_fifo)
        message: dict[str, Json] = {
            "QueueUrl": self.queue_url,
            "MessageBody": message_text(self.body),
            "DelaySeconds": self.delay_seconds,
            "MessageAttributes": message_attributes(self.attributes) if self.attributes else None,
            "MessageGroupId": self.group_id,
            "MessageDeduplicationId": deduplication_id,
        }
        match = _REGION.match(self.queue_url)
        region = self.region or (match[1] if match else None)
        response: Response = yield Request(
            "POST",
            "/",
            headers={"x-amz-target": "AmazonSQS.SendMessage"},
            json={key: value for key, value in message.items() if value is not None},
            fills={"region": region} if region else {},
        )
        answer: Any = json_of(response)
        return {"message_id": answer["MessageId"], "sequence_number": answer.get("SequenceNumber")}
