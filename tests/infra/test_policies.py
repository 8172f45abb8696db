"""The functions' policies: each says exactly what its function needs, and nothing of another stage or another's."""

import json
from pathlib import Path

import pytest

from chalicelib.adapters.aws.names import FUNCTIONS
from infra.stages import policy_path

ROOT = Path(__file__).parent.parent.parent

# Actions that know no resource, by AWS's service authorization reference: they can only be allowed for all of them.
WITHOUT_RESOURCE = {"scheduler:ListSchedules"}

WANTED = {
    "api": {
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("sqs:SendMessage", "s3:GetObject", "s3:PutObject", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"),
        *("scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:ListSchedules", "iam:PassRole"),
    },
    "worker": {
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
        *("sqs:GetQueueAttributes", "s3:GetObject", "s3:PutObject", "s3:ListBucket", "kms:Decrypt"),
        "kms:GenerateDataKey",
    },
    "tick": {
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("dynamodb:GetItem", "dynamodb:UpdateItem", "sqs:SendMessage"),
        *("s3:GetObject", "s3:PutObject", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"),
    },
    # As the worker: it runs the steps of an execution's `on_failure`.
    "dead": {
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *("s3:GetObject", "s3:PutObject", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"),
    },
    "sweep": {
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("dynamodb:Query", "dynamodb:GetItem", "dynamodb:UpdateItem", "sqs:SendMessage"),
        *("s3:GetObject", "s3:ListBucket", "kms:Decrypt"),
    },
}


def statements(function):
    return json.loads((ROOT / policy_path(function, "dev")).read_text())["Statement"]


def as_list(value):
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_it_needs_and_no_more(function):
    allowed = {action for each in statements(function) for action in as_list(each["Action"])}
    assert allowed == WANTED[function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_action_is_a_pattern_and_nothing_is_said_by_exclusion(function):
    for each in statements(function):
        assert each["Effect"] == "Allow"
        assert not each.keys() & {"NotAction", "NotResource", "Principal"}
        assert not any("*" in action for action in as_list(each["Action"])), each


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_resource_is_this_stages(function):
    for each in statements(function):
        actions = set(as_list(each["Action"]))
        for resource in as_list(each["Resource"]):
            if actions <= WITHOUT_RESOURCE:
                assert resource == "*"
            elif actions <= {"kms:Decrypt", "kms:GenerateDataKey"}:
                # A key's ARN has no name in it; its alias has.
                assert each["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/penstock-dev"}}
            else:
                assert "penstock-dev" in resource, each


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_its_own_logs_alone(function):
    name = "penstock-dev" if function == "api" else f"penstock-dev-{function}"
    (logs,) = [each for each in statements(function) if each["Sid"] == "Logs"]
    group = f"arn:aws:logs:*:*:log-group:/aws/lambda/{name}"
    assert as_list(logs["Resource"]) == [group, f"{group}:*"]


def test_the_schedules_role_can_be_passed_to_the_scheduler_alone():
    (passing,) = [each for each in statements("api") if "iam:PassRole" in as_list(each["Action"])]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_the_sweeper_asks_the_index_of_what_is_due_and_no_other():
    resources = [each["Resource"] for each in statements("sweep") if "dynamodb:Query" in as_list(each["Action"])]
    assert resources == ["arn:aws:dynamodb:*:*:table/penstock-dev-state/index/due"]


def test_only_those_who_deal_with_a_queue_may_take_messages_from_it():
    takers = {
        (function, resource)
        for function in FUNCTIONS
        for each in statements(function)
        if "sqs:ReceiveMessage" in as_list(each["Action"])
        for resource in as_list(each["Resource"])
    }
    queue = "arn:aws:sqs:*:*:penstock-dev-jobs"
    assert takers == {("worker", queue), ("dead", f"{queue}-dead")}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nobody_may_read_the_whole_table(function):
    allowed = {action for each in statements(function) for action in as_list(each["Action"])}
    assert not allowed & {"dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:DeleteItem"}
