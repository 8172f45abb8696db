"""The five functions as five processes of one stage, each of whose requests to AWS is written down."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from chalicelib.adapters.aws.client import Aws, Endpoints
from chalicelib.adapters.aws.keys import keys_from_environment
from chalicelib.adapters.aws.names import FUNCTIONS, Names
from chalicelib.adapters.aws.settings import read_base_url
from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.http import HttpClient, client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.cloud.bridge import Bridge
from chalicelib.ports import HttpAnswer, HttpRequest
from chalicelib.wiring_aws import Cloud, OnAws
from tests.aws_server import REGION

Call = tuple[str, str]
"""An IAM action and the ARN it is about."""


class Watched:
    """An HTTP client that writes down what each request would be asked of IAM."""

    def __init__(self, inner: HttpClient, names: Names, seen: set[Call]) -> None:
        self._inner, self._names, self._seen = inner, names, seen

    async def send(self, request: HttpRequest) -> HttpAnswer:
        self._seen.update(calls_of(request, self._names))
        return await self._inner.send(request)

    async def forget_connections(self) -> None:
        await self._inner.forget_connections()


class Functions:
    """One bridge for each function, and what each has asked for so far."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.seen: dict[str, set[Call]] = defaultdict(set)
        self._bridges = {
            function: Bridge(lambda name=function: self._build(name), SystemClock()) for function in FUNCTIONS
        }

    def run(self, function: str, work: Any) -> Any:
        """Let a function do something: `work` takes its house."""
        return self._bridges[function].run(work)

    def restart(self, function: str) -> None:
        """What it held in memory is gone, as in a new environment of Lambda's."""
        if function in self.seen:  # else it has not begun
            self.run(function, lambda house: house.forget_connections())
        self._bridges[function].close()

    def close(self) -> None:
        for function in self._bridges:
            self.restart(function)

    async def _build(self, function: str) -> OnAws:
        environment = {**os.environ, "PENSTOCK_STAGE": self.names.stage, "PENSTOCK_ACCOUNT": self.names.account}
        endpoints = Endpoints(environment["AWS_ENDPOINT_URL"])
        inner = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
        http = cast("HttpClient", Watched(inner, self.names, self.seen[function]))
        keys = keys_from_environment(environment, Path(os.devnull))
        aws = Aws(http, keys, REGION, endpoints, SystemClock(), jitter=lambda: 0.5)
        base_url = await read_base_url(aws, self.names.table)
        return OnAws(environment, Cloud(http, keys, endpoints, self.names, aws), base_url)


def calls_of(request: HttpRequest, names: Names) -> set[Call]:
    """What IAM is asked about one request."""
    headers = {name.lower(): value for name, value in request.headers}
    service = headers["authorization"].partition("Credential=")[2].split("/")[3]
    said = json.loads(request.body) if request.body[:1] == b"{" else {}
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    here = f"arn:{names.partition}:{service}:{names.region}:{names.account}:"
    match service:
        case "dynamodb":
            tables = said.get("RequestItems") or {said["TableName"]: None}
            index = f"/index/{said['IndexName']}" if "IndexName" in said else ""
            return {(f"dynamodb:{action}", f"{here}table/{table}{index}") for table in tables}
        case "sqs":
            queue = said["QueueUrl"].rpartition("/")[2]
            return {(f"sqs:{action.removesuffix('Batch')}", here + queue)}
        case "s3":
            verb = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "GetObject"}[request.method]
            return {(f"s3:{verb}", f"arn:{names.partition}:s3:::{urlsplit(request.url).path[1:]}")}
        case "kms":
            # IAM is asked of the key, whatever name it is called by.
            actions = ("ReEncryptFrom", "ReEncryptTo") if action == "ReEncrypt" else (action,)
            return {(f"kms:{each}", f"{here}key/of-the-stage") for each in actions}
        case "scheduler":
            return _schedule_calls(request, said, here, names)
        case _:
            raise AssertionError(f"nobody knows what IAM is asked of {service}")


def _schedule_calls(request: HttpRequest, said: dict[str, Any], here: str, names: Names) -> set[Call]:
    path = urlsplit(request.url).path
    name = f"{here}schedule/{names.schedule_group}/{path.rpartition('/')[2]}"
    match request.method:
        case "POST":
            return {("scheduler:CreateSchedule", name), ("iam:PassRole", said["Target"]["RoleArn"])}
        case "DELETE":
            return {("scheduler:DeleteSchedule", name)}
        case _:
            assert path == "/schedules"
            return {("scheduler:ListSchedules", "*")}
