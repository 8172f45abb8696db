"""Who in this process waits for what: ends that are announced, and work that outlives its request."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from chalicelib.engine.records import Image

log = logging.getLogger("penstock.worker")


class Background:
    """Work that outlives the request it began with: so much of it at once, the rest in the order it came."""

    def __init__(self, concurrency: int = 256) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        self._waiting: deque[Callable[[], Coroutine[Any, Any, Any]]] = deque()
        self._concurrency = concurrency

    def begin(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Do this work as soon as there is room. What it raises is its own affair, and must not happen."""
        if len(self.tasks) < self._concurrency:
            self._start(work)
        else:
            self._waiting.append(work)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """A task that is under way already."""
        self.tasks.add(task)
        task.add_done_callback(self._leave)

    def _start(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.keep(asyncio.get_running_loop().create_task(work()))

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("Work in the background met a bug.", exc_info=task.exception())
        if self._waiting and len(self.tasks) < self._concurrency:
            self._start(self._waiting.popleft())

    async def stop(self) -> None:
        """Cancel it all, and wait until it has ended: whatever is not recorded will be taken up again."""
        self._waiting.clear()
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Ends:
    """Who in this process waits for which execution to end."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Image]]] = {}

    def of(self, execution: str) -> asyncio.Future[Image]:
        """A future that the execution's end will fulfil."""
        future: asyncio.Future[Image] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(execution, []).append(future)
        return future

    def leave(self, execution: str, future: asyncio.Future[Image]) -> None:
        """Nobody waits on this future any more."""
        waiting = self._waiting.get(execution, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiting.pop(execution, None)

    def announce(self, image: Image) -> None:
        """The execution has ended."""
        for future in self._waiting.pop(image.key.execution, []):
            if not future.done():
                future.set_result(image)
