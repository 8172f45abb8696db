"""Amazon SNS: messages to topics."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from chalicelib.errors import StepFailedError
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.answers import as_object
from chalicelib.kit.aws import Region, aws_error, deduplication_id_of, message_attributes, message_text, xml_of
from chalicelib.kit.fields import AnyObject, Anything
from chalicelib.kit.outputs import TEXT, TEXT_OR_NULL, shape
from chalicelib.kit.service import Service
from chalicelib.kit.values import Json, Request, Response

SNS = Service(
    "Amazon SNS",
    base_url="https://sns.{region}.amazonaws.com",
    credential="aws",
    credential_options={"service": "sns"},
    error_message=aws_error,
    docs="https://docs.aws.amazon.com/sns/latest/api/API_Publish.html",
)


class Publish(Action):
    """Publish a message to a topic, an endpoint or a phone.

    The value is `{"message_id", "sequence_number"}`; only FIFO topics number their messages. To a FIFO topic, a step
    that is tried again sends the same deduplication id, so that the topic keeps one message.
    """

    service = SNS
    effect = "at_least_once"
    output = shape(message_id=TEXT, sequence_number=TEXT_OR_NULL)
    example = Example(
        given={
            "topic_arn": "arn:aws:sns:eu-central-1:123456789012:alerts",
            "message": "Stock is low",
            "subject": "Stock",
            "attributes": {"level": "warning"},
        },
        sends=(
            Request(
                "POST",
                "/",
                form={
                    "Action": "Publish",
                    "Version": "2010-03-31",
                    "TopicArn": "arn:aws:sns:eu-central-1:123456789012:alerts",
                    "Message": "Stock is low",
                    "Subject": "Stock",
                    "MessageAttributes.entry.1.Name": "level",
                    "MessageAttributes.entry.1.Value.DataType": "String",
                    "MessageAttributes.entry.1.Value.StringValue": "warning",
                },
                fills={"region": "eu-central-1"},
            ),
        ),
        receives=(
            Response(
                200,
                b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
                b"<MessageId>94f2</MessageId></PublishResult></PublishResponse>",
                {"content-type": "text/xml"},
            ),
        ),
        returns={"message_id": "94f2", "sequence_number": None},
    )

    message: Anything
    """The message: text as it is, anything else as JSON; with `per_protocol`, a text for each protocol."""
    topic_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:")] | None = None
    """The topic's ARN."""
    target_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:")] | None = None
    """The ARN of a mobile endpoint, instead of a topic."""
    phone_number: Annotated[str, Field(pattern=r"^\+[0-9]{6,15}$")] | None = None
    """A phone number (E.164, `+4915...`) for a text message, instead of a topic."""
    subject: Annotated[str, Field(max_length=100)] | None = None
    """The subject, where it becomes an e-mail; at most 100 characters."""
    per_protocol: bool = False
    """Whether `message` says what each protocol gets: `default`, `email`, `sms` and so on."""
    attributes: AnyObject | None = None
    """Message attributes by name, for filters: text or numbers."""
    group_id: Annotated[str, Field(max_length=128)] | None = None
    """The message group; FIFO topics need it, and keep the order within it."""
    deduplication_id: Annotated[str, Field(max_length=128)] | None = None
    """Messages with the same one are one for five minutes; without it, a FIFO topic gets one of the step's own."""
    region: Region | None = None
    """The region; without it, the one in the ARN, else the credential's."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        targets = [name for name in ("topic_arn", "target_arn", "phone_number") if getattr(self, name)]
        if len(targets) != 1:
            raise ValueError("needs one of `topic_arn`, `target_arn` and `phone_number`")
        if self.message in (None, ""):
            raise ValueError("message is empty, and SNS takes no empty message")
        if self.per_protocol and "default" not in as_object(self.message):
            raise ValueError("message must be an object with `default` in it, since per_protocol is true")
        if self._is_fifo and not self.group_id:
            raise ValueError("a FIFO topic needs `group_id`")
        return self

    @property
    def _is_fifo(self) -> bool:
        """FIFO topics have names that end so."""
        return bool(self.topic_arn and self.topic_arn.endswith(".fifo"))

    def run(self) -> Conversation:
        """Publish it."""
        deduplication_id = yield from deduplication_id_of(self.deduplication_id, is_fifo=self._is_fifo)
        form: dict[str, Json] = {
            "Action": "Publish",
            "Version": "2010-03-31",
            "TopicArn": self.topic_arn,
            "TargetArn": self.target_arn,
            "PhoneNumber": self.phone_number,
            "Message": message_text(self.message),
            "Subject": self.subject,
            "MessageStructure": "json" if self.per_protocol else None,
            "MessageGroupId": self.group_id,
            "MessageDeduplicationId": deduplication_id,
        }
        for number, (name, attribute) in enumerate(message_attributes(self.attributes or {}).items(), 1):
            entry = f"MessageAttributes.entry.{number}"
            form[f"{entry}.Name"] = name
            form |= {f"{entry}.Value.{key}": value for key, value in attribute.items()}
        region = self.region or self._region_of_arn()
        response: Response = yield Request(
            "POST",
            "/",
            form={key: value for key, value in form.items() if value is not None},
            fills={"region": region} if region else {},
        )
        answer = xml_of(response)
        message_id = answer.findtext("PublishResult/MessageId")
        if message_id is None:
            raise StepFailedError("SNS answered without a message id.")
        return {"message_id": message_id, "sequence_number": answer.findtext("PublishResult/SequenceNumber")}

    def _region_of_arn(self) -> str | None:
        """The fourth part of an ARN."""
        parts = (self.topic_arn or self.target_arn or "").split(":")
        return parts[3] if len(parts) > 3 and parts[3] else None
