"""Buckets of tokens in DynamoDB: what they cost, when they are gone, and what two processes get together."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.aws.limits import AwsLimits
from chalicelib.errors import StoreError
from chalicelib.kit.rates import Rate
from tests.aws_place import place
from tests.aws_table import TTL_ATTRIBUTE

MINUTE = Rate(600, 60)


class Clock:
    def __init__(self):
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self):
        return self.moment

    async def sleep(self, seconds):
        self.moment += timedelta(seconds=seconds)


def play(url, scene):
    async def whole():
        async with place(url) as here:
            here.aws.tally.clear()
            await scene(here, Clock())

    asyncio.run(whole())


def calls(here):
    return dict(here.aws.tally.calls)


def test_who_takes_seldom_pays_one_update_for_each_and_the_bucket_goes_by_itself(aws_url):
    async def scene(here, clock):
        limits = AwsLimits(here.aws, here.table, clock)
        for times in range(1, 4):
            assert await limits.take("main", "hook", 1, MINUTE) == 0
            await clock.sleep(5)
            assert calls(here) == {"dynamodb.UpdateItem": times}
        (item,) = here.items()
        now = int(clock.moment.timestamp())
        assert now + 60 <= int(item[TTL_ATTRIBUTE]["N"]) <= now + 121

    play(aws_url, scene)


def test_a_rush_costs_few_updates_and_gets_in_all_that_the_rate_lets_in(aws_url):
    async def scene(here, clock):
        limits = AwsLimits(here.aws, here.table, clock)
        assert [await limits.take("main", "hook", 1, MINUTE) for _ in range(600)] == [0] * 600
        assert calls(here)["dynamodb.UpdateItem"] <= 600 // (600 // 20) + 6

    play(aws_url, scene)


def test_who_is_refused_costs_nothing_more_until_there_are_tokens(aws_url):
    async def scene(here, clock):
        limits, rate = AwsLimits(here.aws, here.table, clock), Rate(2, 3_600)
        for _ in range(2):
            assert await limits.take("main", "hook", 1, rate) == 0
        assert await limits.take("main", "hook", 1, rate) == 1_800_000
        before = calls(here)
        assert {await limits.take("main", "hook", 1, rate) for _ in range(1_000)} == {1_800_000}
        assert calls(here) == before
        await clock.sleep(1_800)
        assert await limits.take("main", "hook", 1, rate) == 0

    play(aws_url, scene)


@pytest.mark.parametrize("rate", [Rate(100, 3_600), Rate(7, 3_600)])
def test_processes_together_get_what_one_would_and_no_more(aws_url, rate):
    async def scene(here, clock):
        processes = [AwsLimits(here.aws, here.table, clock) for _ in range(3)]
        let_in = 0
        for number in range(rate.tokens * 3):
            let_in += await processes[number % 3].take("main", "hook", 1, rate) == 0
        assert rate.tokens - 3 * (rate.tokens // 20) <= let_in <= rate.tokens

    play(aws_url, scene)


def test_a_bucket_that_cannot_be_asked_is_said_to_be(aws_url):
    async def scene(here, clock):
        with pytest.raises(StoreError, match="does not exist"):
            await AwsLimits(here.aws, "no-such-table", clock).take("main", "hook", 1, MINUTE)

    play(aws_url, scene)


def test_a_name_that_the_table_could_not_keep_is_refused(aws_url):
    async def scene(here, clock):
        for name in ("", "\u00fc", "k" * 1_001):
            with pytest.raises(StoreError, match="ASCII"):
                await AwsLimits(here.aws, here.table, clock).take("main", name, 1, MINUTE)
        assert calls(here) == {}

    play(aws_url, scene)
