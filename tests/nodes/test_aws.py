"""S3, SQS and SNS: what is sent is what AWS's own library would send; what comes back is read, errors too."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import botocore.session
import pytest
from botocore.serialize import create_serializer

from chalicelib.catalogue import build
from chalicelib.errors import ParameterError, StepFailedError
from chalicelib.kit.action import Action
from chalicelib.kit.encode import Encoded, encode, json_bytes
from chalicelib.kit.judge import judge
from chalicelib.kit.values import Failure, GetMoment, Request, Response
from tests.talk import MOMENT, talk

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
SENT = Response.of({"MessageId": "m1", "SequenceNumber": "7"})
PUBLISHED = Response(
    200,
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m1</MessageId>'
    b"<SequenceNumber>7</SequenceNumber></PublishResult></PublishResponse>",
)
NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
MODELS = botocore.session.Session()


def node(node_type: str, **parameters: Any) -> Action:
    built = build(node_type, parameters)
    assert isinstance(built, Action)
    return built


def only_request(step: Action, *replies: Any) -> tuple[Request, Any]:
    asked, value = talk(step, *replies)
    requests = [ask for ask in asked if isinstance(ask, Request)]
    assert len(requests) == 1
    return requests[0], value


def encoded(step: Action, *replies: Any, **fields: Any) -> Encoded:
    return encode(only_request(step, *replies)[0], step.service, fields=fields)


def theirs(service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What AWS's library makes of an operation, before it signs."""
    model = MODELS.get_service_model(service)
    protocol = {"sqs": "json", "sns": "query", "s3": "rest-xml"}[service]
    return create_serializer(protocol).serialize_to_request(parameters, model.operation_model(operation))


def failure(step: Action, response: Response) -> Failure:
    request = next(ask for ask in [step.run().send(None)] if isinstance(ask, Request))  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    found = judge(request, response, step.service, now=NOW)
    assert found is not None
    return found


def test_a_message_to_a_queue_is_the_librarys_field_for_field() -> None:
    ours = encoded(
        node(
            "sqs.send_message",
            queue_url=QUEUE,
            body="grüße",
            delay_seconds=5,
            attributes={"a": "x", "n": 2.5, "b": True},
        ),
        SENT,
    )
    oracle = theirs(
        "sqs",
        "SendMessage",
        {
            "QueueUrl": QUEUE,
            "MessageBody": "grüße",
            "DelaySeconds": 5,
            "MessageAttributes": {
                "a": {"DataType": "String", "StringValue": "x"},
                "n": {"DataType": "Number", "StringValue": "2.5"},
                "b": {"DataType": "String", "StringValue": "true"},
            },
        },
    )
    headers = dict(ours.headers)
    assert ours.url == "https://sqs.eu-central-1.amazonaws.com/"
    assert ours.method == oracle["method"]
    assert headers["x-amz-target"] == oracle["headers"]["X-Amz-Target"]
    assert headers["content-type"] == oracle["headers"]["Content-Type"]
    assert json.loads(ours.body) == json.loads(oracle["body"])


def test_an_object_becomes_json_and_the_answer_a_value() -> None:
    request, value = only_request(node("sqs.send_message", queue_url=QUEUE, body={"a": [1, "ü"]}), SENT)
    assert request.json["MessageBody"] == '{"a":[1,"ü"]}'
    assert value == {"message_id": "m1", "sequence_number": "7"}


