"""The CloudFormation template: what moto does not carry out is held here, as text that was read."""

import json
import re
from pathlib import Path

import pytest

from chalicelib.adapters.aws.addresses import DUE_INDEX, LIST_INDEX
from chalicelib.adapters.aws.names import Names
from chalicelib.adapters.aws.records import LISTED
from tests.infra import template

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def resources():
    return template.resources()


def properties(resources, kind, nth=0):
    return [each["Properties"] for each in resources.values() if each["Type"] == kind][nth]


def named(value):
    """A name in the template, for stage dev in one account and region."""
    text = value["Sub"]
    for name, given in {"Stage": "dev", "AWS::AccountId": "123456789012", "AWS::Region": "eu-central-1"}.items():
        text = text.replace("${" + name + "}", given)
    return text.replace("${AWS::Partition}", "aws")


NAMES = Names.of("dev", "123456789012", "eu-central-1")


def test_everything_is_called_as_the_code_expects(resources):
    by_id = {name: each["Properties"] for name, each in resources.items()}
    assert named(by_id["State"]["TableName"]) == NAMES.table
    assert named(by_id["Jobs"]["QueueName"]) == NAMES.queue
    assert named(by_id["DeadJobs"]["QueueName"]) == NAMES.dead_letters
    assert named(by_id["UnreadableJobs"]["QueueName"]) == NAMES.unreadable
    assert named(by_id["Blobs"]["BucketName"]) == NAMES.bucket
    assert named(by_id["KeyAlias"]["AliasName"]) == NAMES.key_alias
    assert NAMES.schedule_role.endswith(f":role/{named(by_id['Schedules']['RoleName'])}")


