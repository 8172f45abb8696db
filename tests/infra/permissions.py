"""What each function asks of AWS, and why: the table that the policies in `.chalice/` are held against.

`CALLED` is what our own code sends, with the file that sends it; a journey through every function shows each of them
(tests/infra/test_permissions.py). `FOR_US` is what AWS does in the function's role without our sending a request, with the document that says so.
"""

import fnmatch
import json
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws.names import FUNCTIONS, Names
from infra import policies
from infra.stages import for_stage, policy_path

ROOT = Path(__file__).parents[2]

_RECORDS = {
    "dynamodb:GetItem": "records, pointers, versions, packs: adapters/aws/table.py",
    "dynamodb:UpdateItem": "every write of a record: adapters/aws/writing.py",
}
_VALUES = {
    "s3:GetObject": "what was too large for a record or a message: adapters/aws/blobs.py",
    "s3:PutObject": "what is too large for a record or a message: adapters/aws/blobs.py",
}
_STEPS = {
    "dynamodb:PutItem": "a pack beside its record: adapters/aws/writing.py",
    "dynamodb:Query": "the tenant's flows, to find who listens for failures: adapters/aws/directory.py",
    "dynamodb:BatchGetItem": "their pointers: adapters/aws/versions.py",
}
_CREDENTIALS = {
    "kms:Decrypt": "a credential is opened, and DynamoDB and S3 open what the same key sealed: adapters/aws/kms.py",
    "kms:Encrypt": "one that is set, or whose token was renewed, is sealed: adapters/aws/kms.py",
}
_SENDS = {"sqs:SendMessage": "a message to an execution: adapters/aws/queue.py"}

CALLED: dict[str, dict[str, str]] = {
    "api": {
        **_RECORDS,
        **_VALUES,
        **_SENDS,
        **_CREDENTIALS,
        "kms:ReEncryptFrom": "its data key is brought under the key's newest material: adapters/aws/kms.py",
        "kms:ReEncryptTo": "as above: adapters/aws/kms.py",
        "dynamodb:PutItem": "a version and its pointer: adapters/aws/versions.py",
        "dynamodb:Query": "lists of flows, versions and executions: adapters/aws/versions.py",
        "dynamodb:BatchGetItem": "the pointers of all flows: adapters/aws/versions.py",
        "scheduler:CreateSchedule": "publishing makes the flow's schedules: adapters/aws/schedules.py",
        "scheduler:DeleteSchedule": "and takes away those of before: adapters/aws/schedules.py",
        "scheduler:ListSchedules": "which it has to find: adapters/aws/schedules.py",
        "iam:PassRole": "a schedule is made with the role it invokes in: adapters/aws/schedules.py",
    },
    "worker": {
        **_RECORDS,
        **_VALUES,
        **_SENDS,
        **_STEPS,
        **_CREDENTIALS,
        "sqs:ChangeMessageVisibility": "when what failed comes again: adapters/aws/queue.py",
    },
    "dead": {**_RECORDS, **_VALUES, **_SENDS, **_STEPS, **_CREDENTIALS},
    "tick": {**_RECORDS, **_VALUES, **_SENDS},
    "sweep": {
        **_RECORDS,
        **_SENDS,
        "dynamodb:Query": "the index of what is due: adapters/aws/facts.py",
        "s3:GetObject": "the text of a long flow version: adapters/aws/versions.py",
    },
}

_LOGS = {
    "logs:CreateLogStream": "Lambda writes the log in the function's role (Lambda guide, `Sending logs to CloudWatch`)",
    "logs:PutLogEvents": "as above",
}
_POLLS = {
    "sqs:ReceiveMessage": "Lambda polls in the function's role (Lambda guide, `Using Lambda with Amazon SQS`)",
    "sqs:DeleteMessage": "as above, when the batch is done with",
    "sqs:GetQueueAttributes": "as above",
}
_MISSING = {"s3:ListBucket": "else S3 says 403 of an object that is not there (API reference, GetObject)"}
_OPENS = {"kms:Decrypt": "DynamoDB and S3 open what the stage's key sealed, in the caller's name"}
_SEALS = {"kms:GenerateDataKey": "S3 seals an object with a key of its own, in the caller's name"}

FOR_US: dict[str, dict[str, str]] = {
    "api": {**_LOGS, **_MISSING, **_SEALS},
    "worker": {**_LOGS, **_POLLS, **_MISSING, **_SEALS},
    "dead": {**_LOGS, **_POLLS, **_MISSING, **_SEALS},
    "tick": {**_LOGS, **_MISSING, **_OPENS, **_SEALS},
    "sweep": {**_LOGS, **_MISSING, **_OPENS},
}
assert set(CALLED) == set(FOR_US) == set(FUNCTIONS)


def as_list(value: Any) -> list[Any]:
    """IAM writes one of something without a list."""
    return value if isinstance(value, list) else [value]


def committed(function: str) -> list[dict[str, Any]]:
    """The statements of a function's policy, as they stand in the repository."""
    return json.loads((ROOT / policy_path(function, "dev")).read_text("utf-8"))["Statement"]


def deployed(function: str, names: Names) -> list[dict[str, Any]]:
    """The same as AWS gets them for one stage, account and region."""
    text = for_stage((ROOT / policy_path(function, "dev")).read_text("utf-8"), names.stage)
    return policies.exact(json.loads(text), names)["Statement"]


def actions_in(statements: list[dict[str, Any]]) -> set[str]:
    """Every action that they allow."""
    return {action for each in statements for action in as_list(each["Action"])}


def allows(statements: list[dict[str, Any]], action: str, resource: str) -> bool:
    """Whether IAM would let it pass, conditions aside: `*` is any text, and nothing else is a pattern."""
    return any(
        action in as_list(each["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in as_list(each["Resource"]))
        for each in statements
    )