@pytest.mark.parametrize(("kind", "target"), [("sqs.send_message", QUEUE), ("sns.publish", TOPIC)])
def test_a_fifo_target_gets_the_steps_own_deduplication_id_unless_one_is_given(kind: str, target: str) -> None:
    where = (
        {"queue_url": f"{target}.fifo", "body": "x"}
        if kind.startswith("sqs")
        else {"topic_arn": f"{target}.fifo", "message": "x"}
    )
    answer = SENT if kind.startswith("sqs") else PUBLISHED
    asked, value = talk(node(kind, group_id="g", **where), MOMENT, answer)
    assert asked[0] == GetMoment()
    sent = asked[1].json if kind.startswith("sqs") else asked[1].form
    assert sent["MessageDeduplicationId"] == MOMENT.seed.hex()
    assert len(sent["MessageDeduplicationId"]) <= 128
    assert sent["MessageGroupId"] == "g"
    assert value == {"message_id": "m1", "sequence_number": "7"}
    asked, _ = talk(node(kind, group_id="g", deduplication_id="d", **where), answer)
    sent = asked[0].json if kind.startswith("sqs") else asked[0].form
    assert sent["MessageDeduplicationId"] == "d"


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("sqs.send_message", {"queue_url": QUEUE, "body": ""}, "body is empty"),
        ("sqs.send_message", {"queue_url": QUEUE, "body": None}, "body is empty"),
        ("sqs.send_message", {"queue_url": f"{QUEUE}.fifo", "body": "x"}, "needs `group_id`"),
        (
            "sqs.send_message",
            {"queue_url": f"{QUEUE}.fifo", "body": "x", "group_id": "g", "delay_seconds": 1},
            "no `delay_seconds`",
        ),
        ("sqs.send_message", {"queue_url": QUEUE, "body": "x", "delay_seconds": 901}, r"with\.delay_seconds"),
        ("sqs.send_message", {"queue_url": "orders", "body": "x"}, r"with\.queue_url"),
        ("sqs.send_message", {"queue_url": QUEUE, "body": "x", "region": "eu-central-1.evil.example"}, r"with\.region"),
        ("sns.publish", {"message": "x"}, "needs one of"),
        ("sns.publish", {"message": "x", "topic_arn": TOPIC, "phone_number": "+4915112345678"}, "needs one of"),
        ("sns.publish", {"message": "", "topic_arn": TOPIC}, "message is empty"),
        ("sns.publish", {"message": "x", "topic_arn": "orders"}, r"with\.topic_arn"),
        ("sns.publish", {"message": {"email": "x"}, "topic_arn": TOPIC, "per_protocol": True}, "`default`"),
        ("sns.publish", {"message": "x", "topic_arn": f"{TOPIC}.fifo"}, "needs `group_id`"),
        ("sns.publish", {"message": "x", "phone_number": "0151"}, r"with\.phone_number"),
        ("s3.put_object", {"bucket": "b-1", "key": "k"}, "needs one of `file`, `text` and `json`"),
        ("s3.put_object", {"bucket": "b-1", "key": "k", "text": "a", "json": 1}, "needs one of"),
        ("s3.put_object", {"bucket": "b/../c", "key": "k", "text": "a"}, r"with\.bucket"),
        ("s3.put_object", {"bucket": "b-1", "key": "", "text": "a"}, r"with\.key"),
        ("s3.list_objects", {"bucket": "b-1", "limit": 0}, r"with\.limit"),
    ],
)
def test_what_aws_would_refuse_is_refused_here(kind: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        node(kind, **parameters)


def test_a_region_comes_from_the_parameter_then_the_address_then_the_credential() -> None:
    step = node("sqs.send_message", queue_url=QUEUE, body="x", region="eu-west-1")
    assert encoded(step, SENT).url == "https://sqs.eu-west-1.amazonaws.com/"
    other = node("sqs.send_message", queue_url="http://localhost:4566/000000000000/orders", body="x")
    assert encoded(other, SENT, region="us-east-1").url == "https://sqs.us-east-1.amazonaws.com/"
    with pytest.raises(ParameterError, match=r"with\.region: is needed"):
        encoded(other, SENT)
    assert (
        encode(only_request(other, SENT)[0], other.service, base_url="http://localhost:4566").url
        == "http://localhost:4566/"
    )


def test_a_message_to_a_topic_is_the_librarys_field_for_field() -> None:
    message = {"default": "a & b = ü", "email": "hello"}
    ours = encoded(
        node(
            "sns.publish",
            topic_arn=TOPIC,
            message=message,
            per_protocol=True,
            subject="S",
            attributes={"n": 1, "t": "x y"},
        ),
        PUBLISHED,
    )
    oracle = theirs(
        "sns",
        "Publish",
        {
            "TopicArn": TOPIC,
            "Message": json_bytes(message).decode(),
            "MessageStructure": "json",
            "Subject": "S",
            "MessageAttributes": {
                "n": {"DataType": "Number", "StringValue": "1"},
                "t": {"DataType": "String", "StringValue": "x y"},
            },
        },
    )
    assert ours.url == "https://sns.eu-central-1.amazonaws.com/"
    assert dict(parse_qsl(ours.body.decode())) == oracle["body"]
    assert dict(ours.headers)["content-type"].startswith("application/x-www-form-urlencoded")


def test_a_message_to_a_phone_needs_a_region_from_elsewhere() -> None:
    step = node("sns.publish", phone_number="+4915112345678", message="hi")
    assert encoded(step, PUBLISHED, region="eu-west-1").url == "https://sns.eu-west-1.amazonaws.com/"


@pytest.mark.parametrize(
    "key",
    ["a.csv", "weekly/ü b+c&d=e?f#g%h.csv", "a//b", "/leading", "~-._!*'()", "a/b/", "日本/語", "a\nb", "a:b@c,d;e$"],
)
def test_a_key_is_encoded_as_the_library_encodes_it(key: str) -> None:
    ours = encoded(node("s3.put_object", bucket="reports", key=key, text="x", region="eu-central-1"), Response(200))
    theirs_path = theirs("s3", "PutObject", {"Bucket": "reports", "Key": key, "Body": b"x"})["url_path"]
    assert urlsplit(ours.url).path == theirs_path
    assert ours.url.startswith("https://s3.eu-central-1.amazonaws.com/reports/")


@pytest.mark.parametrize("key", ["../other/x", "a/../b", "a/./b", ".", ".."])
def test_a_key_that_others_would_resolve_is_refused(key: str) -> None:
    with pytest.raises(ParameterError, match=r"with\.key: has"):
        talk(node("s3.put_object", bucket="reports", key=key, text="x"))


def test_an_object_is_put_with_the_librarys_headers() -> None:
    step = node(
        "s3.put_object",
        bucket="reports",
        key="k.json",
        json={"ü": 1},
        overwrite=False,
        metadata={"made-by": "export", "rows": 17},
        cache_control="no-store",
        content_disposition="attachment",
        storage_class="STANDARD_IA",
        server_side_encryption="aws:kms",
        region="eu-central-1",
    )
    ours = encoded(step, Response(200, headers={"etag": '"e1"', "x-amz-version-id": "v1"}))
    oracle = theirs(
        "s3",
        "PutObject",
        {
            "Bucket": "reports",
            "Key": "k.json",
            "Body": b"x",
            "ContentType": "application/json",
            "IfNoneMatch": "*",
            "Metadata": {"made-by": "export", "rows": "17"},
            "CacheControl": "no-store",
            "ContentDisposition": "attachment",
            "StorageClass": "STANDARD_IA",
            "ServerSideEncryption": "aws:kms",
        },
    )
    assert dict(ours.headers) == {name.lower(): value for name, value in oracle["headers"].items()}
    assert (ours.method, ours.body) == ("PUT", '{"ü":1}'.encode())
    _, value = only_request(step, Response(200, headers={"etag": '"e1"', "x-amz-version-id": "v1"}))
    assert value == {"bucket": "reports", "key": "k.json", "etag": "e1", "version_id": "v1", "size": 8}


def test_metadata_cannot_bring_in_a_header() -> None:
    step = node(
        "s3.put_object",
        bucket="reports",
        key="k",
        text="x",
        metadata={"a": "1\r\nx-amz-acl: public-read"},
        region="eu-central-1",
    )
    with pytest.raises(ParameterError, match="line break"):
        encoded(step, Response(200))


def test_an_older_version_is_asked_for() -> None:
    request, _ = only_request(node("s3.get_object", bucket="reports", key="k", version_id="v 1"), Response(200, b""))
    assert dict(request.query) == {"versionId": "v 1"}


def listing(keys: list[str], token: str = "") -> Response:
    rows = "".join(f"<Contents><Key>{key}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag></Contents>" for key in keys)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return Response(
        200,
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}{more}</ListBucketResult>'.encode(),
    )


