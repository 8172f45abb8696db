"""Who in this process waits for what: ends that are announced, and work that outlives its request."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from chalicelib.engine.records import Image
from chalicelib.errors import PenstockError, WorldError
from chalicelib.flow.values import Json

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
        error = None if task.cancelled() else task.exception()
        if isinstance(error, WorldError):
            log.warning("Work in the background could not go on: %s", error.detail)
        elif error is not None and not isinstance(error, PenstockError):  # those are told to whoever waits
            log.error("Work in the background met a bug.", exc_info=error)
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
    """Who in this process waits for what an execution says: its first `respond`, and its end."""

    def __init__(self) -> None:
        self._ends: _Waiting[Image] = {}
        self._responses: _Waiting[Json] = {}

    def of(self, execution: str) -> asyncio.Future[Image]:
        """A future that the execution's end will fulfil."""
        return _wait(self._ends, execution)

    def response_of(self, execution: str) -> asyncio.Future[Json]:
        """A future that the first `respond` step will fulfil."""
        return _wait(self._responses, execution)

    def leave(self, execution: str) -> None:
        """Whoever has gone no longer waits: their futures are cancelled, and forgotten here."""
        _forget(self._ends, execution)
        _forget(self._responses, execution)

    def announce(self, image: Image) -> None:
        """The execution has ended."""
        _tell(self._ends, image.key.execution, image)

    def respond(self, execution: str, value: Json) -> None:
        """A `respond` step of the execution is done, and recorded."""
        _tell(self._responses, execution, value)


_T = TypeVar("_T")
_Waiting: TypeAlias = dict[str, list[asyncio.Future[_T]]]


def _wait(waiting: _Waiting[_T], execution: str) -> asyncio.Future[_T]:
    future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
    waiting.setdefault(execution, []).append(future)
    return future


def _forget(waiting: _Waiting[_T], execution: str) -> None:
    left = [future for future in waiting.pop(execution, []) if not future.done()]
    if left:
        waiting[execution] = left


def _tell(waiting: _Waiting[_T], execution: str, value: _T) -> None:
    for future in waiting.pop(execution, []):
        if not future.done():
            future.set_result(value)
