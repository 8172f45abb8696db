"""Buckets of tokens: what a rate lets through, how long the rest has to wait, and whose bucket is whose."""

import asyncio

import pytest

from chalicelib.kit.rates import Rate
from tests.contracts.world import World

HOURLY = Rate(5, 3_600)
"""Slow enough that nothing comes back while a test runs, wherever the clock is not ours."""


def take(world: World, name: str = "hook", rate: Rate = HOURLY, *, tenant: str = "main", cost: int = 1) -> int:
    return world.run(world.limits.take(tenant, name, cost, rate))


def test_a_bucket_gives_as_many_as_its_rate_says_and_then_names_the_wait(world: World) -> None:
    assert [take(world) for _ in range(5)] == [0] * 5
    wait = take(world)
    assert 3_600_000 / 5 - 60_000 < wait <= 3_600_000 / 5
    assert take(world) <= wait


def test_names_and_tenants_have_buckets_of_their_own(world: World) -> None:
    for _ in range(5):
        take(world)
    assert take(world) > 0
    assert take(world, "another hook") == 0
    assert take(world, tenant="other") == 0


def test_what_was_refused_has_taken_nothing(world: World) -> None:
    assert take(world, cost=4) == 0
    assert take(world, cost=2) > 0
    assert take(world, cost=1) == 0


def test_nobody_waits_for_more_than_the_bucket_holds(world: World) -> None:
    assert take(world, cost=50) == 0
    assert 3_500_000 < take(world, cost=50) <= 3_600_000


def test_tokens_come_back_evenly(world: World) -> None:
    rate = Rate(4, 2)

    async def scene() -> None:
        limits = world.limits
        for _ in range(4):
            assert await limits.take("main", "quick", 1, rate) == 0
        wait = await limits.take("main", "quick", 1, rate)
        assert 0 < wait <= 500
        await world.let_pass(wait / 1000)
        assert await limits.take("main", "quick", 1, rate) == 0
        assert await limits.take("main", "quick", 1, rate) > 0
        await world.let_pass(2.1)
        assert [await limits.take("main", "quick", 1, rate) for _ in range(4)] == [0] * 4

    world.run(scene())


def test_of_many_at_once_no_more_get_in_than_the_rate_says(world: World) -> None:
    async def rush() -> list[int]:
        return await asyncio.gather(*(world.limits.take("main", "rush", 1, Rate(7, 3_600)) for _ in range(20)))

    assert world.run(rush()).count(0) == 7


@pytest.mark.parametrize("rate", [Rate(999_999, 1), Rate(1, 86_400)])
def test_the_quickest_and_the_slowest_rate_let_the_first_one_through(world: World, rate: Rate) -> None:
    assert take(world, f"hook {rate.seconds}", rate) == 0
