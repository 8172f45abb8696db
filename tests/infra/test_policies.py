"""Every policy that a deployment makes, read: as narrow as AWS allows, with the reason beside each exception."""

import json
import re
from pathlib import Path

import pytest

from chalicelib.adapters.aws.names import FUNCTIONS, Names
from chalicelib.vault.sealing import Context
from infra import policies
from infra.policies import PolicyError
from infra.stages import for_stage, policy_path
from tests.infra.permissions import CALLED, FOR_US, actions_in, as_list, committed, deployed
from tests.infra.template import documents, resources

ROOT = Path(__file__).parent.parent.parent
NAMES = Names.of("dev", "123456789012", "eu-central-1")

LOGS = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/penstock-dev"
BLOBS = "arn:aws:s3:::penstock-dev-blobs-123456789012-eu-central-1/blobs/*"
WIDE = {
    "*": "scheduler:ListSchedules knows no resource (Service Authorization Reference, EventBridge Scheduler)",
    BLOBS: "the objects of one folder of one bucket: their names are the hashes of what they hold",
    "arn:aws:scheduler:eu-central-1:123456789012:schedule/penstock-dev/*": "the schedules of one group: flows make them",
    "arn:aws:kms:eu-central-1:123456789012:key/*": (
        "an alias as a resource is the alias, not its key; the condition says which key (KMS guide, `Use aliases to "
        "control access to KMS keys`)"
    ),
    **{
        f"{LOGS}{name}:*": "the streams of one log group, which Lambda names (Service Authorization Reference, Logs)"
        for name in ("", "-worker", "-tick", "-dead", "-sweep")
    },
}
"""Every resource with a `*` in it, and why it can be no narrower."""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_it_needs_and_no_more(function):
    assert actions_in(committed(function)) == set(CALLED[function]) | set(FOR_US[function])


SPELT = {
    "dynamodb:Query": r"table\.query\(",
    "dynamodb:BatchGetItem": r"\.get_many\(",
    "s3:GetObject": r"\.s3_get\(|blobs\.get\(",
    "s3:PutObject": r"\.s3_put\(",
    "iam:PassRole": r'"RoleArn": names\.schedule_role',
    "kms:ReEncryptFrom": '"ReEncrypt"',
    "kms:ReEncryptTo": '"ReEncrypt"',
}
"""How our code says what it does not call by AWS's name."""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_said_to_call_an_action_does(function):
    for action, reason in CALLED[function].items():
        why, _, file = reason.rpartition(": ")
        text = (ROOT / "chalicelib" / file).read_text("utf-8")
        assert why
        assert re.search(SPELT.get(action, f'"{action.partition(":")[2]}"'), text), f"{file} does not say {action}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_reason_is_one(function):
    assert all(len(reason) > 5 for reason in {**CALLED[function], **FOR_US[function]}.values())
    assert not CALLED[function].keys() & FOR_US[function].keys()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_action_is_a_pattern_and_nothing_is_said_by_exclusion(function):
    for each in committed(function):
        assert each["Effect"] == "Allow"
        assert not each.keys() & {"NotAction", "NotResource", "Principal"}
        assert not any(re.search(r"[*?]", action) for action in as_list(each["Action"])), each


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_resource_with_a_star_is_one_of_those_that_can_be_no_narrower(function):
    for each in deployed(function, NAMES):
        for resource in as_list(each["Resource"]):
            assert "?" not in resource
            assert "*" not in resource or resource in WIDE, resource


