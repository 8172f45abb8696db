"""Calls on the one table: names that need no placeholder, keys that were left out, a table that is not there."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chalicelib.adapters.aws.client import Aws, Endpoints
from chalicelib.adapters.aws.facts import AwsFacts
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.versions import AwsVersions
from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.engine.records import RecordKey
from chalicelib.engine.writes import Commit
from chalicelib.errors import StoreError
from chalicelib.ports import Listing
from tests.aws_place import KEYS, place
from tests.aws_server import REGION
from tests.aws_table import TABLE, TTL_ATTRIBUTE
from tests.stub import Answer, Stub

_ROOM = Path(__file__).parents[2] / "chalicelib" / "adapters" / "aws"


def test_no_name_in_an_expression_is_a_reserved_word() -> None:
    """What is written out, without a placeholder, in the queries and conditions of this room."""
    from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

    reserved = {word.upper() for word in ReservedKeywords.get_reserved_keywords()}
    operators = {"AND", "OR", "NOT", "IN", "BETWEEN", "SET", "REMOVE"}
    found: set[str] = set()
    for path in sorted(_ROOM.glob("*.py")):
        for text in re.findall(r'Expression"(?:: |\] = )"([^"]+)"', path.read_text(encoding="utf-8")):
            found |= set(re.findall(r"(?<![:#\w])[a-z]\w*", text))
    assert {"pk", "sk", "gp", "lp", "ls", "st"} <= found
    assert {name for name in found if name.upper() in reserved - operators} == set()


def test_the_stack_makes_the_table_that_the_adapters_are_tested_on() -> None:
    from ruamel.yaml import YAML

    stack = YAML().load((_ROOM.parents[2] / "infra" / "stack.yaml").read_text(encoding="utf-8"))
    (made,) = (each["Properties"] for each in stack["Resources"].values() if each["Type"] == "AWS::DynamoDB::Table")
    assert {name: made[name] for name in TABLE} == TABLE
    assert made["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}


def test_keys_that_were_left_out_are_asked_for_again() -> None:
    async def scene(stub: Stub, table: Table) -> None:
        keys = [{"pk": {"S": str(number)}, "sk": {"S": "H"}} for number in range(2)]
        assert await table.get_many(keys, "pk") == [{"pk": {"S": "0"}}, {"pk": {"S": "1"}}]
        asked = [seen.json()["RequestItems"]["name"]["Keys"] for seen in stub.requests]
        assert asked == [keys, keys[1:]]

    left = {"name": {"Keys": [{"pk": {"S": "1"}, "sk": {"S": "H"}}]}}
    first = {"Responses": {"name": [{"pk": {"S": "0"}}]}, "UnprocessedKeys": left}
    _play([_answer(first), _answer({"Responses": {"name": [{"pk": {"S": "1"}}]}})], scene)


def test_keys_that_are_always_left_out_are_an_error() -> None:
    async def scene(stub: Stub, table: Table) -> None:
        with pytest.raises(StoreError, match="The table name is throttled"):
            await table.get_many([{"pk": {"S": "1"}, "sk": {"S": "H"}}])

    _play([_answer({"Responses": {}, "UnprocessedKeys": {"name": {"Keys": []}}})], scene)


def _answer(body: object) -> Answer:
    return Answer(body=json.dumps(body).encode())


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def _play(answers: list[Answer], scene: Callable[[Stub, Table], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Stub() as stub:
            stub.answer("/", *answers)
            endpoints = Endpoints(every=stub.url)
            http = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
            try:
                await scene(stub, Table(Aws(http, KEYS, REGION, endpoints, Clock(), jitter=lambda: 0.0), "name"))
            finally:
                await http.close()

    asyncio.run(whole())


def test_a_table_that_is_not_there_is_no_missing_record(aws_url: str) -> None:
    """A missing record may mean that an execution has failed; a missing table must not."""

    async def whole() -> None:
        async with place(aws_url) as here:
            facts = AwsFacts(here.aws, "no-such-table", Clock())
            versions = AwsVersions(here.aws, "no-such-table", here.blobs)
            key = RecordKey("main", "0" * 26)
            for attempt in (
                lambda: facts.read(key),
                lambda: facts.pack(key, "pa"),
                lambda: facts.write(Commit(key, 0, 0)),
                lambda: facts.write(Commit(key, 0, 0, packs={"pa": "{}"})),
                lambda: facts.page(Listing("main")),
                lambda: facts.unfinished(5),
                lambda: versions.text("main", "orders", "a" * 64),
                lambda: versions.live("main", "orders"),
            ):
                with pytest.raises(StoreError, match="The table no-such-table does not exist"):
                    await attempt()

    asyncio.run(whole())
