"""The stack of a stage: what it would take, and the doing of it.

`plan` only asks and returns instructions, frozen and in order, so that a dry run is free and a test compares values;
`execute` carries one out. Both may be repeated: what is as it should be makes no instruction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from botocore.exceptions import ClientError

from chalicelib.adapters.aws.names import Names
from chalicelib.errors import PenstockError

TEMPLATE = "infra/stack.yaml"
_WAIT_SECONDS, _MOST_WAITS = 5, 240


class ProvisionError(PenstockError):
    """AWS did not do what was asked; the message names the first resource that failed, and why."""

    code = "provision_failed"


@dataclass(frozen=True, slots=True)
class RemoveFailedStack:
    """A first creation that failed left a stack that can only be deleted."""

    name: str

    def __str__(self) -> str:
        return f"remove the stack {self.name}, whose creation failed"


@dataclass(frozen=True, slots=True)
class CreateStack:
    """Make the table, the queues, the bucket, the key and the scheduler's role."""

    name: str
    template: str
    stage: str

    def __str__(self) -> str:
        return f"create the stack {self.name}: table, queues, bucket, key, the schedules' role"


@dataclass(frozen=True, slots=True)
class UpdateStack:
    """The template has changed."""

    name: str
    template: str
    stage: str

    def __str__(self) -> str:
        return f"update the stack {self.name}: its template has changed"


@dataclass(frozen=True, slots=True)
class CreateScheduleGroup:
    """Where the schedules of flows will be."""

    name: str

    def __str__(self) -> str:
        return f"create the schedule group {self.name}"


@dataclass(frozen=True, slots=True)
class DeleteScheduleGroup:
    """With every schedule in it."""

    name: str

    def __str__(self) -> str:
        return f"delete the schedule group {self.name}, with every schedule in it"


@dataclass(frozen=True, slots=True)
class EmptyBucket:
    """CloudFormation deletes no bucket with something in it."""

    name: str

    def __str__(self) -> str:
        return f"delete everything in the bucket {self.name}"


@dataclass(frozen=True, slots=True)
class UnprotectTable:
    """A production table refuses to be deleted until it is told to."""

    name: str

    def __str__(self) -> str:
        return f"lift the deletion protection of the table {self.name}"


@dataclass(frozen=True, slots=True)
class DeleteStack:
    """With everything in it; the key waits for seven days."""

    name: str

    def __str__(self) -> str:
        return f"delete the stack {self.name}, with every execution and every flow in it"


Instruction = (
    RemoveFailedStack
    | CreateStack
    | UpdateStack
    | CreateScheduleGroup
    | DeleteScheduleGroup
    | EmptyBucket
    | UnprotectTable
    | DeleteStack
)


class Provisioner:
    """Asks and changes one account in one region."""

    def __init__(self, session: Any, names: Names, project: Path) -> None:
        """Take a boto3 session, the stage's names and the project's folder, where the template lies."""
        self._names = names
        self._template = (project / TEMPLATE).read_text()
        self._stacks: Any = session.client("cloudformation")
        self._schedules: Any = session.client("scheduler")
        self._tables: Any = session.client("dynamodb")
        self._buckets: Any = session.client("s3")

    def plan(self) -> list[Instruction]:
        """What stands between the account and the stage's stack."""
        names, found = self._names, list[Instruction]()
        status = self._status()
        if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}:
            found.append(RemoveFailedStack(names.prefix))
            status = None
        if status is None:
            found.append(CreateStack(names.prefix, self._template, names.stage))
        elif self._deployed_template() != self._template:
            found.append(UpdateStack(names.prefix, self._template, names.stage))
        if not self._has_group():
            found.append(CreateScheduleGroup(names.schedule_group))
        return found

    def plan_removal(self) -> list[Instruction]:
        """What stands between the account and nothing left of the stage's stack."""
        names, found = self._names, list[Instruction]()
        if self._has_group():
            found.append(DeleteScheduleGroup(names.schedule_group))
        if self._status() is not None:
            if self._has_bucket():
                found.append(EmptyBucket(names.bucket))
            if self._is_protected():
                found.append(UnprotectTable(names.table))
            found.append(DeleteStack(names.prefix))
        return found

    def execute(self, instruction: Instruction) -> None:
        """Carry one instruction out, and return when it is done; raises ProvisionError."""
        match instruction:
            case CreateStack(name, template, stage):
                self._change("create", name, template, stage)
            case UpdateStack(name, template, stage):
                self._change("update", name, template, stage)
            case RemoveFailedStack(name) | DeleteStack(name):
                self._stacks.delete_stack(StackName=name)
                self._wait("stack_delete_complete", name)
            case CreateScheduleGroup(name):
                self._schedules.create_schedule_group(Name=name)
            case DeleteScheduleGroup(name):
                self._schedules.delete_schedule_group(Name=name)
            case EmptyBucket(name):
                for page in self._objects(name):
                    self._buckets.delete_objects(Bucket=name, Delete={"Objects": page, "Quiet": True})
            case UnprotectTable(name):
                self._tables.update_table(TableName=name, DeletionProtectionEnabled=False)
            case _:
                assert_never(instruction)

    def _change(self, verb: str, name: str, template: str, stage: str) -> None:
        change = self._stacks.create_stack if verb == "create" else self._stacks.update_stack
        try:
            change(
                StackName=name,
                TemplateBody=template,
                Parameters=[{"ParameterKey": "Stage", "ParameterValue": stage}],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return  # only comments have changed
            raise ProvisionError(f"CloudFormation refuses to {verb} {name}: {error}") from error
        self._wait(f"stack_{verb}_complete", name)

    def _wait(self, waiter: str, name: str) -> None:
        from botocore.exceptions import WaiterError

        try:
            self._stacks.get_waiter(waiter).wait(
                StackName=name, WaiterConfig={"Delay": _WAIT_SECONDS, "MaxAttempts": _MOST_WAITS}
            )
        except WaiterError as error:
            raise ProvisionError(f"The stack {name} is {self._status()}. {self._first_failure(name)}") from error

    def _first_failure(self, name: str) -> str:
        events: list[dict[str, Any]] = self._stacks.describe_stack_events(StackName=name)["StackEvents"]
        failed = [each for each in events if str(each["ResourceStatus"]).endswith("_FAILED")]
        if not failed:
            return "Look at its events in the CloudFormation console."
        first = failed[-1]  # events come newest first
        return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', 'no reason given')}"

    def _status(self) -> str | None:
        """The stack's status; None where there is none."""
        try:
            status: str = self._stacks.describe_stacks(StackName=self._names.prefix)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if status == "DELETE_COMPLETE" else status

    def _deployed_template(self) -> str:
        return str(self._stacks.get_template(StackName=self._names.prefix)["TemplateBody"])

    def _has_group(self) -> bool:
        try:
            self._schedules.get_schedule_group(Name=self._names.schedule_group)
        except self._schedules.exceptions.ResourceNotFoundException:
            return False
        return True

    def _has_bucket(self) -> bool:
        try:
            self._buckets.head_bucket(Bucket=self._names.bucket)
        except ClientError:
            return False
        return True

    def _is_protected(self) -> bool:
        try:
            table = self._tables.describe_table(TableName=self._names.table)["Table"]
        except self._tables.exceptions.ResourceNotFoundException:
            return False
        return bool(table.get("DeletionProtectionEnabled"))

    def _objects(self, bucket: str) -> Iterator[list[dict[str, str]]]:
        for page in self._buckets.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if page.get("Contents"):
                yield [{"Key": each["Key"]} for each in page["Contents"]]
