"""The same deaths on SQLite: what the next boot finds in the file is enough."""

from contextlib import suppress

import pytest

from chalicelib.adapters.sqlite.store import SqliteStore
from tests.worker.canon import CANON
from tests.worker.lives import DiedError, Life, Trap, World, replay, run
from tests.worker.test_crashes import begin, look_at_effects, told, without_crash


async def opened(path, world):
    """The file again, as the next boot finds it, under the same outside and the same time."""
    store = await SqliteStore.open(path, world.clock, most_receives=1000)
    world.facts.inner, world.queue, world.blobs = store.facts, store.queue, store.blobs
    return store


@pytest.mark.parametrize("name", ["apart", "linear", "loop", "waiting"])
def test_the_next_boot_ends_what_a_dead_one_left_in_its_file(name, tmp_path):
    story = CANON[name]

    async def sweep():
        statuses, output, status, calls = await without_crash(story)
        for at in range(2, calls + 1, max(1, calls // 5)):
            world = World(**story.script)
            path = tmp_path / f"{name}-{at}.sqlite"
            store = await opened(path, world)
            _, start = await begin(story, world)
            with suppress(DiedError):
                await Life(world, Trap(at, after=at % 2 == 0), boot=store.boot).work()
            await store.close()
            store = await opened(path, world)
            second = Life(world, boot=store.boot)
            await second.resume_all()
            await second.work()
            details = await world.details(start.execution)
            where = f"{name}: call {at} of {calls}"
            assert details.image.status is status, where
            assert (told(details), details.output) == (statuses, output), where
            look_at_effects(world, story, details)
            assert await world.heads() == [], where
            await replay(world, boot=store.boot)
            await store.close()

    run(sweep())
