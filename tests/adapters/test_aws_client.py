"""The engine's own AWS calls: against a local AWS, and against a stub where AWS misbehaves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.aws.answers import ConditionRefusedError
from chalicelib.adapters.aws.client import Aws, Endpoints, StoredObject
from chalicelib.adapters.aws.keys import keys_from_environment, region_from_environment
from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.errors import CutOffError, NotFoundError, SettingError, StoreError, TimedOutError
from chalicelib.signing.forms import AwsKeys
from tests.aws_server import REGION, boto, fresh_name, verifying_signatures
from tests.stub import Answer, Seen, Stub

KEYS = AwsKeys("testing", "testing", "token")


class Clock:
    """The real time, for signatures that are verified; sleeping is only noted."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def play(url: str, scene: Callable[[Aws, Clock], Awaitable[None]], keys: AwsKeys = KEYS, **options: Any) -> None:
    """Run a scene with a client of that endpoint, and close it."""

    async def whole() -> None:
        endpoints = Endpoints(every=url)
        http = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
        clock = Clock()
        try:
            await scene(Aws(http, keys, REGION, endpoints, clock, jitter=lambda: 1.0, **options), clock)
        finally:
            await http.close()

    asyncio.run(whole())


def play_stub(scene: Callable[[Stub, Aws, Clock], Awaitable[None]], **options: Any) -> None:
    """The same with a stub for an endpoint."""

    async def whole() -> None:
        async with Stub() as stub:
            endpoints = Endpoints(every=stub.url)
            http = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
            clock = Clock()
            try:
                await scene(stub, Aws(http, KEYS, REGION, endpoints, clock, jitter=lambda: 1.0, **options), clock)
            finally:
                await http.close()

    asyncio.run(whole())