def test_the_table_has_the_keys_and_indexes_that_the_adapter_uses(resources):
    table = properties(resources, "AWS::DynamoDB::Table")
    assert [(each["AttributeName"], each["KeyType"]) for each in table["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]
    kinds = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    assert kinds == {"pk": "S", "sk": "S", "gp": "S", "gs": "N", "lp": "S", "ls": "S"}
    indexes = {each["IndexName"]: each for each in table["GlobalSecondaryIndexes"]}
    assert [each["AttributeName"] for each in indexes[DUE_INDEX]["KeySchema"]] == ["gp", "gs"]
    assert indexes[DUE_INDEX]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert [each["AttributeName"] for each in indexes[LIST_INDEX]["KeySchema"]] == ["lp", "ls"]
    assert indexes[LIST_INDEX]["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)}


def test_the_table_forgets_is_encrypted_and_can_be_restored_in_production(resources):
    table = properties(resources, "AWS::DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["SSESpecification"]["KMSMasterKeyId"] == {"GetAtt": "Key.Arn"}
    restoring = table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert restoring == {"If": ["IsProduction", True, False]}
    assert table["DeletionProtectionEnabled"] == {"If": ["IsProduction", True, False]}


def test_nothing_in_the_bucket_is_public_or_unencrypted(resources):
    bucket = properties(resources, "AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"GetAtt": "Key.Arn"}}
    (statement,) = properties(resources, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_breaks_off_in_the_bucket_is_tidied_up_and_blobs_are_kept(resources):
    (rule,) = properties(resources, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert "ExpirationInDays" not in rule, "a blob may be named again on its last day"


def test_a_dead_letter_is_hidden_for_longer_than_its_burial_may_take(resources):
    """Lambda refuses a mapping where it is not."""
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    timeout = config["stages"]["dev"]["lambda_functions"]["dead"]["lambda_timeout"]
    assert resources["DeadJobs"]["Properties"]["VisibilityTimeout"] >= timeout + 60
    kept = {resources[name]["Properties"]["MessageRetentionPeriod"] for name in ("Jobs", "DeadJobs", "UnreadableJobs")}
    assert kept == {1_209_600}, "fourteen days, the longest there is"
    assert "RedrivePolicy" not in resources["DeadJobs"]["Properties"]


def test_a_message_is_hidden_for_longer_than_the_worker_may_take(resources):

    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    timeout = config["stages"]["dev"]["lambda_functions"]["worker"]["lambda_timeout"]
    queue = resources["Jobs"]["Properties"]
    assert queue["VisibilityTimeout"] >= timeout + 60
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"GetAtt": "DeadJobs.Arn"}
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5, "less, and throttling alone makes dead letters"
    assert queue["SqsManagedSseEnabled"] is True
    assert resources["DeadJobs"]["Properties"]["SqsManagedSseEnabled"] is True


def test_the_key_rotates(resources):
    assert properties(resources, "AWS::KMS::Key")["EnableKeyRotation"] is True


GUARDED = {
    "AWS::DynamoDB::Table": ["State"],
    "AWS::SQS::Queue": ["Jobs", "DeadJobs", "UnreadableJobs"],
    "AWS::SQS::QueuePolicy": ["JobsPolicy", "DeadJobsPolicy", "UnreadableJobsPolicy"],
    "AWS::S3::Bucket": ["Blobs"],
    "AWS::S3::BucketPolicy": ["BlobsPolicy"],
    "AWS::KMS::Key": ["Key"],
    "AWS::KMS::Alias": ["KeyAlias"],
    "AWS::IAM::Role": ["Schedules"],
}
"""Everything in the stack: what is new in it must be looked at here."""


def test_nothing_is_in_the_stack_that_no_test_looks_at(resources):
    found = {}
    for name, each in resources.items():
        found.setdefault(each["Type"], []).append(name)
    assert {kind: sorted(names) for kind, names in found.items()} == {
        kind: sorted(names) for kind, names in GUARDED.items()
    }


@pytest.mark.parametrize("queue", GUARDED["AWS::SQS::Queue"])
def test_what_lies_in_a_queue_is_encrypted_and_so_is_the_way_there(resources, queue):
    assert resources[queue]["Properties"]["SqsManagedSseEnabled"] is True
    policy = resources[f"{queue}Policy"]["Properties"]
    assert policy["Queues"] == [{"Ref": queue}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert only_over_tls(statement)
    assert (statement["Action"], statement["Resource"]) == ("sqs:*", {"GetAtt": f"{queue}.Arn"})


def test_the_way_to_the_bucket_is_encrypted_for_the_bucket_and_all_in_it(resources):
    (statement,) = properties(resources, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert only_over_tls(statement)
    assert (statement["Action"], statement["Resource"]) == (
        "s3:*",
        [{"GetAtt": "Blobs.Arn"}, {"Sub": "${Blobs.Arn}/*"}],
    )


def only_over_tls(statement):
    said = {name: statement[name] for name in ("Effect", "Principal", "Condition")}
    return said == {"Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}


def test_access_lists_cannot_give_away_what_is_in_the_bucket(resources):
    bucket = properties(resources, "AWS::S3::Bucket")
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "AccessControl" not in bucket


def test_what_fails_too_often_is_kept_and_nothing_is_thrown_away(resources):
    redrives = {name: resources[name]["Properties"].get("RedrivePolicy") for name in GUARDED["AWS::SQS::Queue"]}
    assert redrives == {
        "Jobs": {"deadLetterTargetArn": {"GetAtt": "DeadJobs.Arn"}, "maxReceiveCount": 10},
        "DeadJobs": None,
        "UnreadableJobs": None,
    }


def test_the_key_lets_nobody_in_but_the_account(resources):
    (statement,) = properties(resources, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    assert properties(resources, "AWS::KMS::Alias")["TargetKeyId"] == {"Ref": "Key"}


def test_the_schedulers_role_can_invoke_tick_and_nothing_else(resources):
    role = properties(resources, "AWS::IAM::Role")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert named(statement["Resource"]) == NAMES.function_arn("tick")


def test_a_stage_that_no_name_can_carry_is_refused_by_the_stack_too():
    pattern = re.compile(template.template()["Parameters"]["Stage"]["AllowedPattern"])
    assert pattern.fullmatch("dev")
    assert not pattern.fullmatch("Dev")
    assert not pattern.fullmatch("my-stage")
