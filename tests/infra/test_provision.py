"""The stack's provisioning, against a local AWS: planned first, repeated without effect, taken away whole."""

import shutil

import pytest

from infra.provision import (
    CreateScheduleGroup,
    CreateStack,
    DeleteScheduleGroup,
    DeleteStack,
    EmptyBucket,
    Provisioner,
    ProvisionError,
    RemoveFailedStack,
    UpdateStack,
)
from tests.infra.here import ROOT, fresh_names, on, provision, session


@pytest.fixture
def aws(aws_url):
    with on(aws_url):
        yield aws_url


def kinds(instructions):
    return [type(each) for each in instructions]


def test_a_plan_on_an_empty_account_makes_everything_and_does_nothing(aws):
    names = fresh_names()
    provisioner = Provisioner(session(), names, ROOT)
    assert kinds(provisioner.plan()) == [CreateStack, CreateScheduleGroup]
    assert kinds(provisioner.plan()) == [CreateStack, CreateScheduleGroup]


def test_what_is_made_is_named_by_convention(aws):
    names = fresh_names()
    provision(names)
    here = session()
    assert here.client("dynamodb").describe_table(TableName=names.table)["Table"]["TableStatus"] == "ACTIVE"
    assert here.client("sqs").get_queue_url(QueueName=names.queue)["QueueUrl"]
    here.client("s3").head_bucket(Bucket=names.bucket)
    aliases = [each["AliasName"] for each in here.client("kms").list_aliases()["Aliases"]]
    assert names.key_alias in aliases
    assert here.client("scheduler").get_schedule_group(Name=names.schedule_group)["State"] == "ACTIVE"
    role = here.client("iam").get_role(RoleName=names.schedule_role.rpartition("/")[2])
    assert role["Role"]["Arn"] == names.schedule_role


def test_a_second_time_there_is_nothing_to_do(aws):
    assert provision(fresh_names()).plan() == []


def test_a_changed_template_is_an_update_in_place(aws, tmp_path):
    names = fresh_names()
    provision(names)
    (tmp_path / "infra").mkdir()
    template = (ROOT / "infra" / "stack.yaml").read_text()
    (tmp_path / "infra" / "stack.yaml").write_text(template.replace("VisibilityTimeout: 360", "VisibilityTimeout: 420"))
    changed = Provisioner(session(), names, tmp_path)
    (instruction,) = changed.plan()
    assert isinstance(instruction, UpdateStack)
    changed.execute(instruction)
    queues = session().client("sqs")
    url = queues.get_queue_url(QueueName=names.queue)["QueueUrl"]
    found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"]["VisibilityTimeout"] == "420"
    assert changed.plan() == []


def test_taking_it_away_empties_the_bucket_first_and_leaves_nothing(aws):
    names = fresh_names()
    provisioner = provision(names)
    here = session()
    for number in range(3):
        here.client("s3").put_object(Bucket=names.bucket, Key=f"blobs/{number}", Body=b"x")
    planned = provisioner.plan_removal()
    assert kinds(planned) == [DeleteScheduleGroup, EmptyBucket, DeleteStack]
    for instruction in planned:
        provisioner.execute(instruction)
    assert provisioner.plan_removal() == []
    assert names.table not in here.client("dynamodb").list_tables()["TableNames"]
    assert names.bucket not in [each["Name"] for each in here.client("s3").list_buckets()["Buckets"]]


def test_every_instruction_is_a_sentence_that_names_what_it_touches(aws):
    names = fresh_names()
    for instruction in [*Provisioner(session(), names, ROOT).plan(), *provision(names).plan_removal()]:
        assert names.prefix in str(instruction)
        assert "template=" not in str(instruction)


