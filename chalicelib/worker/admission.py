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
    """Whether it is to be born queued; the pointer of its flow may be a few seconds old."""
    if birth.lanes:
        return True
    live = await tools.plans.live(tenant, birth.flow)
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
    live = await course.tools.plans.live(course.tenant, birth.flow)
    if not has_place or (live is not None and live.paused):
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