def make_table(url: str) -> str:
    name = fresh_name("table")
    boto(url, "dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "gp")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [{"AttributeName": "gp", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def make_bucket(url: str) -> str:
    name = fresh_name("bucket")
    boto(url, "s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


# --- against a local AWS


def test_a_refused_condition_brings_the_record_back(aws_url: str) -> None:
    table = make_table(aws_url)

    async def scene(aws: Aws, _: Clock) -> None:
        create = {
            "TableName": table,
            "Key": {"pk": {"S": "a"}},
            "UpdateExpression": "SET n = :n",
            "ConditionExpression": "attribute_not_exists(pk)",
            "ExpressionAttributeValues": {":n": {"N": "1"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        await aws.dynamodb("UpdateItem", create)
        with pytest.raises(ConditionRefusedError) as caught:
            await aws.dynamodb("UpdateItem", create)
        assert caught.value.item == {"pk": {"S": "a"}, "n": {"N": "1"}}
        with pytest.raises(ConditionRefusedError) as caught:
            await aws.dynamodb(
                "UpdateItem", {**create, "Key": {"pk": {"S": "b"}}, "ConditionExpression": "attribute_exists(pk)"}
            )
        assert caught.value.item is None
        assert aws.tally.calls == {"dynamodb.UpdateItem": 3}

    play(aws_url, scene)


def test_calls_and_units_are_counted(aws_url: str) -> None:
    table = make_table(aws_url)

    async def scene(aws: Aws, _: Clock) -> None:
        async def put(**item: str) -> float:
            aws.tally.clear()
            await aws.dynamodb(
                "PutItem", {"TableName": table, "Item": {"pk": {"S": "a"}} | {k: {"S": v} for k, v in item.items()}}
            )
            assert aws.tally.calls == {"dynamodb.PutItem": 1}
            return aws.tally.write_units

        assert await put(v="x" * 1000) == 1
        assert await put(v="x" * 1100) == 2
        assert await put(v="x") == 2  # the larger of before and after
        assert await put(v="x", gp="p") == 1
        assert aws.tally.index_units == {"due": 1}
        assert await put(v="y", gp="p") == 1
        assert aws.tally.index_units == {}
        assert await put(v="y", gp="q") == 1
        assert aws.tally.index_units == {"due": 2}
        aws.tally.clear()
        got = await aws.dynamodb("GetItem", {"TableName": table, "Key": {"pk": {"S": "a"}}, "ConsistentRead": True})
        assert got["Item"]["v"] == {"S": "y"}
        assert (aws.tally.calls, aws.tally.write_units) == ({"dynamodb.GetItem": 1}, 0)

    play(aws_url, scene)


def test_messages_go_and_come(aws_url: str) -> None:
    queue = boto(aws_url, "sqs").create_queue(QueueName=fresh_name("queue"))["QueueUrl"]

    async def scene(aws: Aws, _: Clock) -> None:
        assert await aws.sqs("ReceiveMessage", {"QueueUrl": queue, "WaitTimeSeconds": 0}) == {}
        sent = await aws.sqs("SendMessageBatch", {"QueueUrl": queue, "Entries": [{"Id": "0", "MessageBody": "ü"}]})
        assert [entry["Id"] for entry in sent["Successful"]] == ["0"]
        (got,) = (await aws.sqs("ReceiveMessage", {"QueueUrl": queue}))["Messages"]
        assert got["Body"] == "ü"
        assert await aws.sqs("DeleteMessage", {"QueueUrl": queue, "ReceiptHandle": got["ReceiptHandle"]}) == {}
        with pytest.raises(NotFoundError):
            await aws.sqs("SendMessage", {"QueueUrl": queue + "x", "MessageBody": "1"})

    play(aws_url, scene)


@pytest.mark.parametrize("key", ["plain", "a/b//c", "ü €.txt", "a+b&c=d%20;~", "../x", "..", "space at end "])
def test_objects_are_kept_under_any_name(aws_url: str, key: str) -> None:
    bucket = make_bucket(aws_url)

    async def scene(aws: Aws, _: Clock) -> None:
        body = bytes(range(256)) * 40
        await aws.s3_put(bucket, key, body, content_type="application/x-pack")
        assert await aws.s3_get(bucket, key) == body
        assert boto(aws_url, "s3").get_object(Bucket=bucket, Key=key)["Body"].read() == body
        head = await aws.s3_head(bucket, key)
        assert (head["content-length"], head["content-type"]) == ("10240", "application/x-pack")
        assert await aws.s3_list(bucket) == [StoredObject(key, 10240)]
        await aws.s3_delete(bucket, key)
        await aws.s3_delete(bucket, key)
        for ask in (aws.s3_get, aws.s3_head):
            with pytest.raises(NotFoundError):
                await ask(bucket, key)

    play(aws_url, scene)


def test_an_object_that_must_be_absent_is_not_overwritten(aws_url: str) -> None:
    bucket = make_bucket(aws_url)

    async def scene(aws: Aws, _: Clock) -> None:
        await aws.s3_put(bucket, "k", b"first", if_absent=True)
        with pytest.raises(ConditionRefusedError):
            await aws.s3_put(bucket, "k", b"second", if_absent=True)
        assert await aws.s3_get(bucket, "k") == b"first"

    play(aws_url, scene)


def test_a_long_listing_is_read_to_its_end(aws_url: str) -> None:
    bucket = make_bucket(aws_url)

    async def scene(aws: Aws, _: Clock) -> None:
        for n in range(25):
            await aws.s3_put(bucket, f"p/{n:04}", b"")
        await aws.s3_put(bucket, "q/1", b"x")
        assert [found.key for found in await aws.s3_list(bucket, "p/", page_size=10)] == [
            f"p/{n:04}" for n in range(25)
        ]
        assert aws.tally.calls["s3.ListObjectsV2"] == 3

    play(aws_url, scene)


def test_what_does_not_exist_is_said(aws_url: str) -> None:
    async def scene(aws: Aws, _: Clock) -> None:
        with pytest.raises(NotFoundError, match="GetItem"):
            await aws.dynamodb("GetItem", {"TableName": "no-such-table", "Key": {"pk": {"S": "a"}}})
        with pytest.raises(NotFoundError, match="PutObject"):
            await aws.s3_put(fresh_name("nowhere"), "k", b"x")

    play(aws_url, scene)


def test_an_item_over_the_limit_is_refused_with_its_reason(aws_url: str) -> None:
    table = make_table(aws_url)

    async def scene(aws: Aws, _: Clock) -> None:
        item = {"pk": {"S": "a"}, "v": {"S": "x" * 410_000}}
        with pytest.raises(StoreError, match="Item size") as caught:
            await aws.dynamodb("PutItem", {"TableName": table, "Item": item})
        assert caught.value.facts["aws_code"] == "ValidationException"

    play(aws_url, scene)


def test_signatures_are_accepted_where_they_are_verified_and_a_wrong_secret_is_not(aws_url: str) -> None:
    table, bucket = make_table(aws_url), make_bucket(aws_url)
    queue = boto(aws_url, "sqs").create_queue(QueueName=fresh_name("queue"))["QueueUrl"]
    calls: list[Callable[[Aws], Awaitable[Any]]] = [
        lambda aws: aws.dynamodb("GetItem", {"TableName": table, "Key": {"pk": {"S": "a"}}}),
        lambda aws: aws.sqs("SendMessage", {"QueueUrl": queue, "MessageBody": "ü"}),
        lambda aws: aws.s3_put(bucket, "a b/ü+", b"x", content_type="text/plain"),
        lambda aws: aws.s3_get(bucket, "a b/ü+"),
        lambda aws: aws.s3_list(bucket, "a b/"),
    ]

    async def good(aws: Aws, _: Clock) -> None:
        for call in calls:
            await call(aws)

    async def bad(aws: Aws, _: Clock) -> None:
        for call in calls:
            with pytest.raises(StoreError, match="keys") as caught:
                await call(aws)
            assert "Signature" not in caught.value.detail.partition("(")[0]

    with verifying_signatures(aws_url) as (key_id, secret):
        play(aws_url, good, AwsKeys(key_id, secret))
        play(aws_url, bad, AwsKeys(key_id, secret[:-1] + ("a" if secret[-1] != "a" else "b")))


# --- where AWS misbehaves


def refusal(code: str, status: int = 400) -> Answer:
    return Answer.of_json({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "m"}, status)


CONDITIONAL = {"TableName": "t", "Key": {}, "ConditionExpression": "x"}


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"]
)
def test_throttled_calls_come_again_after_growing_pauses(code: str) -> None:
    async def scene(stub: Stub, aws: Aws, clock: Clock) -> None:
        stub.answer("/", refusal(code), refusal(code), Answer.of_json({}))
        assert await aws.dynamodb("UpdateItem", CONDITIONAL) == {}
        assert clock.slept == [0.05, 0.1]
        stub.answer("/", refusal(code))
        with pytest.raises(StoreError, match=code):
            await aws.dynamodb("UpdateItem", CONDITIONAL)
        assert len(stub.requests) == 3 + 4
        assert aws.tally.calls == {"dynamodb.UpdateItem": 7}

    play_stub(scene)


@pytest.mark.parametrize(
    "answer", [Answer(cut="before"), Answer(body=b"{}", cut="body"), refusal("InternalServerError", 500), Answer(503)]
)
def test_a_conditional_write_of_unknown_outcome_is_said_and_not_repeated(answer: Answer) -> None:
    async def scene(stub: Stub, aws: Aws, clock: Clock) -> None:
        stub.default = answer
        with pytest.raises(CutOffError, match="unknown"):
            await aws.dynamodb("UpdateItem", CONDITIONAL)
        with pytest.raises(CutOffError, match="unknown"):
            await aws.dynamodb("PutItem", CONDITIONAL)
        with pytest.raises(CutOffError, match="unknown"):
            await aws.s3_put("b", "k", b"x", if_absent=True)
        assert len(stub.requests) == 3
        assert clock.slept == []

    play_stub(scene)


def test_a_write_without_an_answer_is_timed_out_and_not_repeated() -> None:
    async def scene(stub: Stub, aws: Aws, _: Clock) -> None:
        stub.default = Answer(hold=asyncio.Event())
        with pytest.raises(TimedOutError):
            await aws.dynamodb("UpdateItem", CONDITIONAL)
        assert len(stub.requests) == 1

    play_stub(scene, timeout_seconds=0.2)


@pytest.mark.parametrize("first", [Answer(cut="before"), refusal("InternalServerError", 500), Answer(503)])
def test_what_may_be_carried_out_twice_is_tried_again(first: Answer) -> None:
    async def scene(stub: Stub, aws: Aws, _: Clock) -> None:
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: aws.dynamodb("GetItem", {"TableName": "t"}),
            lambda: aws.dynamodb("PutItem", {"TableName": "t", "Item": {}}),
            lambda: aws.sqs("SendMessageBatch", {"QueueUrl": "q"}),
            lambda: aws.s3_put("b", "k", b"x"),
            lambda: aws.s3_get("b", "k"),
        ]
        for call in calls:
            stub.requests.clear()
            stub.answer("/", first, Answer.of_json({}))
            stub.answer("/b/k", first, Answer())
            await call()
            assert len(stub.requests) == 2

    play_stub(scene)


def test_nobody_listening_is_tried_again_and_then_said_to_be_unwritten() -> None:
    async def scene(stub: Stub, aws: Aws, clock: Clock) -> None:
        await stub.__aexit__()
        try:
            with pytest.raises(StoreError, match="Nothing was sent"):
                await aws.dynamodb("UpdateItem", CONDITIONAL)
            assert len(clock.slept) == 3
        finally:
            await stub.__aenter__()

    play_stub(scene)


def test_a_collision_of_two_writers_in_s3_is_tried_again() -> None:
    async def scene(stub: Stub, aws: Aws, _: Clock) -> None:
        conflict = Answer(409, (), b"<Error><Code>ConditionalRequestConflict</Code><Message>m</Message></Error>")
        slow = Answer(503, (), b"<Error><Code>SlowDown</Code></Error>")
        stub.answer("/b/k", conflict, slow, Answer(412, (), b"<Error><Code>PreconditionFailed</Code></Error>"))
        with pytest.raises(ConditionRefusedError):
            await aws.s3_put("b", "k", b"x", if_absent=True)
        assert len(stub.requests) == 3

    play_stub(scene)


def test_every_try_is_signed_and_no_error_repeats_what_was_signed() -> None:
    async def scene(stub: Stub, aws: Aws, _: Clock) -> None:
        stub.answer(
            "/",
            lambda seen: Answer.of_json({"__type": "SignatureDoesNotMatch", "message": f"signed {seen.headers}"}, 403),
        )
        with pytest.raises(StoreError, match="keys or the clock") as caught:
            await aws.dynamodb("UpdateItem", CONDITIONAL)
        seen: Seen = stub.requests[0]
        assert seen.header(
            "authorization",
        ).startswith("AWS4-HMAC-SHA256 Credential=testing/")
        assert f"/{REGION}/dynamodb/aws4_request" in seen.header("authorization")
        assert (seen.header("x-amz-security-token"), seen.header("x-amz-target")) == (
            "token",
            "DynamoDB_20120810.UpdateItem",
        )
        assert seen.json() == {"ReturnConsumedCapacity": "INDEXES", **CONDITIONAL}
        assert "token" not in caught.value.detail
        assert json.dumps(seen.headers) not in caught.value.detail

    play_stub(scene)


def test_real_addresses_are_those_of_the_region() -> None:
    sent: list[str] = []

    class Spy:
        async def send(self, request: Any) -> Any:
            sent.append(request.url)
            raise StoreError("enough")

    async def scene() -> None:
        for region in ("eu-central-1", "cn-north-1"):
            aws = Aws(Spy(), KEYS, region, Endpoints(dynamodb="http://localhost:8000/"), Clock(), jitter=lambda: 0.0)
            for call in (
                aws.dynamodb("GetItem", {}),
                aws.sqs("SendMessage", {}),
                aws.s3_get("bucket", "a/b c"),
                aws.s3_get("dotted.bucket", "k"),
            ):
                with pytest.raises(StoreError):
                    await call

    asyncio.run(scene())
    assert sent[:4] == [
        "http://localhost:8000/",
        "https://sqs.eu-central-1.amazonaws.com/",
        "https://bucket.s3.eu-central-1.amazonaws.com/a/b%20c",
        "https://s3.eu-central-1.amazonaws.com/dotted.bucket/k",
    ]
    assert sent[5] == "https://sqs.cn-north-1.amazonaws.com.cn/"


# --- keys


def test_keys_come_from_the_environment_then_from_the_profile(tmp_path: Path) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    assert keys_from_environment(environment, tmp_path) == AwsKeys("A", "s", "t")
    with pytest.raises(SettingError, match="AWS_ACCESS_KEY_ID"):
        keys_from_environment({}, tmp_path)
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id = B\naws_secret_access_key = p%q\n[work]\naws_access_key_id=C\naws_secret_access_key=r\naws_session_token=u\n"
    )
    (folder / "config").write_text("[default]\nregion = eu-west-1\n[profile work]\nregion = us-east-1\n")
    assert keys_from_environment({}, tmp_path) == AwsKeys("B", "p%q")
    assert keys_from_environment({"AWS_PROFILE": "work"}, tmp_path) == AwsKeys("C", "r", "u")
    assert region_from_environment({}, tmp_path) == "eu-west-1"
    assert region_from_environment({"AWS_PROFILE": "work"}, tmp_path) == "us-east-1"
    assert region_from_environment({"AWS_REGION": "x", "AWS_DEFAULT_REGION": "y"}, tmp_path) == "x"
    with pytest.raises(SettingError, match="gone"):
        keys_from_environment({"AWS_PROFILE": "gone"}, tmp_path)


def test_a_broken_profile_file_is_named_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("my-secret-line\n")
    with pytest.raises(SettingError, match="credentials") as caught:
        keys_from_environment({"AWS_SHARED_CREDENTIALS_FILE": str(path)}, tmp_path)
    assert "my-secret" not in caught.value.detail
