"""How an execution ends here (design 4.9): well, or badly once nothing is held any more."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.engine.conditions import live_claims
from chalicelib.engine.controls import stop
from chalicelib.engine.ending import Ends, seen_from_on_failure, verdict
from chalicelib.engine.facts import Claimed
from chalicelib.engine.records import Image, Reason, Status
from chalicelib.engine.writes import Finish
from chalicelib.errors import ExpressionError, MissingValueError, ParameterError, StoreError
from chalicelib.flow.values import Json
from chalicelib.worker.budget import to_text
from chalicelib.worker.children import cancel_children, children_of
from chalicelib.worker.course import Course
from chalicelib.worker.driving import drive
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.followers import has_followers, tell_followers
from chalicelib.worker.handing import hand_over
from chalicelib.worker.ledger import Committed
from chalicelib.worker.loop_records import kept_until
from chalicelib.worker.loops import run_loop
from chalicelib.worker.packing import json_text
from chalicelib.worker.parts import tell_parts, under_way
from chalicelib.worker.recording import record
from chalicelib.worker.report import Report, Went
from chalicelib.worker.stage import Grounds, Stage

TOMBSTONE_SECONDS = 17 * 86_400
"""For so long after it was accepted an execution with a delivery key is remembered: a start may come for 14 days."""


async def end_well(course: Course, stage: Stage) -> Report | None:
    """Every step is settled: compute the output, and record the end with what is not recorded yet.

    None where others were first, and it must be judged again.
    """
    output: Json = None
    if course.plan.output is not None:
        try:
            output = await _output(course, stage)
        except (ExpressionError, MissingValueError, ParameterError) as error:
            reason = Reason(Status.FAILED, "", error.code, course.secrets.mask_text(f"`output`: {error.detail}"))
            return await end_badly(course, stage, reason)
    return await _finish(course, stage, Finish(Status.SUCCEEDED), None, output)


async def _output(course: Course, stage: Stage) -> Json:
    if course.plan.output is None:
        return None
    scope = await stage.scope(tuple(course.plan.output_needs))
    moment = moment_for(course.execution, "output", (), stage.latest_end(), course.plan.timezone)
    value = await evaluated(course.tools.evaluator, course.plan.output, scope, moment, stage.absences)
    try:
        json_text(value)
    except (ValueError, RecursionError) as error:
        raise ExpressionError("its value is not JSON: it holds NaN, an infinity, or nests too deeply") from error
    return course.secrets.mask(value)


async def end_badly(course: Course, stage: Stage, reason: Reason | None = None) -> Report | None:
    """A failure nobody handles, a cancel or the deadline: record it, run `on_failure`, end once no claim is live.

    None where others were first, and it must be judged again.
    """
    course.is_stopped = True
    course.later.clear()  # no ordinary step goes on; what somebody holds is looked for below
    course.held.clear()
    image = course.head.image
    reason = (image.reason if image is not None else None) or reason or await _reason(course, stage)
    handlers = course.plan.on_failure if reason.how is not Status.CANCELLED else ()
    is_told = image is not None and image.status is Status.ENDING and not stage.pending
    if (handlers or _has_loops(course) or (image is not None and children_of([image]))) and not is_told:
        await _commit(course, stage, ending=reason)
        image = course.head.image
        if image is None or image.status is not Status.ENDING:
            return None
        reason = image.reason or reason  # somebody may have been first with another one: that is what it ends for
        handlers = course.plan.on_failure if reason.how is not Status.CANCELLED else ()
    if handlers:
        board = stage.board
        stage = _handling(course, stage, reason)
        while True:
            await drive(stage)
            if isinstance(verdict(board, reason, on_failure=stage.board), Ends):
                break
            if not stage.pending:
                return await hand_over(course)
            await record(stage)
    image = course.head.image
    leases = await _leases_of_others(course, stage, reason)
    if leases:
        # Whoever holds a claim records its outcome, sees the ending in the image, and ends it. Should it have died,
        # this delivery comes again when its lease has run out.
        if stage.pending or image is None or image.status is not Status.ENDING:
            await _commit(course, stage, ending=reason)
        return Report(Went.HELD, course.head.image, min(leases))
    return await _finish(course, stage, Finish(reason.how), reason, None)


def _has_loops(course: Course) -> bool:
    image = course.head.image
    return image is not None and any(True for _ in under_way(course.plan, image))


async def _leases_of_others(course: Course, stage: Stage, reason: Reason) -> list[int]:
    """When the claims run out that are live and not about to be settled by us, those in loops included."""
    image = course.head.image
    if image is None:
        return []
    now, boot = course.now(), course.tools.settings.boot
    records: list[Image] = [image]
    if _has_loops(course) and image.status is Status.ENDING:
        epoch, expires = course.head.epoch, kept_until(course)
        facts, plan = course.tools.facts, course.plan
        records += await tell_parts(facts, plan, image, lambda key, _: stop(key, epoch, reason, now, expires))
    if image.status is Status.ENDING:
        await cancel_children(course.tools, records, reason)
    settled = {each.name for each in stage.pending}
    return [
        fact.expires
        for each in records
        for name in live_claims(each, now, boot)
        if isinstance(fact := each.facts[name], Claimed) and not (each is image and name in settled)
    ]


def _handling(course: Course, stage: Stage, reason: Reason) -> Stage:
    """The `on_failure` steps. What fails among them is recorded and changes nothing else."""
    url = f"{course.tools.settings.base_url}/api/v1/executions/{course.execution}"
    failure: Json = {"step": reason.step, "code": reason.code, "message": reason.message, "url": url}
    grounds = Grounds(
        course.plan.on_failure,
        names={"failure": failure},
        outside=seen_from_on_failure(course.plan.steps, stage.board),
        started_by=course.started_by,
    )
    return Stage(course, grounds, course.head, stage.values, loops=run_loop, is_failure_handling=True)


async def _reason(course: Course, stage: Stage) -> Reason:
    """Why it is failing: the first failure that nobody handles, or its deadline."""
    step = stage.board.unhandled
    if step is None:
        said = f"It was to be over by {to_text(course.deadline)}, and was not. Allow more with `deadline`."
        return Reason(Status.TIMED_OUT, "", "deadline", said)
    await stage.scope((step.id,))
    entry = stage.values.entries.get(stage.name_of(step))
    failure: Mapping[str, Json] = entry.failure if entry is not None and entry.failure is not None else {}
    return Reason(Status.FAILED, step.id, str(failure.get("code", "failed")), str(failure.get("message", "")))


async def _finish(course: Course, stage: Stage, finish: Finish, reason: Reason | None, output: Json) -> Report | None:
    """The last write; None where it was refused because others were first."""
    keep = course.plan.retention_seconds or course.tools.settings.retention_seconds
    expires = int(course.now() / 1000 + keep)
    birth = course.head.birth
    if birth is not None and birth.keyed:
        # The record is what tells a delivery that comes again: for as long as one may (design 4.2).
        expires = max(expires, birth.started // 1000 + TOMBSTONE_SECONDS)
    if await has_followers(course, finish.status):
        finish = replace(finish, told=False)
    committed = await _commit(course, stage, ending=reason, finish=finish, output=output, expires=expires)
    image = course.head.image
    if image is not None and image.status.is_terminal:
        course.tools.announce(image)
        await tell_followers(course.tools, course.plan, image)
        return Report(Went.ENDED, image)
    if committed.has_ended:
        raise StoreError(f"the end of execution {course.execution} was recorded, and is not there")
    return None  # others were first with something: it is judged again


async def _commit(course: Course, stage: Stage, **more: Any) -> Committed:
    """Record what is finished, and more; where that fails, it is kept for another try."""
    done, stage.pending = stage.pending, []
    try:
        committed = await course.head.commit(done, **more)
    except Exception:
        stage.pending = [*done, *stage.pending]
        raise
    stage.answers = [each for each in stage.answers if each[0] not in committed.dropped]
    stage.answer()
    return committed
