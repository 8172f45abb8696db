"""The local AWS behaves where ours depends on it."""

import io
import json
import threading
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws_server import boto, fresh_name
from tools.aws_local import esm, rules

COUNTING = """
import json, os, boot_probe
seen = []
def handle(event, context):
    seen.append(1)
    print("hello from the function")
    if event.get("fail"): raise ValueError("on purpose")
    if event.get("die"): os._exit(3)
    if event.get("sleep"):
        import time; time.sleep(event["sleep"])
    records = event.get("Records", [])
    failed = [{"itemIdentifier": r["messageId"]} for r in records if json.loads(r["body"]).get("fail")]
    if records: return {"batchItemFailures": failed}
    return {"calls": len(seen), "endpoint": os.environ["AWS_ENDPOINT_URL"], "own": os.environ.get("OWN"),
            "name": context.function_name, "left": context.get_remaining_time_in_millis() > 0}
"""


def make_function(url: str, *, timeout: int = 10) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", COUNTING)
        archive.writestr("boot_probe.py", "")
    role = boto(url, "iam").create_role(RoleName=fresh_name("role"), AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    name = fresh_name("function")
    boto(url, "lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=role,
        Handler="main.handle",
        Code={"ZipFile": packed.getvalue()},
        Timeout=timeout,
        Environment={"Variables": {"OWN": "value"}},
    )
    return name


def invoke(url: str, name: str, event: dict[str, Any]) -> tuple[Any, str | None]:
    answer = boto(url, "lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def in_threads(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def make_table(url: str) -> str:
    name = fresh_name("table")
    boto(url, "dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def test_of_many_conditional_writes_at_once_exactly_one_wins(aws_url: str) -> None:
    table = make_table(aws_url)
    clients = [boto(aws_url, "dynamodb") for _ in range(4)]
    won: list[int] = []
    refusals: set[str] = set()

    def race(number: int) -> None:
        for key in range(15):
            try:
                clients[number].put_item(
                    TableName=table, Item={"pk": {"S": str(key)}}, ConditionExpression="attribute_not_exists(pk)"
                )
                won.append(key)
            except ClientError as error:
                refusals.add(error.response["Error"]["Code"])

    in_threads(4, race)
    assert sorted(won) == list(range(15))
    assert refusals == {"ConditionalCheckFailedException"}


def test_no_increment_is_lost_between_threads(aws_url: str) -> None:
    table = make_table(aws_url)

    def count(_: int) -> None:
        client = boto(aws_url, "dynamodb")
        for _ in range(20):
            client.update_item(
                TableName=table,
                Key={"pk": {"S": "n"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    in_threads(4, count)
    assert boto(aws_url, "dynamodb").get_item(TableName=table, Key={"pk": {"S": "n"}})["Item"]["n"] == {"N": "80"}


def test_of_many_puts_that_want_an_object_absent_exactly_one_wins(aws_url: str) -> None:
    bucket = fresh_name("bucket")
    boto(aws_url, "s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    won: list[int] = []
    refusals: set[str] = set()

    def race(number: int) -> None:
        client = boto(aws_url, "s3")
        for key in range(10):
            try:
                client.put_object(Bucket=bucket, Key=str(key), Body=b"x", IfNoneMatch="*")
                won.append(key)
            except ClientError as error:
                refusals.add(error.response["Error"]["Code"])

    in_threads(4, race)
    assert sorted(won) == list(range(10))
    assert refusals == {"PreconditionFailed"}


def test_a_function_runs_from_its_zip_and_stays_warm(aws_url: str) -> None:
    name = make_function(aws_url)
    first, error = invoke(aws_url, name, {})
    assert error is None
    assert first == {"calls": 1, "endpoint": aws_url, "own": "value", "name": name, "left": True}
    assert invoke(aws_url, name, {})[0]["calls"] == 2


def test_invocations_at_once_share_no_process(aws_url: str) -> None:
    name = make_function(aws_url)
    calls: list[int] = []
    in_threads(3, lambda _: calls.append(invoke(aws_url, name, {"sleep": 0.5})[0]["calls"]))
    assert calls == [1, 1, 1]


def test_failures_of_a_function_are_reported_as_lambda_does(aws_url: str) -> None:
    name = make_function(aws_url, timeout=5)
    assert invoke(aws_url, name, {"fail": True}) == (
        {"errorMessage": "on purpose", "errorType": "ValueError"},
        "Handled",
    )
    assert invoke(aws_url, name, {"die": True})[0]["errorType"] == "Runtime.ExitError"
    assert invoke(aws_url, name, {"sleep": 30})[0]["errorType"] == "Sandbox.Timedout"
    assert invoke(aws_url, name, {})[0]["calls"] == 1


def test_a_send_invokes_nothing_and_a_delivery_keeps_what_failed(aws_url: str) -> None:
    sqs, functions = boto(aws_url, "sqs"), boto(aws_url, "lambda")
    name = make_function(aws_url)
    queue = sqs.create_queue(QueueName=fresh_name("queue"), Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = functions.create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    for number in range(5):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"n": number, "fail": number == 3}))

    def left() -> tuple[str, str]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return found[names[0]], found[names[1]]

    assert left() == ("5", "0")
    assert invoke(aws_url, name, {})[0]["calls"] == 1
    assert esm.deliver_all(sqs, functions) == 5
    assert left() == ("0", "1")
    functions.delete_event_source_mapping(UUID=mapping["UUID"])


def test_a_rule_invokes_its_function_when_it_is_fired_unless_it_is_disabled(aws_url: str) -> None:
    events, functions = boto(aws_url, "events"), boto(aws_url, "lambda")
    name, rule = make_function(aws_url), fresh_name("rule")
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    events.put_rule(Name=rule, ScheduleExpression="rate(1 minute)", State="ENABLED")
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}, {"Id": "2", "Arn": "arn:aws:sqs:x:1:queue"}])
    other = fresh_name("pattern")
    events.put_rule(Name=other, EventPattern='{"source": ["x"]}')
    events.put_targets(Rule=other, Targets=[{"Id": "1", "Arn": arn}])
    assert rules.fire(events, functions) == 1
    assert invoke(aws_url, name, {})[0]["calls"] == 2
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn, "Input": '{"fail": true}'}])
    with pytest.raises(rules.FunctionFailedError, match="on purpose"):
        rules.fire(events, functions)
    events.disable_rule(Name=rule)
    assert rules.fire(events, functions) == 0
    for each in (rule, other):
        events.remove_targets(Rule=each, Ids=["1", "2"])
        events.delete_rule(Name=each)


