"""Taking messages off a queue: each worked off by itself, none disturbing another."""

import asyncio
import logging
from collections.abc import Sequence

from chalicelib.engine.messages import Tick
from chalicelib.errors import DeliveryConflictError, PenstockError
from chalicelib.ports import Inbox, Received
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.tools import Tools

log = logging.getLogger("penstock.worker")

LONGEST_PAUSE_SECONDS = 60
"""Between two tries of a message that could not be worked off."""


async def work_off(tools: Tools, received: Received, budget: Budget) -> int | None:
    """Work one delivery off: None when it is done with, else after how many seconds it shall come again."""
    if received.message is None:
        log.error(
            "A message in the queue is none of ours; it will end as a dead letter.", extra={"count": received.count}
        )
        return LONGEST_PAUSE_SECONDS
    execution = received.message.execution
    try:
        if isinstance(received.message, Tick):
            from chalicelib.worker.minutes import hear  # imported late: only where the host fires to the minute

            await hear(tools, received.message)
            return None
        verdict = await deliver(tools, received.message, budget, is_first=received.count <= 1)
    except DeliveryConflictError as error:
        # The same delivery id with another body: the first one counts, and this one is told of here alone.
        log.warning("%s", error.detail, extra={"execution": execution, "code": error.code})
        return None
    except PenstockError as error:
        log.warning("Execution %s: %s It will be tried again.", execution, error.detail, extra={"code": error.code})
    except Exception:  # the loop must survive whatever one message brings
        log.exception("Execution %s met a bug; it will be tried again.", execution)
    else:
        return None if isinstance(verdict, Acknowledge) else verdict.delay_seconds
    return min(LONGEST_PAUSE_SECONDS, 2**received.count)


async def work_batch(tools: Tools, inbox: Inbox, batch: Sequence[Received], budget: Budget) -> list[Received]:
    """Work off what one invocation was handed, all at once; returns those that must come again (and when is told)."""
    delays = await asyncio.gather(*(work_off(tools, each, budget) for each in batch))
    failed: list[Received] = []
    for each, delay in zip(batch, delays, strict=True):
        if delay is not None:
            failed.append(each)
            try:
                await inbox.fail(each, delay)
            except PenstockError as error:  # it comes again all the same, only not at that moment
                log.warning("A message could not be held back: %s", error.detail)
    return failed


class Listener:
    """The embedded server's side of the queue: so many messages at once, until it is told to stop."""

    def __init__(self, tools: Tools, inbox: Inbox, *, concurrency: int = 256) -> None:
        self._tools = tools
        self._inbox = inbox
        self._concurrency = concurrency
        self._working: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()

    async def listen(self) -> None:
        """Take and work off messages for ever; cancel it to stop."""
        try:
            while True:
                room = self._concurrency - len(self._working)
                if room <= 0:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                for each in await self._inbox.receive(min(room, 64), 20):
                    task = asyncio.get_running_loop().create_task(self._work(each))
                    self._working.add(task)
                    task.add_done_callback(self._leave)
        finally:
            for task in self._working:
                task.cancel()
            await asyncio.gather(*self._working, return_exceptions=True)

    async def _work(self, received: Received) -> None:
        now = to_milliseconds(self._tools.clock.now())
        budget = Budget(now + int(self._tools.settings.invocation_seconds * 1000))
        delay = await work_off(self._tools, received, budget)
        try:
            if delay is None:
                await self._inbox.acknowledge([received])
            else:
                await self._inbox.fail(received, delay)
        except PenstockError as error:
            log.warning("A message could not be acknowledged and will come again: %s", error.detail)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._freed.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("The queue listener met a bug.", exc_info=task.exception())
