"""Who in this process waits for what: ends that are announced, and work that outlives its request."""

import asyncio
from typing import Any

from chalicelib.engine.records import Image


class Background:
    """Work that outlives the request it began with; the embedded server waits for it when it stops."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Keep the task until it is done."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


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