def test_the_recursion_setting_is_kept(aws_url: str) -> None:
    functions = boto(aws_url, "lambda")
    name = make_function(aws_url)
    assert functions.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    functions.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert functions.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    with pytest.raises(ClientError):
        functions.put_function_recursion_config(FunctionName="unknown", RecursiveLoop="Allow")


def test_what_chalice_deploys_is_taken(aws_url: str) -> None:
    swagger = {
        "swagger": "2.0",
        "info": {"version": "1.0", "title": "penstock"},
        "paths": {"/x": {"options": {"x-amazon-apigateway-integration": {"type": "mock"}, "responses": {}}}},
    }
    gateway = boto(aws_url, "apigateway")
    api = gateway.import_rest_api(body=json.dumps(swagger).encode())["id"]
    gateway.put_rest_api(restApiId=api, mode="overwrite", body=json.dumps(swagger).encode())
    sockets = boto(aws_url, "apigatewayv2")
    made = sockets.create_api(Name="live", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    assert sockets.create_deployment(ApiId=made["ApiId"])["DeploymentStatus"] == "DEPLOYED"


@pytest.mark.parametrize("service", ["cloudformation", "events", "logs", "kms", "scheduler", "iam", "s3", "ssm"])
def test_the_other_services_answer(aws_url: str, service: str) -> None:
    client = boto(aws_url, service)
    calls = {
        "cloudformation": "list_stacks",
        "events": "list_rules",
        "logs": "describe_log_groups",
        "kms": "list_keys",
        "scheduler": "list_schedules",
        "iam": "list_users",
        "s3": "list_buckets",
        "ssm": "describe_parameters",
    }
    answer = getattr(client, calls[service])()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
