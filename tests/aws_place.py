"""A table, a queue and a bucket of a test's own on the local AWS, and our adapters on them."""

import functools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.aws.blobs import AwsBlobs
from chalicelib.adapters.aws.client import Aws, Endpoints
from chalicelib.adapters.aws.facts import AwsFacts
from chalicelib.adapters.aws.queue import AwsQueue
from chalicelib.adapters.aws.versions import AwsVersions
from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.ports import Clock
from chalicelib.signing.forms import AwsKeys
from tests.aws_server import REGION, boto, fresh_name
from tests.aws_table import make_table

KEYS = AwsKeys("testing", "testing")
_clients = functools.cache(boto)  # making a boto3 client takes longer than most tests here


@dataclass
class Place:
    """What a test may call, and the names of what it calls."""

    aws: Aws
    table: str
    queue_url: str
    bucket: str
    facts: AwsFacts
    versions: AwsVersions
    queue: AwsQueue
    dead: AwsQueue
    """Where its messages go that came too often."""
    blobs: AwsBlobs
    url: str
    dynamodb: Any
    """A boto3 client, to look at what is stored."""

    def items(self) -> list[dict[str, Any]]:
        """Everything in the table, as DynamoDB's JSON."""
        return self.dynamodb.scan(TableName=self.table)["Items"]


@asynccontextmanager
async def place(
    url: str,
    clock: Clock | None = None,
    *,
    keys: AwsKeys = KEYS,
    dynamodb_url: str | None = None,
    visibility_seconds: int = 30,
    most_receives: int = 10,
) -> AsyncIterator[Place]:
    """All of it, empty. `clock` tells listings what day it is; signatures always have the real time."""
    dynamodb = _clients(dynamodb_url or url, "dynamodb")
    name = fresh_name("penstock")
    make_table(dynamodb, name)
    _clients(url, "s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    queue_url, dead_url = _make_queues(_clients(url, "sqs"), name, visibility_seconds, most_receives)
    endpoints = Endpoints(every=url, dynamodb=dynamodb_url)
    http = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
    real = SystemClock()
    aws = Aws(http, keys, REGION, endpoints, real, jitter=random.random)
    blobs = AwsBlobs(aws, name)
    queue, dead = (AwsQueue(aws, each, blobs, real) for each in (queue_url, dead_url))
    facts = AwsFacts(aws, name, clock or real)
    try:
        yield Place(aws, name, queue_url, name, facts, AwsVersions(aws, name, blobs), queue, dead, blobs, url, dynamodb)
    finally:
        await http.close()
        dynamodb.delete_table(TableName=name)


def _make_queues(sqs: Any, name: str, visibility_seconds: int, most_receives: int) -> tuple[str, str]:
    attributes = {"VisibilityTimeout": str(visibility_seconds)}
    dead = sqs.create_queue(QueueName=f"{name}-dead", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(most_receives)})
    living = sqs.create_queue(QueueName=name, Attributes={**attributes, "RedrivePolicy": redrive})["QueueUrl"]
    return living, dead
