"""The one crossing from synchronous handlers to the async rooms: one loop, one thread, for the life of the process.

Lambda freezes the process between two events, for seconds or for hours. So a turn begins by letting the loop notice
what happened meanwhile, and ends with nothing in flight.
"""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from chalicelib.ports import Clock

STALE_SECONDS = 30.0
"""Peers and the network between forget an idle connection after about a minute (recipe: half of it is safe)."""


class Sleeper(Protocol):
    """What lives across freezes."""

    async def forget_connections(self) -> None:
        """Drop every pooled connection; none is in use now."""
        ...


House = TypeVar("House", bound=Sleeper)
Value = TypeVar("Value")


class Bridge(Generic[House]):
    """Runs async work for synchronous callers; what it builds first lives as long as it does."""

    def __init__(
        self, build: Callable[[], Awaitable[House]], clock: Clock, *, stale_seconds: float = STALE_SECONDS
    ) -> None:
        """Take what makes the house, at the first turn; a build that fails is tried again at the next."""
        self._build = build
        self._clock = clock
        self._stale_seconds = stale_seconds
        self._runner: asyncio.Runner | None = None
        self._owner = 0
        self._house: House | None = None
        self._slept_at = clock.now()

    def run(self, work: Callable[[House], Awaitable[Value]]) -> Value:
        """Carry the work out to its end and return its value; RuntimeError on any thread but the first one's."""
        thread = threading.get_ident()
        if self._runner is None:
            self._runner, self._owner = asyncio.Runner(), thread
        if thread != self._owner:
            raise RuntimeError("this bridge belongs to another thread: make one bridge for each")
        try:
            # A copy: else a context variable set by one event would be seen by the next.
            return self._runner.run(self._turn(work), context=contextvars.copy_context())
        finally:
            self._slept_at = self._clock.now()  # the wall clock: the monotonic one may stand still in a freeze

    def close(self) -> None:
        """End the loop; for tests, since Lambda just stops."""
        if self._runner is not None:
            self._runner.close()
            self._runner, self._house = None, None

    async def _turn(self, work: Callable[[House], Awaitable[Value]]) -> Value:
        # Two ticks: the first reads the FINs that came while we were frozen, the second closes their sockets. A POST on
        # such a connection would fail, with nobody knowing whether it was carried out.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        before = asyncio.all_tasks()
        try:
            if self._house is None:
                self._house = await self._build()
            elif (self._clock.now() - self._slept_at).total_seconds() > self._stale_seconds:
                await self._house.forget_connections()
            return await work(self._house)
        finally:
            late = asyncio.all_tasks() - before
            for task in late:
                task.cancel()
            if late:
                await asyncio.gather(*late, return_exceptions=True)
