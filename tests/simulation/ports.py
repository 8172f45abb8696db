"""What a worker reaches the world by: every call parks at a gate until the scheduler lets it through."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.engine.ids import crockford, ulid
from chalicelib.engine.messages import Send
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Answer, Write
from chalicelib.errors import CredentialMissingError
from chalicelib.ports import HttpAnswer, HttpRequest, Live, Page, Received

if TYPE_CHECKING:
    from tests.simulation.process import Delivery, Process

BEGINNING = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
BEGAN = int(BEGINNING.timestamp() * 1000)

DELIVERY: "ContextVar[Delivery | None]" = ContextVar("DELIVERY", default=None)
"""What the work in hand is for."""

CANARY = "canary-5f1e7c0ffee"
"""A secret: wherever it turns up but in a request, something leaks."""


class DiedError(BaseException):
    """The process is gone: nothing catches it."""


def now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What an adapter in memory answers, which waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise TypeError("a memory adapter waits for nothing")


class Call:
    """A call to the world that has not gone through."""

    __slots__ = ("argument", "delivery", "future", "kind", "process", "released")

    def __init__(self, process: "Process", kind: str, argument: Any) -> None:
        self.process = process
        self.kind = kind
        self.argument = argument
        self.future: Any = process.world.loop.create_future()
        self.delivery = DELIVERY.get()
        self.released = False


class Gate:
    """The one way out of a process."""

    __slots__ = ("_process", "_world")

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._world = process.world

    async def through(self, kind: str, argument: Any) -> Any:
        process, world = self._process, self._world
        if process.is_dead:
            raise DiedError
        call = Call(process, kind, argument)
        world.arrives(call)
        try:
            return await call.future
        except asyncio.CancelledError:
            if process.is_dead:
                raise DiedError from None
            world.abandoned(call)
            raise


class GatedFacts:
    """Fulfils `ports.Facts`."""

    def __init__(self, gate: Gate) -> None:
        self._through = gate.through

    async def write(self, write: Write) -> Answer:
        return await self._through("facts.write", write)

    async def read(self, key: RecordKey) -> Image | None:
        return await self._through("facts.read", key)

    async def pack(self, key: RecordKey, name: str) -> str:
        return await self._through("facts.pack", (key, name))

    async def page(self, listing: Any) -> Page:
        return await self._through("facts.page", listing)

    async def due(self, now: int, limit: int) -> Sequence[RecordKey]:
        return await self._through("facts.due", (now, limit))

    async def unfinished(self, limit: int) -> Sequence[tuple[RecordKey, int]]:
        return await self._through("facts.unfinished", limit)


class GatedQueue:
    """Fulfils `ports.Queue`, and the two calls of `ports.Inbox` that a worker makes."""

    def __init__(self, gate: Gate) -> None:
        self._through = gate.through

    async def send(self, sends: Sequence[Send]) -> None:
        await self._through("queue.send", tuple(sends))

    async def acknowledge(self, received: Sequence[Received]) -> None:
        await self._through("queue.acknowledge", tuple(received))

    async def fail(self, received: Received, delay_seconds: int) -> None:
        await self._through("queue.fail", (received, delay_seconds))


class GatedBlobs:
    """Fulfils `ports.Blobs`."""

    def __init__(self, gate: Gate) -> None:
        self._through = gate.through

    async def put(self, content: bytes) -> str:
        return await self._through("blobs.put", content)

    async def get(self, name: str) -> bytes:
        return await self._through("blobs.get", name)


class GatedHttp:
    """Fulfils `ports.Http`."""

    def __init__(self, gate: Gate) -> None:
        self._through = gate.through

    async def send(self, request: HttpRequest) -> HttpAnswer:
        return await self._through("http.send", request)


class GatedVersions:
    """The readings of `ports.Versions` that a worker does."""

    def __init__(self, gate: Gate) -> None:
        self._through = gate.through

    async def text(self, tenant: str, flow: str, version: str) -> str:
        return await self._through("versions.text", (tenant, flow, version))

    async def live(self, tenant: str, flow: str) -> Live | None:
        return await self._through("versions.live", (tenant, flow))

    async def flows(self, tenant: str) -> Sequence[Live]:
        return await self._through("versions.flows", tenant)


class OneCredential:
    """Fulfils `ports.Credentials`: one bearer token, which is the canary."""

    def __init__(self, gate: Gate) -> None:
        self._through = gate.through

    async def open(self, tenant: str, name: str, *, flow: str = "") -> Mapping[str, str]:
        await self._through("credentials.open", name)
        if name != "key":
            raise CredentialMissingError(f"No credential `{name}`.")
        return {"kind": "bearer", "token": CANARY}


class SkewedClock:
    """Fulfils `ports.Clock`: the world's time, off by what this machine's clock is off."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._loop = process.world.loop
        self._skew = process.skew
        self._at = -1
        self._moment = BEGINNING

    def now(self) -> datetime:
        elapsed = self._loop.elapsed
        if elapsed != self._at:
            self._at = elapsed
            self._moment = BEGINNING + timedelta(milliseconds=elapsed + self._skew)
        return self._moment

    async def sleep(self, seconds: float) -> None:
        process = self._process
        if process.is_dead:
            raise DiedError
        woken = self._loop.create_future()
        handle = self._loop.call_later(seconds, _wake, woken)
        process.sleeping[woken] = None
        try:
            await woken
        except asyncio.CancelledError:
            if process.is_dead:
                raise DiedError from None
            raise
        finally:
            handle.cancel()
            process.sleeping.pop(woken, None)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class CountedIds:
    """Fulfils `ports.Ids`: never the same twice in one world."""

    def __init__(self) -> None:
        self.count = 0

    def execution(self, now: datetime) -> str:
        self.count += 1
        return ulid(int(now.timestamp() * 1000), self.count.to_bytes(10, "big"))

    def token(self) -> str:
        self.count += 1
        return crockford(self.count)
