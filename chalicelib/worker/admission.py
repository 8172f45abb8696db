"""Who may begin: an execution that is queued, for its lanes or for a flow that is paused, is let in when it can be."""

from chalicelib.engine.controls import admit
from chalicelib.engine.records import Birth, Reason, Status
from chalicelib.engine.writes import Cancel
from chalicelib.worker.budget import SKEW, to_text
from chalicelib.worker.controls import messages_for_chunks
from chalicelib.worker.course import Course
from chalicelib.worker.lanes import take_places
from chalicelib.worker.looks import GRACE
from chalicelib.worker.tools import Tools


async def must_queue(tools: Tools, tenant: str, birth: Birth) -> bool:
    """Whether it is to be born queued; that its flow was paused may be known a few seconds late."""
    return bool(birth.lanes) or await _is_paused(tools, tenant, birth.flow)


async def _is_paused(tools: Tools, tenant: str, flow: str) -> bool:
    """Whether its flow is paused, asked anew: whoever resumed it wakes nobody that is queued by an older pointer."""
    live = await tools.plans.live(tenant, flow)
    if live is None or not live.paused:
        return False
    tools.plans.forget(tenant, flow)
    live = await tools.plans.live(tenant, flow)
    return live is not None and live.paused


async def admitted(course: Course) -> bool:
    """Let it in if it may run now; True too where it was let in before, or is ending."""
    image = course.head.image
    if image is None or image.status is not Status.QUEUED or image.birth is None:
        return True
    now, birth = course.now(), image.birth
    if course.is_overdue:
        said = f"It was to be over by {to_text(course.deadline)}, and was queued until then."
        reason = Reason(Status.TIMED_OUT, "", "deadline", said)
        await course.tools.facts.write(Cancel(image.key, reason, now, now + SKEW))
        await course.head.look()
        return True
    # A place is taken, or waited for, while the flow is paused too: so they begin in the order they were accepted.
    has_place = await take_places(
        course.tools, course.tenant, course.execution, birth.lanes, birth.started, image.epoch
    )
    if await _is_paused(course.tools, course.tenant, birth.flow) or not has_place:
        return False
    deadline = course.budget.deadline
    await course.head.carry_out(admit(image, course.now(), busy=deadline, next_check=deadline + GRACE))
    image = course.head.image
    if image is None or image.status is Status.QUEUED:
        return False
    if image.epoch:  # redriven: what is lost of its wide loops was not sent for while it was queued
        chunks = await messages_for_chunks(course.tools, course.plan, image)
        if chunks:
            await course.tools.queue.send(chunks)
    return True
