"""When a head needs its next look, and whether something is due in it now (design 4.7): the sweeper's judgement."""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.engine.conditions import is_live
from chalicelib.engine.ending import facts_by_id, seen_from_on_failure
from chalicelib.engine.facts import REDRIVEN, Claimed, Counted, Fact, Retrying, Waiting, fact_name, signal_name
from chalicelib.engine.readiness import Board
from chalicelib.engine.records import Image, Status
from chalicelib.flow.plan import Plan, StepPlan

AGAIN = 60_000
"""Milliseconds until a head is looked at again after a message was sent for it."""

SHORTEST, LONGEST = 60_000, 900_000
"""Between two looks at a head in which nothing is due by itself: 1 minute while it is young, 15 once it is old."""

SELDOM = 6 * 3_600_000
"""The longest between two questions to an execution that another one waits for."""

PATIENT = 86_400_000
"""The same where all that is open waits for somebody's answer: their signal brings its own look."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the sweeper is to do with a head."""

    next_check: int
    is_due: bool
    """Something is due, or ready and held by nobody: send for it."""


def deadline_of(plan: Plan, image: Image) -> int:
    """When an execution is to be over, in epoch milliseconds; 0: whenever. A redrive gives it its time anew."""
    birth = image.birth
    if birth is None or not birth.deadline:
        return 0
    redriven = image.facts.get(REDRIVEN)
    if isinstance(redriven, Counted) and plan.deadline_seconds:
        return redriven.number + int(plan.deadline_seconds * 1000)
    return birth.deadline


def look(plan: Plan, image: Image, now: int, boot: int) -> Look:
    """The judgement of a head that is not finished with."""
    age = now - (image.birth.started if image.birth is not None else now)
    far = now + min(LONGEST, max(SHORTEST, age // 4))
    if image.status is Status.QUEUED:
        return Look(far, is_due=True)  # it may get its place now
    if _is_due(plan, image, now, boot):
        return Look(now + AGAIN, is_due=True)
    moments = [moment for moment in (deadline_of(plan, image), *_moments(image, now, boot)) if moment > now]
    asks_child = False
    calls = [fact.since for fact in image.facts.values() if isinstance(fact, Waiting) and fact.kind == "call"]
    if image.status is Status.RUNNING and calls and image.busy <= now and now - min(calls) >= LONGEST:
        # Told or not: ask the other execution itself now and then, less and less often.
        asks_child, far = True, now + min(SELDOM, max(LONGEST, (now - min(calls)) // 4))
    elif image.status is Status.RUNNING and _only_answers_are_missing(plan, image):
        far = now + PATIENT
    return Look(min([*moments, far]) if moments else far, is_due=asks_child)


def _is_due(plan: Plan, image: Image, now: int, boot: int) -> bool:
    status = image.status
    if status.is_terminal:
        return True  # somebody must still be told
    is_overdue = 0 < deadline_of(plan, image) <= now
    if status is Status.PAUSED:
        return is_overdue
    if image.busy > now and not is_overdue:
        # Somebody is at it, and at its loops, and will see what is due by itself; a wait that is over may be nobody's.
        return any(
            _is_over(image, name, fact, now)
            for name, fact in image.facts.items()
            if not (isinstance(fact, Waiting) and fact.kind in {"loop", "cut"})
        )
    held = [fact for fact in image.facts.values() if is_live(fact, now, boot)]
    if status is Status.ENDING:
        return not held and _may_end(plan, image, now)
    if is_overdue:
        return True
    return any(_is_over(image, name, fact, now) for name, fact in image.facts.items()) or _has_ready(
        plan, image, now, boot
    )


def _may_end(plan: Plan, image: Image, now: int) -> bool:
    """Whether something is to be done while it is ending: a step of `on_failure`, or the end itself."""
    is_cancelled = image.reason is not None and image.reason.how is Status.CANCELLED
    if is_cancelled or not plan.on_failure:
        return True
    started_by = image.birth.trigger if image.birth is not None else ""
    board = Board(plan.steps, facts_by_id(plan.steps, image), triggers=plan.triggers, started_by=started_by)
    outside = seen_from_on_failure(plan.steps, board)
    handlers = Board(plan.on_failure, facts_by_id(plan.on_failure, image), outside, triggers=plan.triggers)
    if handlers.is_finished or handlers.unhandled is not None:
        return True
    open_ = {each.step.ordinal: image.facts.get(fact_name(each.step.ordinal)) for each in handlers.take_ready()}
    return any(
        not isinstance(fact, Waiting | Retrying) or _is_over(image, fact_name(ordinal), fact, now)
        for ordinal, fact in open_.items()
    )


def _is_over(image: Image, name: str, fact: Fact, now: int) -> bool:
    """Whether a wait or a retry has come to its moment, or a signal to its step."""
    match fact:
        case Waiting(kind="call"):
            return False  # its end is told
        case Waiting(due=due):
            return 0 < due <= now or f"S{name[1:]}" in image.facts
        case Retrying(due=due):
            return due <= now
        case _:
            return False


def _has_ready(plan: Plan, image: Image, now: int, boot: int) -> bool:
    facts = facts_by_id(plan.steps, image)
    started_by = image.birth.trigger if image.birth is not None else ""
    board = Board(plan.steps, facts, triggers=plan.triggers, started_by=started_by)
    if board.unhandled is not None or board.is_finished:
        return True
    for each in board.take_ready():
        fact = image.facts.get(fact_name(each.step.ordinal))
        if fact is None or (isinstance(fact, Claimed) and not is_live(fact, now, boot)):
            return True
    return False


def _moments(image: Image, now: int, boot: int) -> Iterator[int]:
    yield image.busy
    for fact in image.facts.values():
        match fact:
            case Waiting(due=due) | Retrying(due=due):
                yield due
            case Claimed(expires=expires) if is_live(fact, now, boot):
                yield expires
            case _:
                pass


def _only_answers_are_missing(plan: Plan, image: Image) -> bool:
    """Whether every step that has begun is done, or waits for somebody's answer that has not come."""
    waits = [_waits_for_answer(step, image) for step in plan.steps]
    return any(waits) and all(
        waits[place] or not isinstance(image.facts.get(fact_name(step.ordinal)), Waiting | Claimed | Retrying)
        for place, step in enumerate(plan.steps)
    )


def _waits_for_answer(step: StepPlan, image: Image) -> bool:
    fact = image.facts.get(fact_name(step.ordinal))
    is_asked = isinstance(fact, Waiting) and fact.kind in {"callback", "approval"}
    return is_asked and signal_name(step.ordinal) not in image.facts
