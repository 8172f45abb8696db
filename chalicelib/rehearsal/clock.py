"""Virtual time: a loop and a clock that jump to the next moment somebody waits for, once nothing else can run."""

import asyncio
import heapq
import selectors
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


class NothingToWaitForError(RuntimeError):
    """Everything waits, and nothing will ever wake it: a bug in what runs on this loop."""


class VirtualClock:
    """Fulfils `ports.Clock`. Time passes only when everything on its loop sleeps: then it jumps to the next moment."""

    def __init__(self, start: datetime) -> None:
        """`start` is aware, in UTC, of whole milliseconds."""
        self._start = start
        self._elapsed = 0  # microseconds: whole numbers, so that 0.1 s and 0.2 s make 0.3 s
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    @property
    def elapsed_seconds(self) -> float:
        """How much time has passed since the start."""
        return self._elapsed / 1_000_000

    def now(self) -> datetime:
        """The moment, in whole milliseconds, as records keep it."""
        return self._start + timedelta(milliseconds=self._elapsed // 1000)

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._elapsed + round(seconds * 1_000_000), self._count, woken))
        await woken

    def jump(self, timer_seconds: float | None) -> None:
        """Go to the next moment that a sleeper waits for, or to the loop's own next timer where that comes first.

        Raises NothingToWaitForError where there is neither.
        """
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)  # cancelled
        # A microsecond more, so that a float that was rounded down cannot make the timer ring for ever.
        timer = None if timer_seconds is None else self._elapsed + int(timer_seconds * 1_000_000) + 1
        if self._sleepers and (timer is None or self._sleepers[0][0] <= timer):
            self._elapsed, _, woken = heapq.heappop(self._sleepers)
            woken.set_result(None)
        elif timer is not None:
            self._elapsed = timer
        else:
            raise NothingToWaitForError


class _JumpingSelector(selectors.BaseSelector):
    """Where the loop would wait, the clock jumps. Input that is there already (a signal) comes first."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._inner = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._inner.select(0)
        if not found and (timeout is None or timeout > 0):
            self._clock.jump(timeout)
        return found

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class _NumberedTask(asyncio.Task[Any]):
    """A task that hashes to its number: sets of tasks are then gone through in the same order on every run."""

    def __init__(self, number: int, *arguments: Any, **named: Any) -> None:
        self._number = number
        super().__init__(*arguments, **named)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, the same on every run."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._tasks_begun = 0
        super().__init__(_JumpingSelector(clock))
        self.set_task_factory(self._number_task)

    def time(self) -> float:
        """Seconds of virtual time since the start."""
        return self._clock.elapsed_seconds

    def _number_task(self, loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Task[Any]:
        self._tasks_begun += 1
        return _NumberedTask(self._tasks_begun, work, loop=loop, **named)
