"""Handing over: what is left of an execution goes on in another invocation."""

from dataclasses import replace

from chalicelib.engine.facts import Claimed, Waiting, fact_name
from chalicelib.engine.messages import LONGEST_DELAY_SECONDS, Go, Send
from chalicelib.engine.writes import Exactly, Put
from chalicelib.worker.course import Course
from chalicelib.worker.ledger import Open
from chalicelib.worker.looks import GRACE, look_at
from chalicelib.worker.report import Report, Went

LONGEST_LOOP_WAIT = 3_600_000
"""Milliseconds after which a loop whose turns all wait is looked at again, whatever they wait for."""


async def hand_over(course: Course) -> Report:
    """All that is finished is recorded: send for what is left, never the other way round (I8)."""
    image = course.head.image
    if image is not None and image.status.is_terminal:
        return Report(Went.ENDED, image)
    await _note_long_waits(course)
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


async def _note_long_waits(course: Course) -> None:
    """The head says when a loop whose turns wait for long is to be looked at: delays are never chained (design 4.7)."""
    image, now = course.head.image, course.now()
    dues: dict[str, int] = {}
    for each in course.later:
        dues[each.step] = min(each.due, dues.get(each.step, each.due))
    opens: dict[str, Open] = {}
    for step_id, due in dues.items():
        step = course.plan.by_id[step_id]
        name = fact_name(step.ordinal)
        fact = image.facts.get(name) if image is not None else None
        if not isinstance(fact, Waiting) or fact.kind != "loop":
            continue
        look = min(look_at(due, now), now + LONGEST_LOOP_WAIT)
        is_far = due - now > LONGEST_DELAY_SECONDS * 1000
        if not (is_far and fact.due != look) and fact.due > now:
            continue
        moved = replace(fact, due=max(look, now + GRACE))
        opens[name] = Open(Put(moved, Exactly(fact)), step)
    if opens:
        await course.head.commit((), opens, is_leaving=not course.held)


async def _send_for_later(course: Course) -> None:
    """A message for each moment: steps due at the same time travel together. The sweeper brings what is far off."""
    now = course.now()
    by_delay: dict[int, list[str]] = {}
    for each in course.later:
        if each.is_known:
            continue
        # Once the deadline has passed, it brings nothing forward any more: what `on_failure` waits for has its time.
        due = each.due if not course.deadline or course.is_overdue else min(each.due, course.deadline)
        delay = max(0, -(-(due - now) // 1000))
        if delay <= LONGEST_DELAY_SECONDS:
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
