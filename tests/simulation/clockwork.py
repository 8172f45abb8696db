"""An event loop without a world behind it: callbacks run in the order they came, and time moves when it is told to."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any


class Handle:
    """A callback that may be cancelled."""

    __slots__ = ("arguments", "callback", "context", "is_cancelled", "moment")

    def __init__(self, callback: Callable[..., Any], arguments: tuple[Any, ...], context: Context, moment: float = 0.0):
        self.callback = callback
        self.arguments = arguments
        self.context = context
        self.moment = moment
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.moment


class Numbered(asyncio.Future[Any]):
    """A future that lies in a set where its number says, not where memory happened to put it."""

    def __init__(self, loop: "Clockwork") -> None:
        super().__init__(loop=loop)
        loop.count += 1
        self.number = loop.count

    def __hash__(self) -> int:
        return self.number


class NumberedTask(asyncio.Task[Any]):
    """The same for tasks: what `asyncio.wait` returns is a set."""

    def __init__(self, coroutine: Any, loop: "Clockwork", context: Context | None = None) -> None:
        loop.count += 1
        self.number = loop.count
        super().__init__(coroutine, loop=loop, name=str(self.number), context=context)

    def __hash__(self) -> int:
        return self.number


class Clockwork(asyncio.AbstractEventLoop):
    """`run` empties what is ready; `advance` moves time to the next timer. Nothing else ever happens by itself."""

    def __init__(self, postpones: Callable[[Handle], bool]) -> None:
        """`postpones` is asked of every timer that is due: whether whoever set it cannot run now, and keeps it."""
        self.elapsed = 0
        """Milliseconds since the beginning."""
        self.count = 0
        self.errors: list[dict[str, Any]] = []
        self._postpones = postpones
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[int, int, Handle]] = []
        self._set = 0
        self._is_closed = False

    def run(self) -> None:
        """Run everything that can run without the world's doing."""
        ready = self._ready
        while ready:
            each = ready.popleft()
            if not each.is_cancelled:
                each.context.run(each.callback, *each.arguments)

    def next_timer(self) -> int | None:
        """When the next timer is due, in milliseconds since the beginning."""
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def advance(self, elapsed: int) -> None:
        """It is so late now; timers that are due become ready, in the order of their moments."""
        self.elapsed = max(self.elapsed, elapsed)
        timers = self._timers
        while timers and timers[0][0] <= self.elapsed:
            handle = heapq.heappop(timers)[2]
            if not handle.is_cancelled and not self._postpones(handle):
                self._ready.append(handle)

    def set_again(self, handle: Handle) -> None:
        """A timer that was kept back is due now."""
        if not handle.is_cancelled:
            self._ready.append(handle)

    def time(self) -> float:
        return self.elapsed / 1000

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, context if context is not None else copy_context())
        if not self._is_closed:
            self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self.elapsed / 1000 + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, context if context is not None else copy_context(), when)
        self._set += 1
        milliseconds = when * 1000
        due = int(milliseconds)
        heapq.heappush(self._timers, (due + (milliseconds - due > 1e-4), self._set, handle))
        return handle

    def create_future(self) -> Any:
        return Numbered(self)

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: Any = None, context: Context | None = None) -> Any:
        return NumberedTask(coro, self, context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        self._is_closed = True
        self._ready.clear()
        self._timers.clear()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def __enter__(self) -> "Clockwork":
        asyncio._set_running_loop(self)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio._set_running_loop(None)
        self.close()
