"""Dead letters: a message that could not be worked off becomes a failure that people see, and can redrive."""

import contextlib
import hashlib
import logging

from chalicelib.engine.conditions import live_claims
from chalicelib.engine.looking import AGAIN, look
from chalicelib.engine.messages import Chunk, Go, Message, Resume, Start
from chalicelib.engine.records import Image, Reason, RecordKey, Status
from chalicelib.engine.writes import Commit, Finish
from chalicelib.errors import NotFoundError, PenstockError
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, deliver, stillborn, take_up
from chalicelib.worker.parts import loop_key, page_of, under_way
from chalicelib.worker.tools import Tools

log = logging.getLogger("penstock.worker")

CODE = "dead_letter"
SAID = (
    "A message for it was delivered again and again, and no worker came to an end with it: the log says what each met. "
    "Mend that, then redrive the execution."
)
ALIVE = frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSED, Status.ENDING})


async def bury(tools: Tools, message: Message | None, body: str, budget: Budget) -> bool:
    """Make a dead letter visible; whether that is done, so that the letter itself may go.

    `message` is None where the body is none of ours: that is logged, without a word of it, and the letter is kept.
    Raises StoreError and its like where it must be tried again.
    """
    if message is None:
        digest = hashlib.sha256(body.encode(errors="replace")).hexdigest()
        log.error(
            "A dead letter is no message of Penstock's: %d bytes, SHA-256 %s. Nothing else is affected.",
            len(body),
            digest[:16],
        )
        return False
    key = RecordKey(message.tenant, message.execution)
    log.error("Execution %s: a message for it is a dead letter.", key.execution, extra={"code": CODE})
    image = await tools.facts.read(key)
    if image is None:
        if isinstance(message, Start):
            await stillborn(tools, key, message.birth, CODE, SAID)
        return True
    match message:
        case Chunk(epoch=epoch) if image.status is Status.RUNNING and image.epoch == epoch:
            from chalicelib.worker.chunks import bury_chunk  # imported late: most dead letters are of another kind

            await bury_chunk(await take_up(tools, key, image, budget), message, SAID)
        case Chunk():
            pass
        case Go(epoch=epoch) | Resume(epoch=epoch) if image.epoch != epoch:
            pass
        case _:
            await _end(tools, image, message, budget)
    return True


async def _end(tools: Tools, image: Image, message: Message, budget: Budget) -> None:
    """The execution fails; its `on_failure` steps run, unless they are what cannot be worked off."""
    if image.status.is_terminal:
        return  # all that is left is to tell others of it, and the sweeper sends for that
    now = to_milliseconds(tools.clock.now())
    if await _is_at_work(tools, image, now):
        log.info("Execution %s is being worked on: the dead letter was one too many.", image.key.execution)
        return
    was_buried = image.status is Status.ENDING and image.reason is not None and image.reason.code == CODE
    if image.status is Status.ENDING and not await _is_due(tools, image, now):
        return  # what is left of it waits for its own moment
    step = message.steps[0] if isinstance(message, Go) and len(message.steps) == 1 else ""
    reason = Reason(Status.FAILED, step, CODE, SAID)
    begun = Commit(image.key, image.epoch, now, allowed=ALIVE, ending=reason, next_check=now + AGAIN)
    found = (await tools.facts.write(begun)).image
    if found is None or found.status.is_terminal or found.epoch != image.epoch:
        return
    if not was_buried:
        try:
            verdict = await deliver(tools, Resume(image.key.tenant, image.key.execution, image.epoch), budget)
        except PenstockError as error:
            log.warning("Execution %s could not be ended in the ordinary way: %s", image.key.execution, error.detail)
        else:
            if isinstance(verdict, Acknowledge):
                return
    await _finish(tools, image.key)


async def _is_due(tools: Tools, image: Image, now: int) -> bool:
    """Whether something is to be done in it now; yes where nobody can tell."""
    if image.birth is None:
        return True
    try:
        plan = await tools.plans.plan(image.key.tenant, image.birth.flow, image.birth.version)
    except NotFoundError:
        return True
    return look(plan, image, now, tools.settings.boot).is_due


async def _is_at_work(tools: Tools, image: Image, now: int) -> bool:
    """Whether somebody else is at it, or at one of its loops: then the sweeper sees to it should that one die."""
    records = [image]
    if image.birth is not None:
        with contextlib.suppress(NotFoundError):
            plan = await tools.plans.plan(image.key.tenant, image.birth.flow, image.birth.version)
            for step, fact in under_way(plan, image):
                record = await tools.facts.read(loop_key(image.key, step.id, page_of(fact)))
                records += [record] if record is not None else []
    return any(each.busy > now or live_claims(each, now, tools.settings.boot) for each in records)


async def _finish(tools: Tools, key: RecordKey) -> None:
    """Ended as it stands, once nobody holds a step in it; until then its due entry brings it here again."""
    image = await tools.facts.read(key)
    now = to_milliseconds(tools.clock.now())
    if image is None or image.status is not Status.ENDING or live_claims(image, now, tools.settings.boot):
        return
    how = image.reason.how if image.reason is not None else Status.FAILED
    # Followers are told by whoever looks at it next: nothing here knows the plan, which may be what is broken.
    finish = Finish(how, told=False)
    is_ending = frozenset({Status.ENDING})
    expires = int(now / 1000 + tools.settings.retention_seconds)
    write = Commit(
        *(key, image.epoch, now),
        allowed=is_ending,
        ending=image.reason,
        finish=finish,
        next_check=now,
        expires=expires,
    )
    after = (await tools.facts.write(write)).image
    if after is not None and after.status.is_terminal:
        tools.announce(after)
