"""What a deployment knows about itself: its address, and the key of its links, which is made once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chalicelib.adapters.aws.settings import KEY, read_base_url, read_link_key, settings_update
from chalicelib.errors import StoreError
from chalicelib.ports import Link
from chalicelib.worker.links import Links
from tests.aws_place import Place, place

FIRST, SECOND = b"\xff\x00" * 16, b"2" * 32


def play(url: str, scene: Callable[[Place], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with place(url) as here:
            await scene(here)

    asyncio.run(whole())


def deploy(here: Place, url: str, fresh_key: bytes) -> None:
    here.dynamodb.update_item(TableName=here.table, **settings_update(url, fresh_key))


def test_deploying_again_changes_the_address_and_keeps_the_key(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        assert await read_base_url(here.aws, here.table) == ""
        deploy(here, "https://one.example", FIRST)
        assert await read_base_url(here.aws, here.table) == "https://one.example"
        assert await read_link_key(here.aws, here.table, SECOND) == FIRST
        deploy(here, "https://two.example", SECOND)
        assert await read_base_url(here.aws, here.table) == "https://two.example"
        assert await read_link_key(here.aws, here.table, SECOND) == FIRST
        (item,) = here.items()
        assert item["v"] == {"N": "1"}

    play(aws_url, scene)


def test_without_a_deployments_key_the_first_who_needs_one_makes_it(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        keys = [bytes([number]) * 32 for number in range(8)]
        found = await asyncio.gather(*(read_link_key(here.aws, here.table, key) for key in keys))
        assert len(set(found)) == 1
        assert found[0] in keys
        deploy(here, "https://one.example", FIRST)
        assert await read_link_key(here.aws, here.table, SECOND) == found[0]

    play(aws_url, scene)


def test_an_address_from_before_there_was_a_key_is_kept(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        before = {**KEY, "v": {"N": "1"}, "url": {"S": "https://one.example"}}
        here.dynamodb.put_item(TableName=here.table, Item=before)
        assert await read_link_key(here.aws, here.table, FIRST) == FIRST
        assert await read_base_url(here.aws, here.table) == "https://one.example"

    play(aws_url, scene)


def test_the_key_is_asked_for_when_the_first_link_is_made_and_no_more(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        deploy(here, "https://one.example", FIRST)
        links = Links(lambda: read_link_key(here.aws, here.table, SECOND), "https://one.example")
        assert here.aws.tally.calls == {}
        link = Link("main", "0" * 26, "", "ask", ())
        address = await links.address("approval", link)
        assert await links.read(address.rpartition("/")[2]) == link
        assert here.aws.tally.calls == {"dynamodb.GetItem": 1}

    play(aws_url, scene)


def test_a_table_that_cannot_be_asked_is_a_store_error(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        fail: Any = read_link_key(here.aws, "no-such-table", FIRST)
        with pytest.raises(StoreError, match="no-such-table"):
            await fail

    play(aws_url, scene)
