"""What a contract test is handed: ports, a clock, and a way to wait for an answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.limits import MemoryLimits
from chalicelib.adapters.memory.queue import MemoryQueue
from chalicelib.adapters.memory.refusals import MemoryRefusals
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.records import Birth, RecordKey
from chalicelib.engine.writes import Commit
from chalicelib.ports import Blobs, Clock, Documents, Facts, Inbox, Limits, Queue, Refusals, Versions

T = TypeVar("T")

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = int(START.timestamp() * 1000)
VISIBILITY_SECONDS = 2
MOST_RECEIVES = 3


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self._now = START
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        for moment, woken in self._sleepers:
            if moment <= self._now and not woken.done():
                woken.set_result(None)
        self._sleepers = [each for each in self._sleepers if not each[1].done()]
        await asyncio.sleep(0)


@dataclass
class World:
    """One adapter, empty. `let_pass` lets this many seconds go by: at once where the clock is ours."""

    facts: Facts
    versions: Versions
    queue: Queue
    inbox: Inbox
    dead: Inbox
    blobs: Blobs
    refusals: Refusals
    documents: Documents
    limits: Limits
    clock: Clock
    let_pass: Callable[[float], Awaitable[None]]
    has_boots: bool = True
    """Whether leases of an earlier boot are void; where there is no boot they are all 0."""
    run: Callable[[Coroutine[Any, Any, T]], T] = field(default=asyncio.run)
    numbers: int = 0

    def new_key(self) -> RecordKey:
        """The key of an execution that nobody has used, in a tenant of this world's own."""
        self.numbers += 1
        return RecordKey("main", f"{self.numbers:026d}")


Open = Callable[[Path], "AsyncIterator[World]"]


@asynccontextmanager
async def memory(folder: Path) -> AsyncIterator[World]:
    clock = HandClock()
    queue = MemoryQueue(clock, visibility_seconds=VISIBILITY_SECONDS, most_receives=MOST_RECEIVES)
    yield World(
        MemoryFacts(),
        MemoryVersions(),
        queue,
        queue,
        queue.dead,
        MemoryBlobs(),
        MemoryRefusals(),
        MemoryDocuments(),
        MemoryLimits(clock),
        clock,
        clock.advance,
    )


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[World]:
    clock = HandClock()
    store = await SqliteStore.open(
        folder / "store.db", clock, visibility_seconds=VISIBILITY_SECONDS, most_receives=MOST_RECEIVES
    )
    queue = store.queue
    yield World(
        store.facts,
        store.versions,
        queue,
        queue,
        queue.dead,
        store.blobs,
        store.refusals,
        store.documents,
        MemoryLimits(clock),
        clock,
        clock.advance,
    )
    await store.close()


WORLDS = {"memory": memory, "sqlite": sqlite}
"""Every adapter by its name. Another joins the suite with a row here."""


def birth(flow: str = "orders", started: int = NOW, **others: Any) -> Birth:
    """How an execution may be born."""
    named = {"version": "a" * 64, "trigger": "placed", "input_pack": "i0", "input_hash": "b" * 64, **others}
    return Birth(flow=flow, started=started, **named)


def creation(key: RecordKey, **others: Any) -> Commit:
    """The write that creates an execution and nothing else."""
    return Commit(key, 0, NOW, **{"birth": birth(), "next_check": NOW + 60_000, "inline": {"i0": "{}"}, **others})


V = TypeVar("V")


def filled(value: V, **kept: Any) -> V:
    """A frozen value like this one whose every other field says something that it does not say by itself.

    So that a field which somebody adds to it, and no store keeps, is found out.
    """
    texts: Any = value
    said: dict[str, Any] = {}
    for place, each in enumerate(fields(texts)):
        if each.name in kept:
            continue
        match getattr(value, each.name):
            case bool(now):
                said[each.name] = not now
            case int(now):
                said[each.name] = now + 1 + place
            case str(now):
                said[each.name] = now or each.name
            case tuple():
                said[each.name] = (each.name, "another")
            case Mapping():
                said[each.name] = {each.name: "another"}
            case now:
                raise TypeError(f"{each.name} is a {type(now).__name__}: say here what else it may be")
    return replace(texts, **said, **kept)
