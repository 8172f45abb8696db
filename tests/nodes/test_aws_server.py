"""S3, SQS and SNS nodes against a local AWS: their requests, signed by our signer and verified there, do what they say."""

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from chalicelib.catalogue import build
from chalicelib.kit.action import Action
from chalicelib.kit.encode import encode
from chalicelib.kit.judge import judge
from chalicelib.kit.values import Failure, GetFile, GetMoment, PutFile, Request, Response
from chalicelib.signing.outbound import Outgoing, authorize
from tests.aws_server import REGION, boto, fresh_name, verifying_signatures
from tests.talk import MOMENT

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
BINARY = bytes(range(256))


@pytest.fixture
def server(aws_url: str) -> Iterator["Server"]:
    with verifying_signatures(aws_url) as (key_id, secret):
        yield Server(aws_url, {"access_key_id": key_id, "secret_access_key": secret, "region": REGION})


class Server(NamedTuple):
    """Where the local AWS is, and a credential that it knows: it verifies every signature."""

    url: str
    keys: dict[str, str]


def client(service: str, server: Server) -> Any:
    return boto(server.url, service, key=server.keys["access_key_id"], secret=server.keys["secret_access_key"])


def done(server: Server, node_type: str, **parameters: Any) -> Any:
    """What a step gives, or the failure the service answered with."""
    node = build(node_type, parameters)
    assert isinstance(node, Action)
    assert node.service
    conversation = node.run()
    answer: Any = None
    try:
        while True:
            match ask := conversation.send(answer):
                case Request():
                    answer = exchange(server, node, ask, parameters)
                    if failure := judge(ask, answer, node.service, now=NOW):
                        return failure
                case GetFile():
                    answer = BINARY
                case PutFile(content, name, kind):
                    answer = {"file": "kept", "name": name, "type": kind, "size": len(content)}
                case GetMoment():
                    answer = MOMENT
                case _:
                    raise AssertionError(ask)
    except StopIteration as end:
        return end.value


def exchange(server: Server, node: Action, request: Request, parameters: dict[str, Any]) -> Response:
    """One exchange, signed by hand."""
    assert node.service
    encoded = encode(request, node.service, base_url=server.url, fields=parameters)
    outgoing = Outgoing(encoded.method, encoded.url, encoded.headers, encoded.body)
    signed = authorize("aws", {**server.keys, **node.service.credential_options}, outgoing, now=NOW)
    parts = urlsplit(signed.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(signed.method, target, signed.body, dict(signed.headers))
        answer = connection.getresponse()
        return Response(answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()})
    finally:
        connection.close()


@pytest.fixture
def bucket(server: Server) -> str:
    s3, name = client("s3", server), fresh_name("reports")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def test_objects_are_put_read_and_listed(server: Server, bucket: str) -> None:
    key = "weekly/grüße + 100%.json"
    put = done(server, "s3.put_object", bucket=bucket, key=key, json={"ü": 1}, metadata={"made-by": "export"})
    assert (put["bucket"], put["key"], put["size"]) == (bucket, key, 8)
    got = done(server, "s3.get_object", bucket=bucket, key=key)
    assert (got["body"], got["etag"], got["metadata"]) == ({"ü": 1}, put["etag"], {"made-by": "export"})
    file = {"file": "f", "name": "a.bin", "type": "application/x-thing", "size": 256}
    done(server, "s3.put_object", bucket=bucket, key="weekly/old/a.bin", file=file)
    stored = client("s3", server).get_object(Bucket=bucket, Key="weekly/old/a.bin")
    assert (stored["Body"].read(), stored["ContentType"]) == (BINARY, "application/x-thing")
    got = done(server, "s3.get_object", bucket=bucket, key="weekly/old/a.bin")
    assert got["body"] == {"file": "kept", "name": "a.bin", "type": "application/x-thing", "size": 256}
    listed = done(server, "s3.list_objects", bucket=bucket, prefix="weekly/", delimiter="/")
    assert [row["key"] for row in listed["objects"]] == [key]
    assert listed["objects"][0]["etag"] == put["etag"]
    assert (listed["prefixes"], listed["more"]) == (["weekly/old/"], False)
    first = done(server, "s3.list_objects", bucket=bucket, limit=1)
    assert (len(first["objects"]), first["more"]) == (1, True)
    after = done(server, "s3.list_objects", bucket=bucket, start_after=first["objects"][0]["key"])
    assert len(after["objects"]) == 1
    missing = done(server, "s3.get_object", bucket=bucket, key="nothing")
    assert isinstance(missing, Failure)
    assert missing.code == "http_404"
    assert missing.message.startswith("Amazon S3 answered 404 Not Found: NoSuchKey: ")


def test_a_message_arrives_in_its_queue_with_its_attributes(server: Server) -> None:
    sqs = client("sqs", server)
    queue = sqs.create_queue(QueueName=fresh_name("orders"))["QueueUrl"]
    sent = done(server, "sqs.send_message", queue_url=queue, body={"order": "ü"}, attributes={"kind": "new", "n": 2})
    (message,) = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    assert (message["MessageId"], json.loads(message["Body"])) == (sent["message_id"], {"order": "ü"})
    assert message["MessageAttributes"]["kind"]["StringValue"] == "new"
    assert message["MessageAttributes"]["n"] == {"StringValue": "2", "DataType": "Number"}
    refused = done(server, "sqs.send_message", queue_url=f"{queue}-not-there", body="x")
    assert isinstance(refused, Failure)
    assert "QueueDoesNotExist" in refused.message or "NonExistentQueue" in refused.message


def test_a_fifo_queue_keeps_one_message_of_a_step_that_is_tried_twice(server: Server) -> None:
    sqs = client("sqs", server)
    queue = sqs.create_queue(QueueName=f"{fresh_name('orders')}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for _ in range(2):
        sent = done(server, "sqs.send_message", queue_url=queue, body="x", group_id="g")
        assert sent["message_id"]
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == ["x"]


def test_a_message_to_a_topic_reaches_its_queue(server: Server) -> None:
    sns, sqs = client("sns", server), client("sqs", server)
    topic = sns.create_topic(Name=fresh_name("alerts"))["TopicArn"]
    queue = sqs.create_queue(QueueName=fresh_name("alerts"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    published = done(
        server, "sns.publish", topic_arn=topic, message="a & b = ü", subject="Stock", attributes={"level": "warning"}
    )
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(message["Body"])
    assert (told["MessageId"], told["Message"], told["Subject"]) == (published["message_id"], "a & b = ü", "Stock")
    assert told["MessageAttributes"]["level"] == {"Type": "String", "Value": "warning"}
    refused = done(server, "sns.publish", topic_arn=f"{topic}-not-there", message="x")
    assert isinstance(refused, Failure)
    assert refused.message.startswith("Amazon SNS answered 404 Not Found: NotFound")


def test_a_wrong_secret_is_refused(server: Server, bucket: str) -> None:
    other = Server(server.url, {**server.keys, "secret_access_key": "wrong"})
    refused = done(other, "s3.get_object", bucket=bucket, key="k")
    assert isinstance(refused, Failure)
    assert refused.code == "http_403"
    assert "SignatureDoesNotMatch" in refused.message
