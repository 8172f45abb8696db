"""The stores that processes die on: a file that every life opens anew, and tables of a local AWS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chalicelib.adapters.aws.facts import AwsFacts
from chalicelib.adapters.sqlite.store import SqliteStore
from tests.aws_place import place
from tests.worker.canon import CANON
from tests.worker.crashes import Point, Whole, tried
from tests.worker.lives import World


async def tried_on_sqlite(name: str, deaths: tuple[Point, ...], whole: Whole, folder: Path, number: int) -> int:
    """Die on a file: what the next boot finds in it is all that is left."""
    world = World(**CANON[name].script)
    path = folder / f"{name}-{number}.sqlite"
    stores: list[SqliteStore] = []

    async def opened(world: World) -> int:
        if stores:
            await stores.pop().close()
        store = await SqliteStore.open(path, world.clock, most_receives=1000)
        stores.append(store)
        world.facts.inner, world.queue, world.blobs = store.facts, store.queue, store.blobs
        return store.boot

    try:
        return await tried(name, deaths, whole, boots=True, world=world, opened=opened)
    finally:
        for store in stores:
            await store.close()
        for each in folder.glob(f"{path.name}*"):
            each.unlink()


@asynccontextmanager
async def on_aws(url: str, name: str) -> AsyncIterator[World]:
    """A world whose records and blobs lie in AWS; the queue is in memory, since AWS knows no time but the real one."""
    async with place(url) as found:
        world = World(blobs=found.blobs, **CANON[name].script)
        world.facts.inner = AwsFacts(found.aws, found.table, world.clock, partitions=1)
        yield world


async def tried_on_aws(url: str, name: str, deaths: tuple[Point, ...], whole: Whole) -> int:
    """Die on AWS; what was in hand comes again by the queue."""
    async with on_aws(url, name) as world:
        return await tried(name, deaths, whole, boots=False, world=world)
