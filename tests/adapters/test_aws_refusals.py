"""Counts of refused deliveries in DynamoDB: what they cost, and when they are gone."""

import asyncio

from chalicelib.adapters.aws.refusals import AwsRefusals
from chalicelib.ports import DAYS_KEPT, Refusal
from tests.aws_place import place
from tests.aws_table import TTL_ATTRIBUTE

DAY = 20_500


def test_a_flow_and_a_day_are_one_item_that_goes_by_itself_and_one_write(aws_url: str) -> None:
    async def scene() -> None:
        async with place(aws_url) as here:
            store = AwsRefusals(here.aws, here.table)
            here.aws.tally.clear()
            many = [Refusal("orders", f"t{number}", "signature_wrong", DAY, 2, 7) for number in range(40)]
            await store.add("main", "orders", DAY, many)
            assert here.aws.tally.calls == {"dynamodb.UpdateItem": 1}
            (item,) = here.items()
            assert int(item[TTL_ATTRIBUTE]["N"]) == (DAY + 1 + DAYS_KEPT) * 86_400
            assert len(await store.of("main", "orders", DAY)) == 40
            assert here.aws.tally.calls["dynamodb.Scan"] == 0

    asyncio.run(scene())


def test_names_that_nothing_can_lie_under_are_not_looked_up(aws_url: str) -> None:
    async def scene() -> None:
        async with place(aws_url) as here:
            assert list(await AwsRefusals(here.aws, here.table).of("main", "ü" * 50, 0)) == []

    asyncio.run(scene())