class Stacks:
    """CloudFormation after a first creation that failed."""

    def __init__(self):
        self.deleted = []

    def describe_stacks(self, **_):
        return {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}

    def describe_stack_events(self, **_):
        return {
            "StackEvents": [
                {"ResourceStatus": "ROLLBACK_COMPLETE", "LogicalResourceId": "penstock-dev"},
                {"ResourceStatus": "CREATE_FAILED", "LogicalResourceId": "Jobs", "ResourceStatusReason": "cancelled"},
                {"ResourceStatus": "CREATE_FAILED", "LogicalResourceId": "Blobs", "ResourceStatusReason": "it exists"},
            ]
        }

    def create_stack(self, **_):
        return {}

    def get_waiter(self, name):
        return Waiter()


class Waiter:
    """Waits in vain."""

    def wait(self, **_):
        from botocore.exceptions import WaiterError

        raise WaiterError(name="stack_create_complete", reason="ROLLBACK_COMPLETE", last_response={})


class Groups:
    """A scheduler that has the group."""

    def get_schedule_group(self, **_):
        return {}


class FakeSession:
    """Hands out the fakes."""

    def client(self, service):
        return {"cloudformation": Stacks(), "scheduler": Groups()}.get(service)


def test_what_a_failed_creation_left_is_removed_before_the_next_one():
    provisioner = Provisioner(FakeSession(), fresh_names(), ROOT)
    assert kinds(provisioner.plan()) == [RemoveFailedStack, CreateStack]


def test_a_failure_names_the_resource_that_failed_first_and_why():
    names = fresh_names()
    provisioner = Provisioner(FakeSession(), names, ROOT)
    with pytest.raises(ProvisionError, match=r"ROLLBACK_COMPLETE\. Blobs: it exists"):
        provisioner.execute(CreateStack(names.prefix, "", names.stage))


def test_the_plan_of_the_deployment_says_everything_in_order_and_does_nothing(aws, tmp_path):
    from infra.deploy import deploy
    from tools.aws_local_world import copy_project

    names = fresh_names()
    project = copy_project(ROOT, tmp_path / "project")
    (project / "vendor").unlink()
    before = sorted(path for path in project.rglob("*"))
    said = []
    done = deploy(names.stage, project=project, plan_only=True, say=said.append)
    assert tuple(said) == done.steps
    assert done.url == ""
    order = [
        f"write .chalice/policy-api-{names.stage}.json",
        "write .chalice/config.json",
        f"create the stack {names.prefix}",
        f"create the schedule group {names.prefix}",
        "build vendor/",
        "logs for 30 days",
        "chalice deploy: create penstock-",
        "call each other",
        "where the deployment is reached, and a key",
    ]
    places = [next(n for n, sentence in enumerate(said) if part in sentence) for part in order]
    assert places == sorted(places)
    assert sorted(path for path in project.rglob("*")) == before
    assert Provisioner(session(), names, ROOT).plan() != []
    shutil.rmtree(project)


def test_the_functions_logs_are_kept_for_a_month_and_are_there_before_the_functions(aws):
    """The functions may make no log group; the stack has none either, for a stage of before has them already."""
    from chalicelib.adapters.aws.names import FUNCTIONS
    from infra.deploy import Deployment

    names = fresh_names()
    deployment = Deployment(names.stage, ROOT, {}, lambda _: None)
    (step,) = [each for each in deployment.plan() if "logs for 30 days" in each.sentence]
    step.do()
    step.do()
    found = session().client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{names.prefix}")["logGroups"]
    assert {each["logGroupName"]: each["retentionInDays"] for each in found} == {
        f"/aws/lambda/{names.function(name)}": 30 for name in FUNCTIONS
    }


def test_without_a_region_it_says_what_to_set(aws_url):
    from infra.deploy import deploy
    from infra.deploy_hooks import DeployError
    from tests.infra.here import environment

    without = environment(AWS_ENDPOINT_URL=aws_url, AWS_CONFIG_FILE="/nonexistent")
    with without, pytest.raises(DeployError, match="AWS_DEFAULT_REGION"):
        deploy("dev", project=ROOT, plan_only=True)
