"""The one loop: take the facts, run what is ready, record it, send for the rest, end what has ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import cast

from chalicelib.engine.conditions import live_claims
from chalicelib.engine.ending import seen_from_on_failure
from chalicelib.engine.facts import Claimed
from chalicelib.engine.messages import Go, Send
from chalicelib.engine.records import Image, Reason, Status
from chalicelib.engine.writes import Finish
from chalicelib.errors import ExpressionError, MissingValueError, ParameterError, StoreError
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.worker.course import Course
from chalicelib.worker.driving import drive
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.ledger import Finished
from chalicelib.worker.loops import run_loop
from chalicelib.worker.packing import json_text
from chalicelib.worker.recording import record
from chalicelib.worker.stage import Grounds, Stage
from chalicelib.worker.values import Values


class Went(Enum):
    """How an invocation's work on an execution ended."""

    ENDED = "ended"
    HANDED_OVER = "handed over"
    """Everything is recorded, and what is left to do is in the queue, or somebody else's."""
    HELD = "held"
    """A step of ours is in another worker's hands: give the delivery back."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of it, and the record as it stood last."""

    went: Went
    image: Image | None
    held_until: int = 0
    """Epoch milliseconds: when the last lease that kept us waiting runs out."""
    output: Json = None


async def run(course: Course) -> Report:
    """Work on an execution as far as this invocation may.

    Raises WorkerMishapError or StoreError where the delivery must come again.
    """
    image = course.head.image
    if image is not None and image.status.is_terminal:
        return Report(Went.ENDED, image)
    values = Values(course.tools.facts, course.tools.blobs, course.head.key)
    grounds = Grounds(course.plan.steps, started_by=course.started_by)
    stage = Stage(course, grounds, course.head, values, loops=run_loop, starts=_starts(course))
    while True:
        await drive(stage)
        if stage.board.unhandled is not None or _is_ending(course):
            return await _end_badly(course, stage, values)
        if stage.board.is_finished and not course.later and not course.held:
            return await _end_well(course, stage, values)
        if not stage.pending and course.head.image is not None:
            return await _hand_over(course)
        # What the write brings back, other workers' facts, may have made more of it ready.
        await record(stage)


def _starts(course: Course) -> Callable[[StepPlan], bool] | None:
    """Which of the steps ready at the beginning are ours: all, or those named and what follows from them."""
    if course.named is None:
        return None
    wanted = course.named | course.below(set(course.named))
    return lambda step: step.id in wanted


def _is_ending(course: Course) -> bool:
    image = course.head.image
    return image is not None and image.status is Status.ENDING


async def _end_well(course: Course, stage: Stage, values: Values) -> Report:
    """Every step is settled: compute the output, and record the end with what is not recorded yet."""
    output: Json = None
    if course.plan.output is not None:
        try:
            output = await _output(course, stage)
        except (ExpressionError, MissingValueError, ParameterError) as error:
            reason = Reason(Status.FAILED, "", error.code, course.secrets.mask_text(f"`output`: {error.detail}"))
            return await _end_badly(course, stage, values, reason)
    return await _finish(course, stage, Finish(Status.SUCCEEDED), None, output)


async def _output(course: Course, stage: Stage) -> Json:
    if course.plan.output is None:
        return None
    scope = await stage.scope(tuple(course.plan.output_needs))
    moment = moment_for(course.execution, "output", (), stage.latest_end(), course.plan.timezone)
    value = await evaluated(course.tools.evaluator, course.plan.output, scope, moment)
    try:
        json_text(value)
    except (ValueError, RecursionError) as error:
        raise ExpressionError("its value is not JSON: it holds NaN, an infinity, or nests too deeply") from error
    return course.secrets.mask(value)


async def _end_badly(course: Course, stage: Stage, values: Values, reason: Reason | None = None) -> Report:
    """A failure nobody handles, or a cancel: record it, run `on_failure`, and end once no claim is live."""
    course.is_stopped = True
    image = course.head.image
    reason = (image.reason if image is not None else None) or reason or await _reason(stage, values)
    handlers = course.plan.on_failure if reason.how is not Status.CANCELLED else ()
    if handlers:
        await course.head.commit(_take(stage), ending=reason)
        stage = await _handle(course, stage, values, reason)
        if course.later or course.held:
            return await _hand_over(course)
    leases = _leases_of_others(course, stage)
    if leases:
        # Whoever holds a claim records its outcome, sees the ending in the image, and ends it. Should it have died,
        # this delivery comes again when its lease has run out.
        await course.head.commit(_take(stage), ending=reason)
        return Report(Went.HELD, course.head.image, max(leases))
    return await _finish(course, stage, Finish(reason.how), reason, None)