def test_every_exception_is_needed():
    used = {resource for name in FUNCTIONS for each in deployed(name, NAMES) for resource in as_list(each["Resource"])}
    assert WIDE.keys() <= used


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_resource_is_of_this_stage_in_this_account_and_region(function):
    for each in deployed(function, NAMES):
        actions = set(as_list(each["Action"]))
        for resource in as_list(each["Resource"]):
            if resource == "*":
                assert actions == {"scheduler:ListSchedules"}
            elif ":kms:" in resource:
                # A key's ARN has no name in it; its alias has.
                alias = {"kms:ResourceAliases": "alias/penstock-dev"}
                assert each["Condition"]["ForAnyValue:StringEquals"] == alias
            else:
                assert "penstock-dev" in resource, each
                assert "123456789012" in resource
                assert "eu-central-1" in resource


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_account_region_or_partition_stands_in_the_committed_files(function):
    text = (ROOT / policy_path(function, "dev")).read_text("utf-8")
    assert re.findall(r"arn:(?!\$\{AWS::Partition\})", text) == []
    assert set(re.findall(r"\$\{[^}]*\}", text)) == {"${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_another_stage_gets_the_same_with_its_own_name(function):
    names = Names.of("prod", "210987654321", "cn-north-1")
    text = json.dumps(deployed(function, names))
    assert "penstock-dev" not in text
    assert "123456789012" not in text
    assert "arn:aws:" not in text, "China is a partition of its own"
    assert "arn:aws-cn:dynamodb:cn-north-1:210987654321:table/penstock-prod-state" in text


def test_a_place_that_is_not_known_ends_the_deployment():
    with pytest.raises(PolicyError, match=r"A policy says \$\{AWS::StackName\}\. Write \$\{AWS::Partition\},"):
        policies.exact({"Statement": [{"Resource": "arn:x:${AWS::StackName}"}]}, NAMES)


def test_cloudformation_is_left_to_fill_in_what_it_knows():
    document = json.loads(for_stage((ROOT / policy_path("api", "dev")).read_text("utf-8"), "dev"))
    wrapped = policies.for_cloudformation(document)
    assert wrapped["Statement"][1]["Resource"] == {"Fn::Sub": document["Statement"][1]["Resource"]}
    assert wrapped["Statement"][1]["Action"] == document["Statement"][1]["Action"]
    said = json.dumps(wrapped)
    assert said.count('"Fn::Sub"') == len(re.findall(r'"[^"]*\$\{AWS::[^"]*"', said))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_its_own_logs_alone_and_makes_no_log_group(function):
    (logs,) = [each for each in deployed(function, NAMES) if each["Sid"] == "Logs"]
    group = f"arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/{NAMES.function(function)}"
    assert as_list(logs["Resource"]) == [group, f"{group}:*"]
    assert set(logs["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_the_schedules_role_can_be_passed_to_the_scheduler_alone():
    (passing,) = [each for each in deployed("api", NAMES) if "iam:PassRole" in as_list(each["Action"])]
    assert passing["Resource"] == NAMES.schedule_role
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_the_sweeper_asks_the_index_of_what_is_due_and_no_other():
    found = [each["Resource"] for each in deployed("sweep", NAMES) if "dynamodb:Query" in as_list(each["Action"])]
    assert found == ["arn:aws:dynamodb:eu-central-1:123456789012:table/penstock-dev-state/index/due"]


def test_only_those_who_deal_with_a_queue_may_take_messages_from_it():
    takers = {
        (function, resource)
        for function in FUNCTIONS
        for each in deployed(function, NAMES)
        if "sqs:ReceiveMessage" in as_list(each["Action"])
        for resource in as_list(each["Resource"])
    }
    queue = "arn:aws:sqs:eu-central-1:123456789012:penstock-dev-jobs"
    assert takers == {("worker", queue), ("dead", f"{queue}-dead")}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nobody_may_read_the_whole_table_or_delete_anything_but_schedules_and_messages(function):
    allowed = actions_in(committed(function))
    assert not allowed & {"dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:DeleteItem"}
    deleting = {action for action in allowed if "Delete" in action or "Purge" in action}
    assert deleting <= {"scheduler:DeleteSchedule", "sqs:DeleteMessage"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nobody_may_change_rights_keys_or_code(function):
    allowed = actions_in(committed(function)) - {"iam:PassRole"}
    assert [each for each in allowed if re.match(r"(iam|sts|lambda|cloudformation|organizations|ssm):", each)] == []
    using = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
    assert {each for each in allowed if each.startswith("kms:")} <= using


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_key_is_used_through_the_table_and_the_bucket_or_for_a_credential_in_its_place(function):
    """Nobody opens a credential's data key but who opens credentials, and nobody as anything else than one."""
    statements = {each["Sid"]: each for each in deployed(function, NAMES) if ":kms:" in str(each["Resource"])}
    stage = statements.pop("TheStagesKey")
    assert set(stage["Condition"]) == {"ForAnyValue:StringEquals", "StringEquals"}
    (services,) = stage["Condition"]["StringEquals"].values()
    assert set(services) == {
        f"{service}.eu-central-1.{domain}"
        for service in ("dynamodb", "s3")
        for domain in ("amazonaws.com", "amazonaws.com.cn")
    }
    assert set(statements) == ({"Credentials"} if function in {"api", "worker", "dead"} else set())
    for each in statements.values():
        # Of no keys at all "for all values" is true as well; hence "Null" (IAM guide, "Multivalued context keys").
        assert each["Condition"]["Null"] == {"kms:EncryptionContextKeys": "false"}
        keys = each["Condition"]["ForAllValues:StringEquals"]["kms:EncryptionContextKeys"]
        assert set(keys) == set(Context("main", "crm", 1).to_mapping())


def test_only_the_api_brings_credentials_under_another_key():
    bringing = {name for name in FUNCTIONS if any("ReEncrypt" in action for action in actions_in(committed(name)))}
    assert bringing == {"api"}


BROAD_IN_STACK = {
    (
        "Key",
        "account",
    ): "the default key policy: without it nobody could manage the key (KMS guide, `Default key policy`)",
    **{
        (name, "OnlyEncryptedConnections"): "it denies: the more it names, the less is allowed"
        for name in ("BlobsPolicy", "JobsPolicy", "DeadJobsPolicy", "UnreadableJobsPolicy")
    },
}
"""Statements of the stack with a `*` in them, and why."""


def test_a_policy_of_the_stack_with_a_star_is_one_of_those_that_say_why():
    broad = {
        (name, each.get("Sid", ""))
        for name, document in documents()
        for each in document["Statement"]
        if "*" in json.dumps([each.get("Action"), each.get("Resource")])
    }
    assert broad == set(BROAD_IN_STACK)


def test_nothing_in_the_stack_is_allowed_to_everybody_or_said_by_exclusion():
    for name, document in documents():
        for each in document["Statement"]:
            assert not each.keys() & {"NotAction", "NotResource", "NotPrincipal"}, name
            if each["Effect"] == "Allow":
                assert each.get("Principal") not in ("*", {"AWS": "*"}), name


def test_every_kind_of_policy_in_the_stack_is_looked_at():
    """A new kind of resource with a policy must not slip by."""
    found = {name for name, _ in documents()}
    carrying = {name for name, each in resources().items() if '"Statement"' in json.dumps(each)}
    assert found == carrying
