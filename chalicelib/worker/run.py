"""The one loop: take the facts, run what is ready, record it, send for the rest, end what has ended."""

from collections.abc import Callable

from chalicelib.engine.ending import Ends, verdict
from chalicelib.engine.records import Status
from chalicelib.errors import WorkerMishapError
from chalicelib.flow.plan import StepPlan
from chalicelib.worker.course import Course
from chalicelib.worker.driving import drive
from chalicelib.worker.finishing import end_badly, end_well
from chalicelib.worker.followers import tell_followers
from chalicelib.worker.handing import hand_over
from chalicelib.worker.loops import run_loop
from chalicelib.worker.recording import record
from chalicelib.worker.report import Report, Went
from chalicelib.worker.stage import Grounds, Stage
from chalicelib.worker.values import Values

ROUNDS = 50
"""How often others may be first with the last write before the delivery is given back."""


async def run(course: Course) -> Report:
    """Work on an execution as far as this invocation may.

    Raises WorkerMishapError or StoreError where the delivery must come again.
    """
    for _ in range(ROUNDS):
        report = await _round(course)
        if report is not None:
            return report
        # Others were first: the same work, judged again from the record as it is.
        course.is_stopped = False
        course.named = None
        course.later[:] = [each for each in course.later if not each.is_known]  # nobody else sends for the others
        course.held.clear()
    raise WorkerMishapError(f"the end of execution {course.execution} was judged {ROUNDS} times, and never recorded")


async def _round(course: Course) -> Report | None:
    """To the end, a hand-over, or (None) a last write for which others were too quick."""
    image = course.head.image
    if image is not None and image.status.is_terminal:
        course.tools.announce(image)
        await tell_followers(course.tools, course.plan, image)
        return Report(Went.ENDED, image)
    values = Values(course.tools.facts, course.tools.blobs, course.head.key)
    grounds = Grounds(course.plan.steps, started_by=course.started_by)
    stage = Stage(course, grounds, course.head, values, loops=run_loop, starts=_starts(course))
    try:
        while True:
            await drive(stage)
            if _is_paused(course) and not course.is_overdue:
                if stage.pending:
                    await record(stage)
                    continue
                return Report(Went.HANDED_OVER, course.head.image)  # whoever resumes it sends for what is left
            has_succeeded = verdict(stage.board, None) == Ends(Status.SUCCEEDED)  # also what we left to others
            if _is_ending(course) or stage.board.unhandled is not None or (course.is_overdue and not has_succeeded):
                return await end_badly(course, stage)
            if has_succeeded:
                return await end_well(course, stage)
            if stage.was_called_back and _is_running(course):
                return None  # it was paused, and goes on: what was cleared away is ready still
            if not stage.pending and course.head.image is not None:
                return await hand_over(course)
            # What the write brings back, other workers' facts, may have made more of it ready.
            await record(stage)
    except Exception:
        # Whatever else went wrong, what may have had an effect is recorded where that can be.
        if any(each.step.effect.needs_barrier for each in stage.pending) and stage.mishap is None:
            await record(stage)
        raise


def _starts(course: Course) -> Callable[[StepPlan], bool] | None:
    """Which of the steps ready at the beginning are ours: all, or those named and what follows from them."""
    if course.named is None:
        return None
    wanted = course.named | course.below(set(course.named))
    return lambda step: step.id in wanted


def _is_running(course: Course) -> bool:
    image = course.head.image
    return image is not None and image.status is Status.RUNNING and not course.is_overdue


def _is_paused(course: Course) -> bool:
    image = course.head.image
    return image is not None and image.status is Status.PAUSED


def _is_ending(course: Course) -> bool:
    image = course.head.image
    return image is not None and image.status is Status.ENDING
