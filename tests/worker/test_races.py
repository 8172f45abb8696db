"""Two workers get the same deliveries at the same time, in every order that a seed can think of."""

import asyncio
import random
from datetime import timedelta

import pytest

from chalicelib.worker.budget import Budget
from chalicelib.worker.listener import work_off
from chalicelib.worker.sweeper import sweep
from tests.simulation.small import small
from tests.worker.canon import CANON
from tests.worker.crashes import begin, ends_of, look_at_effects, undisturbed
from tests.worker.lives import DiedError, Life, Trap, World, replay, run

SEEDS = range(20)
RACED = sorted(name for name, story in CANON.items() if not story.deeds)
"""Flows that need nobody from outside."""

DIFFER = {"retried", "late"}
"""Which worker meets the busy answer differs, and when."""


async def race(world: World, seed: int, dies_at: int = 0) -> None:
    """Work the queue off with every message in the hands of two workers at once; one acknowledgement deletes it.

    With `dies_at` one of them is gone after so many calls to the world.
    """
    rng = random.Random(seed)
    lives = [Life(world, Trap(dies_at, after=seed % 2 == 0, rng=rng), boot=1), Life(world, Trap(rng=rng), boot=1)]
    idle = 0
    for _ in range(500):
        received = await world.queue.receive(rng.choice((1, 2, 4)), 0)
        if not received:
            idle += 1
            if idle > 30 and not await world.heads():
                return
            world.clock.time += timedelta(seconds=60)
            await sweep(lives[1].tools)
            continue
        idle = 0
        budget = Budget(world.now + 840_000)
        copies = [(life, each) for each in received for life in lives if not life.trap.is_dead]
        rng.shuffle(copies)
        world.delivered.extend(each.message for each in received)
        verdicts = await asyncio.gather(
            *(work_off(life.tools, each, budget) for life, each in copies), return_exceptions=True
        )
        for each in received:
            told = [verdict for (_, other), verdict in zip(copies, verdicts, strict=True) if other is each]
            assert all(verdict is None or isinstance(verdict, int | DiedError) for verdict in told), told
            delays = [verdict for verdict in told if isinstance(verdict, int)]
            if None in told:
                await world.queue.acknowledge([each])
            elif delays:
                await world.queue.fail(each, min(delays))
    raise AssertionError("the queue never runs empty")


@pytest.mark.parametrize("name", RACED)
def test_two_workers_with_every_message_at_once_end_it_once_and_repeat_no_leased_step(name):
    story = CANON[name]

    async def races():
        whole = await undisturbed(story)
        for seed in SEEDS:
            world = World(**story.script)
            await begin(story, world)
            with small():
                await race(world, seed)
            where = f"{name}, seed {seed}"
            ended = await ends_of(world)
            assert [each.status for each in ended] == [each.status for each in whole.ended], where
            if name not in DIFFER:
                assert ended == whole.ended, where
            await look_at_effects(world, story, where)
            posts = [each.url for each in world.server.seen if each.method == "POST"]
            scripted = {f"https://api.example/{path}" for path in story.script}
            again = {url for url in posts if posts.count(url) > 1} - scripted
            assert not again, f"{where}: sent again though nobody died: {again}"
            assert await world.heads() == [], f"{where}: something is left"
            await replay(world, boot=1)

    run(races())


@pytest.mark.parametrize("name", RACED)
def test_where_one_of_two_workers_dies_the_other_or_the_queue_ends_it(name):
    story = CANON[name]

    async def races():
        whole = await undisturbed(story)
        for seed in SEEDS:
            world = World(**story.script)
            await begin(story, world)
            with small():
                await race(world, seed, dies_at=1 + seed * whole.calls // len(SEEDS))
            where = f"{name}, seed {seed}"
            ended = await ends_of(world)
            assert [each.status for each in ended] == [each.status for each in whole.ended], where
            if name not in DIFFER and not story.varies:
                assert ended == whole.ended, where
            await look_at_effects(world, story, where)
            assert await world.heads() == [], f"{where}: something is left"
            await replay(world, boot=1)

    run(races())