def _leases_of_others(course: Course, stage: Stage) -> list[int]:
    """When the claims run out that are live and not about to be settled by us."""
    image = course.head.image
    if image is None:
        return []
    live = live_claims(image, course.now(), course.tools.settings.boot) - {each.name for each in stage.pending}
    return [fact.expires for name in live if isinstance(fact := image.facts[name], Claimed)]


async def _handle(course: Course, stage: Stage, values: Values, reason: Reason) -> Stage:
    """Run the `on_failure` steps. What fails among them is recorded and changes nothing else."""
    url = f"{course.tools.settings.base_url}/api/v1/executions/{course.execution}"
    failure: Json = {"step": reason.step, "code": reason.code, "message": reason.message, "url": url}
    scope = await stage.scope(tuple(step.id for step in course.plan.steps))
    grounds = Grounds(
        course.plan.on_failure,
        names={"failure": failure},
        outer_values=cast("dict[str, Json]", scope["steps"]),
        outer_errors=cast("dict[str, Json]", scope["errors"]),
        outside=seen_from_on_failure(course.plan.steps, stage.board),
        started_by=course.started_by,
    )
    handling = Stage(course, grounds, course.head, values, loops=run_loop, is_failure_handling=True)
    await drive(handling)
    return handling


async def _reason(stage: Stage, values: Values) -> Reason:
    """Why it is failing: the first failure that nobody handles."""
    step = stage.board.unhandled
    if step is None:
        raise TypeError("an execution without an unhandled failure is not failing")
    await stage.scope((step.id,))
    entry = values.entries.get(stage.name_of(step))
    failure: Mapping[str, Json] = entry.failure if entry is not None and entry.failure is not None else {}
    return Reason(Status.FAILED, step.id, str(failure.get("code", "failed")), str(failure.get("message", "")))


async def _finish(course: Course, stage: Stage, finish: Finish, reason: Reason | None, output: Json) -> Report:
    """The last write. Where it was refused because others were first, judge again from the image."""
    keep = course.plan.retention_seconds or course.tools.settings.retention_seconds
    expires = int(course.now() / 1000 + keep)
    done = _take(stage)
    committed = await course.head.commit(done, ending=reason, finish=finish, output=output, expires=expires)
    image = course.head.image
    if image is None or not image.status.is_terminal:
        if committed.adopted or committed.refused or (image is not None and image.status is Status.ENDING):
            return await run(_afresh(course))
        raise StoreError(f"the end of execution {course.execution} was not recorded")
    stage.answer()
    course.tools.announce(image)
    return Report(Went.ENDED, image, output=output if image.status is Status.SUCCEEDED else None)


def _afresh(course: Course) -> Course:
    """The same work, judged again from the record as it is."""
    course.is_stopped = False
    course.named = None
    course.later.clear()
    course.held.clear()
    return course


async def _hand_over(course: Course) -> Report:
    """All that is finished is recorded: send for what is left, never the other way round (I8)."""
    await send_for_later(course)
    if course.held:
        return Report(Went.HELD, course.head.image, max(course.held.values()))
    return Report(Went.HANDED_OVER, course.head.image)


async def send_for_later(course: Course) -> None:
    """A message for each moment: steps that are due at the same time travel together."""
    now = course.now()
    by_delay: dict[int, list[str]] = {}
    for each in course.later:
        delay = min(900, max(0, -(-(each.due - now) // 1000)))
        by_delay.setdefault(delay, []).append(each.step)
    sends: list[Send] = []
    for delay, steps in by_delay.items():
        apart = [step for step in steps if course.plan.by_id[step].apart]
        groups = [[step] for step in apart] + [[step for step in steps if step not in apart]]
        for group in groups:
            if group:
                go = Go(course.tenant, course.execution, course.head.epoch, tuple(dict.fromkeys(group)))
                sends.append(Send(go, delay))
    if sends:
        await course.tools.queue.send(sends)


def _take(stage: Stage) -> list[Finished]:
    done, stage.pending = stage.pending, []
    return done
