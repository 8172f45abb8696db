"""Buckets of tokens in memory: strangers who come under many names cost no more than is set aside for them."""

import asyncio
from datetime import UTC, datetime

from chalicelib.adapters.memory.limits import MemoryLimits
from chalicelib.kit.rates import Rate


class Clock:
    def now(self):
        return datetime(2026, 3, 1, tzinfo=UTC)

    async def sleep(self, seconds):
        raise AssertionError(seconds)


def test_the_bucket_that_was_used_the_longest_ago_is_forgotten_first():
    async def scene():
        limits, rate = MemoryLimits(Clock(), most=3), Rate(1, 60)
        for name in ("a", "b", "c"):
            assert await limits.take("main", name, 1, rate) == 0
        assert await limits.take("main", "a", 1, rate) > 0
        assert await limits.take("main", "d", 1, rate) == 0
        assert await limits.take("main", "a", 1, rate) > 0
        assert await limits.take("main", "b", 1, rate) == 0

    asyncio.run(scene())
