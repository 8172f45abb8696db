"""Listings on DynamoDB: how far back they go, what they cost, and cursors that were tampered with."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.adapters.aws import pages
from chalicelib.adapters.aws.addresses import DAY, list_partition, list_sort
from chalicelib.adapters.aws.directory import enter_flow
from chalicelib.adapters.aws.pages import find_page
from chalicelib.adapters.aws.records import LISTED
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.listing import cursor_behind
from chalicelib.engine.records import Status
from chalicelib.errors import UsageError
from chalicelib.ports import Listing, Page, Summary
from tests.aws_place import Place, place

NOW = datetime(2026, 3, 31, 23, 58, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


class Today:
    def now(self) -> datetime:
        return NOW

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def play(url: str, scene: Callable[[Place], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with place(url, Today()) as here:
            await scene(here)

    asyncio.run(whole())


async def publish(here: Place, *flows: str, days_ago: int = 100) -> None:
    for flow in flows:
        await enter_flow(Table(here.aws, here.table), "main", flow, NOW_MS - days_ago * DAY)


def stored(here: Place, number: int, flow: str, started: int, status: Status = Status.SUCCEEDED) -> Summary:
    """An execution as the index has it; written at once, since thousands of commits take too long here."""
    execution = f"{number:026d}"
    item: dict[str, Any] = {
        "pk": {"S": f"main#E#{execution}"},
        "sk": {"S": "H"},
        "v": {"N": "1"},
        "st": {"S": status.value},
        "vh": {"S": "a" * 64},
        "lp": {"S": list_partition("main", flow, started // DAY)},
        "ls": {"S": list_sort(started, execution)},
    }
    here.dynamodb.put_item(TableName=here.table, Item=item)
    return Summary(execution, flow, "a" * 64, status, "", started, 0)


def newest_first(made: list[Summary]) -> list[Summary]:
    return sorted(made, key=lambda each: (each.started, each.id), reverse=True)


async def every(here: Place, listing: Listing) -> tuple[list[Summary], int]:
    """All items, and how many pages they took."""
    found: list[Summary] = []
    for count in range(1, 200):
        page = await here.facts.page(listing)
        assert len(page.items) <= listing.limit
        found.extend(page.items)
        if page.cursor is None:
            return found, count
        listing = replace(listing, cursor=page.cursor)
    raise AssertionError("it does not end")


def test_a_listing_crosses_days_and_flows_in_order(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await publish(here, "orders", "mails", "idle")
        pick = random.Random(4)
        moments = [NOW_MS - pick.randrange(40 * DAY) for _ in range(60)]
        made = [stored(here, number, pick.choice(["orders", "mails"]), at) for number, at in enumerate(moments)]
        # Two of one millisecond, and one of a clock that is ahead, on the next day.
        made += [stored(here, 100, "orders", moments[0]), stored(here, 101, "mails", NOW_MS + 180_000)]
        assert (await every(here, Listing("main", limit=7)))[0] == newest_first(made)
        orders = [each for each in made if each.flow == "orders"]
        assert (await every(here, Listing("main", flow="orders", limit=1)))[0] == newest_first(orders)
        since, until = NOW_MS - 20 * DAY, NOW_MS - 5 * DAY
        between = [each for each in made if since <= each.started <= until]
        assert (await every(here, Listing("main", since=since, until=until, limit=5)))[0] == newest_first(between)

    play(aws_url, scene)


def test_the_first_page_of_a_busy_flow_reads_one_day(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await publish(here, "orders", days_ago=1000)
        for number in range(30):
            stored(here, number, "orders", NOW_MS - 12 * 3_600_000 + number)
        here.aws.tally.clear()
        page = await here.facts.page(Listing("main", flow="orders", limit=10))
        assert len(page.items) == 10
        # The pointer's item, tomorrow (a clock may be ahead), and today.
        assert here.aws.tally.calls["dynamodb.GetItem"] == 1
        assert here.aws.tally.calls["dynamodb.Query"] <= 3

    play(aws_url, scene)


def test_a_listing_goes_back_to_the_first_publication_and_no_further(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await publish(here, "orders", days_ago=90)
        first = stored(here, 1, "orders", NOW_MS - 90 * DAY)
        here.aws.tally.clear()
        page = await here.facts.page(Listing("main"))
        assert page == Page([first], None)
        assert here.aws.tally.calls["dynamodb.Query"] <= 94
        assert "dynamodb.Scan" not in here.aws.tally.calls

    play(aws_url, scene)


def test_a_page_that_would_ask_too_much_ends_with_a_cursor(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        flows = [f"flow{number}" for number in range(20)]
        await publish(here, *flows, days_ago=30)
        old = stored(here, 1, "flow7", NOW_MS - 29 * DAY)
        here.aws.tally.clear()
        page = await here.facts.page(Listing("main"))
        assert not page.items
        assert page.cursor is not None
        assert here.aws.tally.calls["dynamodb.Query"] <= pages.MOST_QUERIES + len(flows)
        found, count = await every(here, Listing("main"))
        assert (found, count) == ([old], 3)

    play(aws_url, scene)


def test_a_rare_status_is_found_among_many(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        await publish(here, "orders", days_ago=2)
        made = [
            stored(
                here, number, "orders", NOW_MS - number * 1000, Status.FAILED if number % 400 == 399 else Status.RUNNING
            )
            for number in range(1250)
        ]
        failed = newest_first([each for each in made if each.status is Status.FAILED])
        found, _ = await every(here, Listing("main", flow="orders", status=Status.FAILED, limit=2))
        assert found == failed
        assert await every(here, Listing("main", status=Status.CANCELLED, limit=2)) == ([], 1)

        # Cut off while it looks, it hands over what it has, and the next page goes on where it stopped.
        found, empty = [], 0
        listing = Listing("main", status=Status.FAILED, limit=2)
        while True:
            page = await find_page(Table(here.aws, here.table), listing, NOW, rows=10)
            found.extend(page.items)
            empty += not page.items
            if page.cursor is None:
                break
            listing = replace(listing, cursor=page.cursor)
        assert found == failed
        assert empty > 5

    play(aws_url, scene)


@pytest.mark.parametrize(
    "cursor",
    [
        cursor_behind(-1, "0" * 26),
        cursor_behind(10**13, "0" * 26),
        cursor_behind(10**40, "0" * 26),
        cursor_behind(NOW_MS, "x" * 5000),
        cursor_behind(NOW_MS, "a#b"),
        cursor_behind(NOW_MS, "\u0661"),
        "x",
        "====",
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused_before_anything_is_asked(aws_url: str, cursor: str) -> None:
    async def scene(here: Place) -> None:
        here.aws.tally.clear()
        with pytest.raises(UsageError):
            await here.facts.page(Listing("main", cursor=cursor))
        assert here.aws.tally.calls == {}

    play(aws_url, scene)


def test_what_lies_before_its_beginning_asks_for_nothing(aws_url: str) -> None:
    """DynamoDB refuses a range whose end comes before its start."""

    async def scene(here: Place) -> None:
        await publish(here, "orders", days_ago=3)
        stored(here, 1, "orders", NOW_MS)
        here.aws.tally.clear()
        for asked in (
            {"since": NOW_MS - 5, "until": NOW_MS - 6},
            {"until": NOW_MS - 50 * DAY},
            {"since": NOW_MS + DAY},
        ):
            assert await here.facts.page(Listing("main", **asked)) == Page([], None)
        page = await here.facts.page(Listing("main", cursor=cursor_behind(5, "0" * 26)))
        assert page == Page([], None)
        assert here.aws.tally.calls == {"dynamodb.Query": 4}  # for the tenant's flows

    play(aws_url, scene)


def test_a_tenant_without_flows_has_an_empty_page(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        assert await here.facts.page(Listing("nobody")) == Page([], None)
        assert await here.facts.page(Listing("\u20ac")) == Page([], None)

    play(aws_url, scene)


def test_the_index_carries_what_a_summary_needs(aws_url: str) -> None:
    async def scene(here: Place) -> None:
        (index,) = (
            each
            for each in here.dynamodb.describe_table(TableName=here.table)["Table"]["GlobalSecondaryIndexes"]
            if each["IndexName"] == "list"
        )
        assert set(index["Projection"]["NonKeyAttributes"]) == set(LISTED)

    play(aws_url, scene)