def test_a_listing_goes_through_its_pages_up_to_the_limit() -> None:
    step = node("s3.list_objects", bucket="reports", limit=1500)
    first = [f"k{n}" for n in range(1000)]
    asked, value = talk(step, listing(first, "t/1=="), listing([f"m{n}" for n in range(500)], "t2"))
    assert [(ask.query["max-keys"], ask.query["continuation-token"]) for ask in asked] == [(1000, None), (500, "t/1==")]
    assert (len(value["objects"]), value["more"]) == (1500, True)
    url = encode(asked[1], step.service, fields={"region": "eu-central-1"}).url
    assert url == (
        "https://s3.eu-central-1.amazonaws.com/reports?list-type=2&encoding-type=url&max-keys=500&continuation-token=t%2F1%3D%3D"
    )


def test_listed_keys_are_decoded() -> None:
    _, value = talk(node("s3.list_objects", bucket="reports"), listing(["a+b%2Bc%C3%BC&amp;%0A"]))
    assert [row["key"] for row in value["objects"]] == ["a b+cü&\n"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not xml",
        b"<a>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        '<?xml version="1.0" encoding="utf-16"?><x/>'.encode("utf-16"),
    ],
)
def test_xml_that_is_none_or_declares_entities_fails_the_step(content: bytes) -> None:
    with pytest.raises(StepFailedError):
        talk(node("s3.list_objects", bucket="reports"), Response(200, content))


@pytest.mark.parametrize(
    ("step", "content", "said"),
    [
        (
            node("s3.get_object", bucket="reports", key="k"),
            b'<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code><Message>The key &amp; its object do not exist.</Message></Error>',
            "Amazon S3 answered 404 Not Found: NoSuchKey: The key & its object do not exist.",
        ),
        (
            node("sqs.send_message", queue_url=QUEUE, body="x"),
            b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}',
            "Amazon SQS answered 404 Not Found: QueueDoesNotExist: The specified queue does not exist.",
        ),
        (
            node("sns.publish", topic_arn=TOPIC, message="x"),
            b"<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error></ErrorResponse>",
            "Amazon SNS answered 404 Not Found: NotFound: Topic does not exist",
        ),
        (node("s3.get_object", bucket="reports", key="k"), b"", "Amazon S3 answered 404 Not Found."),
        (node("s3.get_object", bucket="reports", key="k"), b"{broken", "Amazon S3 answered 404 Not Found."),
        (node("s3.get_object", bucket="reports", key="k"), b"[1]", "Amazon S3 answered 404 Not Found."),
    ],
)
def test_an_error_is_told_in_awss_words(step: Action, content: bytes, said: str) -> None:
    assert failure(step, Response(404, content)).message == said
