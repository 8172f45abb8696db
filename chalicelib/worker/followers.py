"""Who is told of an end: the step that called it, the next in its lanes, the flows that listen for failures.

They are told after the terminal write, which keeps the due entry while there are any; a second write removes it once
they are told. Whoever dies in between leaves the entry, and the sweeper sends for it: telling twice changes nothing.
"""

import contextlib
import hashlib
import logging

from chalicelib.engine.controls import recheck
from chalicelib.engine.messages import Send
from chalicelib.engine.records import Birth, Image, RecordKey, Status
from chalicelib.errors import CallerError, ConflictError, NotFoundError
from chalicelib.flow.listening import flows_heard
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.flow.values import Json
from chalicelib.ports import Knock, Live, TurnedAway
from chalicelib.worker.budget import to_milliseconds, to_text
from chalicelib.worker.children import DEEPEST, parent_of
from chalicelib.worker.course import Course
from chalicelib.worker.knocking import start_of, understand
from chalicelib.worker.lanes import leave_lanes
from chalicelib.worker.parts import message_for
from chalicelib.worker.tools import Tools

log = logging.getLogger("penstock.worker")

FAILURES = frozenset({Status.FAILED, Status.TIMED_OUT})
"""The ends that error triggers are told of (design 9: a cancel is no failure)."""


async def has_followers(course: Course, status: Status) -> bool:
    """Whether anybody must be told of this end; nothing is read for an execution that nobody can follow."""
    image = course.head.image
    birth = image.birth if image is not None else course.head.birth
    if birth is None:
        return False
    if parent_of(birth.parent) is not None or birth.lanes:
        return True
    return status in FAILURES and bool(await _listeners(course.tools, course.plan, course.tenant, birth))


async def tell_followers(tools: Tools, plan: Plan | None, image: Image) -> None:
    """Tell them all, and record that they were told. Nothing to do where the due entry is gone.

    `plan` is None where its version is not stored: then nobody knows whether a failure had started it.
    """
    birth = image.birth
    if image.next_check is None or birth is None:
        return
    waiting = parent_of(birth.parent)
    if waiting is not None:
        await _tell_parent(tools, image, *waiting)
    if image.status in FAILURES:
        for live in await _listeners(tools, plan, image.key.tenant, birth):
            await _start(tools, image, live)
    await leave_lanes(tools, image.key.tenant, image.key.execution, birth.lanes, image.epoch)
    await tools.facts.write(recheck(image, to_milliseconds(tools.clock.now()), None))


async def _tell_parent(tools: Tools, image: Image, execution: str, step: str, part: str) -> None:
    key = RecordKey(image.key.tenant, execution)
    head = await tools.facts.read(key)
    if head is None or head.birth is None or head.status.is_terminal:
        return
    plan = await tools.plans.plan(key.tenant, head.birth.flow, head.birth.version)
    if step in plan.by_id:
        await tools.queue.send([Send(message_for(plan, key, part, step, head.epoch))])


async def _listeners(tools: Tools, plan: Plan | None, tenant: str, birth: Birth) -> list[Live]:
    """The flows to tell of this flow's failure; none where a failure started it: that would go round for ever."""
    if plan is not None and _is_error_trigger(plan, birth):
        return []
    found = {live.flow: live for live in await tools.plans.listeners(tenant, "error")}
    found |= {live.flow: live for live in await tools.plans.listeners(tenant, f"error:{birth.flow}")}
    found.pop(birth.flow, None)
    if found and await _comes_of_a_failure(tools, tenant, birth):
        return []
    return [found[flow] for flow in sorted(found)]


def _is_error_trigger(plan: Plan, birth: Birth) -> bool:
    trigger = plan.triggers.get(birth.trigger)
    return trigger is not None and trigger.uses == "error"


async def _comes_of_a_failure(tools: Tools, tenant: str, birth: Birth) -> bool:
    """Whether it was called, directly or through others, by an execution that a failure had started."""
    for _ in range(DEEPEST):
        caller = birth.parent.partition(".")[0]
        head = await tools.facts.read(RecordKey(tenant, caller)) if caller else None
        if head is None or head.birth is None:
            return False
        birth = head.birth
        with contextlib.suppress(NotFoundError):
            if _is_error_trigger(await tools.plans.plan(tenant, birth.flow, birth.version), birth):
                return True
    return False


async def tell_again(tools: Tools, image: Image) -> None:
    """An execution has ended, and whoever ended it may have died before everybody was told."""
    plan: Plan | None = None
    if image.birth is not None:
        with contextlib.suppress(NotFoundError):
            plan = await tools.plans.plan(image.key.tenant, image.birth.flow, image.birth.version)
    await tell_followers(tools, plan, image)


async def _start(tools: Tools, image: Image, live: Live) -> None:
    """Start the error triggers of a flow; once for each end, however often this is told."""
    plan = await tools.plans.plan(live.tenant, live.flow, live.version)
    for trigger in plan.triggers.values():
        if trigger.uses == "error" and _is_meant(trigger, image):
            try:
                knock = _knock(tools, plan, trigger, image)
                understood = await understand(tools, knock)
                if not isinstance(understood, TurnedAway):
                    await tools.queue.send([Send(await start_of(tools, knock, *understood))])
            except (CallerError, ConflictError) as error:
                # Its own mapping is at fault: that must not keep anybody else from being told.
                log.warning("The error trigger `%s` of `%s`: %s", trigger.id, plan.flow, error.detail)


def _is_meant(trigger: TriggerPlan, image: Image) -> bool:
    heard = flows_heard(trigger.parameters)
    return not heard or (image.birth is not None and image.birth.flow in heard)


def _knock(tools: Tools, plan: Plan, trigger: TriggerPlan, image: Image) -> Knock:
    birth, reason = image.birth, image.reason
    if birth is None:
        raise NotFoundError(f"Execution {image.key.execution} has no birth.")
    execution = image.key.execution
    document: dict[str, Json] = {
        "name": trigger.id,
        "at": to_text(image.ended),
        "execution": execution,
        "flow": birth.flow,
        "status": image.status.word,
        "step": reason.step if reason is not None else "",
        "code": reason.code if reason is not None else "failed",
        "message": reason.message if reason is not None else "",
        "url": f"{tools.settings.base_url}/api/v1/executions/{execution}",
    }
    key = f"{execution}.{image.epoch}"
    fingerprint = hashlib.sha256(key.encode()).hexdigest()
    return Knock(
        *(image.key.tenant, plan, trigger, document, None, "accepted", image.ended), key=key, fingerprint=fingerprint
    )
