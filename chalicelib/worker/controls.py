"""What people do to an execution: cancel it, pause it, let it go on."""

import asyncio

from chalicelib.engine import controls
from chalicelib.engine.cut import Cut
from chalicelib.engine.facts import HELD
from chalicelib.engine.looking import AGAIN
from chalicelib.engine.messages import Chunk, Resume, Send
from chalicelib.engine.records import Image, Reason, RecordKey, Status
from chalicelib.engine.writes import Applied, Cancel, Write
from chalicelib.errors import ConflictError, ExecutionEndedError, NotFoundError
from chalicelib.flow.plan import Plan
from chalicelib.ports import Listing
from chalicelib.worker.budget import SKEW, to_milliseconds
from chalicelib.worker.loop_records import LONGEST_RUN_SECONDS
from chalicelib.worker.parts import lost_chunks, tell_parts, under_way
from chalicelib.worker.tools import Tools

_PAGE = 100
"""Executions that are listed at a time."""


async def find_head(tools: Tools, key: RecordKey) -> Image:
    """An execution's head; raises NotFoundError."""
    image = await tools.facts.read(key)
    if image is None or image.birth is None:
        said = f"There is no execution {key.execution}. It may not have begun yet; try again in a moment."
        raise NotFoundError(said)
    return image


async def plan_of(tools: Tools, image: Image) -> Plan:
    """The flow version that an execution runs on."""
    if image.birth is None:
        raise NotFoundError(f"Execution {image.key.execution} has no birth.")
    return await tools.plans.plan(image.key.tenant, image.birth.flow, image.birth.version)


def has_ended(image: Image) -> ExecutionEndedError:
    """Why nothing can be done to it any more."""
    if image.status is Status.ENDING:
        return ExecutionEndedError(f"Execution {image.key.execution} is ending already.")
    return ExecutionEndedError(f"Execution {image.key.execution} has {image.status.word} already.")


async def cancel(tools: Tools, key: RecordKey, message: str) -> Image:
    """Nothing more is started in it, nor in its loops; what is under way is recorded, then it ends."""
    now = to_milliseconds(tools.clock.now())
    reason = Reason(Status.CANCELLED, "", "cancelled", message)
    image = (await tools.facts.write(Cancel(key, reason, now, now + SKEW))).image
    if image is None:
        said = f"There is no execution {key.execution}. It may not have begun yet; try again in a moment."
        raise NotFoundError(said)
    if image.status.is_terminal:
        raise has_ended(image)
    # Also where it was ending already: whoever began that may have died before its message was out.
    plan, expires = await plan_of(tools, image), _expires(tools, now)
    why = image.reason or reason
    await tell_parts(tools.facts, plan, image, lambda part, _: controls.stop(part, image.epoch, why, now, expires))
    await tools.queue.send([Send(Resume(key.tenant, key.execution, image.epoch))])
    return image


async def pause(tools: Tools, key: RecordKey) -> Image:
    """Once this returns, no claim succeeds in it any more, nor in its loops."""
    seen = await find_head(tools, key)
    now = to_milliseconds(tools.clock.now())
    answer = await tools.facts.write(controls.pause(seen, now))
    image = answer.image
    if not isinstance(answer, Applied) or image is None:
        raise _not_so(image or seen, "paused")
    await _hold(tools, await plan_of(tools, image), image, now, is_held=True)
    return image


async def resume(tools: Tools, key: RecordKey) -> Image:
    """It goes on where it was paused; its loops first, so that nobody finds them held."""
    seen = await find_head(tools, key)
    now = to_milliseconds(tools.clock.now())
    if seen.status not in controls.ALIVE:
        raise _not_so(seen, "resumed")
    plan = await plan_of(tools, seen)
    await _hold(tools, plan, seen, now, is_held=False)
    answer = await tools.facts.write(controls.resume(seen, now, now + AGAIN))
    image = answer.image
    if not isinstance(answer, Applied) or image is None:
        raise _not_so(image or seen, "resumed")
    chunks = await messages_for_chunks(tools, plan, image)
    await tools.queue.send([Send(Resume(key.tenant, key.execution, image.epoch)), *chunks])
    return image


async def _hold(tools: Tools, plan: Plan, head: Image, now: int, *, is_held: bool) -> None:
    """The same for its loops, each time counted: what was sent before and arrives late changes nothing any more."""
    expires = _expires(tools, now)

    def hold(part: RecordKey, found: Image | None) -> Write:
        known = found.facts.get(HELD) if found is not None else None
        return controls.hold(part, head.epoch, now, expires, known, is_held=is_held)

    await tell_parts(tools.facts, plan, head, hold)


def _not_so(image: Image, what: str) -> ConflictError:
    if image.status is Status.QUEUED:
        said = f"Execution {image.key.execution} is queued, and cannot be {what}: it has not begun. Cancel it instead."
        return ConflictError(said)
    return has_ended(image)


async def messages_for_chunks(tools: Tools, plan: Plan, image: Image) -> list[Send]:
    """Messages that found it held, or ended, were done with: what is lost of its wide loops is sent for again."""
    key = image.key
    found: list[Send] = []
    for step, fact in under_way(plan, image):
        if fact.kind == "cut":
            lost = await lost_chunks(tools.facts, key, step.id, Cut.from_text(fact.detail))
            found += [Send(Chunk(key.tenant, key.execution, image.epoch, step.id, chunk)) for chunk in lost]
    return found


async def resume_flow(tools: Tools, tenant: str, flow: str) -> int:
    """Send for every execution of a flow that is queued, the oldest first; those that may run now will."""
    found: list[str] = []
    cursor = None
    while True:
        listing = Listing(tenant, flow=flow, status=Status.QUEUED, limit=_PAGE, cursor=cursor)
        page = await tools.facts.page(listing)
        found += [each.id for each in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    count = 0
    for begin in range(0, len(found), _PAGE):
        ids = found[::-1][begin : begin + _PAGE]
        heads = await asyncio.gather(*(tools.facts.read(RecordKey(tenant, each)) for each in ids))
        queued = [head for head in heads if head is not None and head.status is Status.QUEUED]
        if queued:
            await tools.queue.send([Send(Resume(tenant, head.key.execution, head.epoch)) for head in queued])
        count += len(queued)
    return count


def _expires(tools: Tools, now: int) -> int:
    return int(now / 1000 + tools.settings.retention_seconds) + LONGEST_RUN_SECONDS
