"""The sweeper: finds what is due, what was lost, and what nobody was told of; the only one to move a look later."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from chalicelib.engine.controls import recheck
from chalicelib.engine.looking import look
from chalicelib.engine.messages import Resume, Send
from chalicelib.engine.records import RecordKey
from chalicelib.engine.writes import Applied
from chalicelib.errors import NotFoundError, PenstockError
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.controls import messages_for_chunks
from chalicelib.worker.parts import under_way
from chalicelib.worker.tools import Tools

log = logging.getLogger("penstock.worker")

AT_ONCE = 32
"""How many heads are looked at beside one another."""

UNREADABLE = 900_000
"""Milliseconds until a head that could not be judged is looked at again."""


async def sweep(tools: Tools, limit: int = 1_000) -> int:
    """Look at every head whose moment has come, at most `limit`, and send for what is due; how many were looked at.

    One head that cannot be read or judged disturbs no other. Raises StoreError where the store cannot be asked at all.
    """
    keys = await tools.facts.due(to_milliseconds(tools.clock.now()), limit)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(key: RecordKey) -> None:
        async with room:
            try:
                await _look_at(tools, key)
            except PenstockError as error:
                log.warning("Execution %s could not be looked at: %s", key.execution, error.detail)
            except Exception:  # one head's bug must not keep the others from being found
                log.exception("Looking at execution %s met a bug.", key.execution)

    await asyncio.gather(*(one(key) for key in keys))
    return len(keys)


async def take_up(tools: Tools, keys: Sequence[RecordKey]) -> int:
    """A new boot: send for what an earlier one was at, and for what has become due since; how many that were.

    What merely waits is left alone: its message or its due entry is still there. Nobody of the earlier boot is busy.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(key: RecordKey) -> bool:
        async with room:
            try:
                return await _take_up(tools, key)
            except NotFoundError:
                return False  # its version is not stored: the sweeper says so, again and again
            except PenstockError as error:
                log.warning("Execution %s could not be taken up: %s", key.execution, error.detail)
            except Exception:  # one head's bug must not keep the server from starting
                log.exception("Taking up execution %s met a bug.", key.execution)
            return False

    return sum(await asyncio.gather(*(one(key) for key in keys)))


async def _take_up(tools: Tools, key: RecordKey) -> bool:
    image = await tools.facts.read(key)
    if image is None or image.birth is None or image.next_check is None:
        return False
    plan = await tools.plans.plan(key.tenant, image.birth.flow, image.birth.version)
    now = to_milliseconds(tools.clock.now())
    found = look(plan, replace(image, busy=0), now, tools.settings.boot)
    if not found.is_due and not any(True for _ in under_way(plan, image)):
        return False
    # Whoever was to send for the chunks of a wide loop may not have come to it, and its lease lasts long.
    chunks = await messages_for_chunks(tools, plan, image)
    await tools.queue.send([Send(Resume(key.tenant, key.execution, image.epoch)), *chunks])
    return True


async def _look_at(tools: Tools, key: RecordKey) -> None:
    """Read it as it is, send for it if something is due, and only then move its next look."""
    image = await tools.facts.read(key)
    now = to_milliseconds(tools.clock.now())
    if image is None or image.next_check is None or image.next_check > now or image.birth is None:
        return
    try:
        plan = await tools.plans.plan(key.tenant, image.birth.flow, image.birth.version)
    except NotFoundError as error:
        log.warning("Execution %s: %s", key.execution, error.detail)
        await tools.facts.write(recheck(image, now, now + UNREADABLE))
        return
    found = look(plan, image, now, tools.settings.boot)
    if found.is_due:
        # First the message: who crashes in between leaves a look that is due still.
        await tools.queue.send([Send(Resume(key.tenant, key.execution, image.epoch))])
    answer = await tools.facts.write(recheck(image, now, found.next_check))
    if not isinstance(answer, Applied):
        log.debug("Execution %s moved while it was looked at; it is looked at again.", key.execution)
