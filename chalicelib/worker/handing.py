"""Handing over: what is left of an execution goes on in another invocation."""

from chalicelib.engine.facts import Claimed, fact_name
from chalicelib.engine.messages import LONGEST_DELAY_SECONDS, Go, Send
from chalicelib.worker.course import Course
from chalicelib.worker.report import Report, Went


async def hand_over(course: Course) -> Report:
    """All that is finished is recorded: send for what is left, never the other way round (I8)."""
    await _send_for_later(course)
    if course.held:
        return Report(Went.HELD, course.head.image, min(_until(course, step) for step in course.held))
    return Report(Went.HANDED_OVER, course.head.image)


def _until(course: Course, step_id: str) -> int:
    """When a held step needs a look: when its lease runs out; at once where its holder has let go of it meanwhile."""
    step, image = course.plan.by_id[step_id], course.head.image
    fact = image.facts.get(fact_name(step.ordinal)) if image is not None else None
    if fact is None or isinstance(fact, Claimed):
        return course.held[step_id]
    return course.now()


async def _send_for_later(course: Course) -> None:
    """A message for each moment: steps that are due at the same time travel together."""
    now = course.now()
    by_delay: dict[int, list[str]] = {}
    for each in course.later:
        due = min(each.due, course.deadline) if course.deadline else each.due
        delay = min(LONGEST_DELAY_SECONDS, max(0, -(-(due - now) // 1000)))
        by_delay.setdefault(delay, []).append(each.step)
    sends: list[Send] = []
    for delay, steps in by_delay.items():
        apart = [step for step in steps if course.plan.by_id[step].apart]
        groups = [[step] for step in dict.fromkeys(apart)] + [[step for step in steps if step not in apart]]
        for group in groups:
            if group:
                go = Go(course.tenant, course.execution, course.head.epoch, tuple(dict.fromkeys(group)))
                sends.append(Send(go, delay))
    if sends:
        await course.tools.queue.send(sends)
