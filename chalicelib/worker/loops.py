"""Loops within one invocation: a turn for each item, so many at once, results in order."""

import asyncio
from dataclasses import dataclass
from typing import cast

from chalicelib.engine.facts import fact_name
from chalicelib.engine.records import Status
from chalicelib.errors import ExpressionError, MissingValueError, ParameterError, PenstockError, WorkerMishapError
from chalicelib.flow.plan import Body, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.driving import drive
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.flight import Landing
from chalicelib.worker.ledger import Ledger
from chalicelib.worker.loop_records import RECORD_IS_FULL, is_full, open_loop, too_many_failed
from chalicelib.worker.parts import loop_key
from chalicelib.worker.recording import record
from chalicelib.worker.rounds import run_rounds
from chalicelib.worker.stage import Grounds, Stage, keeps_facts
from chalicelib.worker.together import Together
from chalicelib.worker.turns import Turn, TurnResult, Turns, is_slow, read_turns
from chalicelib.worker.values import Values

MOST_DURABLE_FACTS = 4_000
"""Facts of turns that one record holds, at about 60 bytes each: a DynamoDB item takes 400 KB in all."""

BREATH = 16
"""How many turns in a row begin before others in this process get their turn."""


@dataclass(slots=True)
class Progress:
    """How far a loop has come in this invocation."""

    results: list[TurnResult | None]
    """In order; None for a turn that has not ended."""
    failed: int = 0
    is_put_off: bool = False
    """No time is left here: no further turn is begun."""
    is_full: bool = False
    """The record holds no more turns: no further one is begun."""


async def run_loop(stage: Stage, landing: Landing) -> Outcome:
    """Every turn of a `foreach`, and what came of them: {"results", "failed", "count"}; or the rounds of a `repeat`.

    A body that only computes and reads keeps nothing of its own. Otherwise the loop has a record: its facts, claims
    and packs lie there, so a crash repeats no turn that was recorded.
    """
    step, course = landing.prepared.step, stage.course
    body = cast("Body", step.body)
    if body.until is not None:
        return await run_rounds(stage, landing, body, turn)
    try:
        turns = read_turns(course, step, landing.prepared.parameters)
    except PenstockError as error:
        return Failed(Failure(error.code, error.detail))
    if not turns.items:
        return Succeeded({"results": [], "failed": [], "count": 0})
    ledger, values = None, stage.values
    if keeps_facts(body) or is_slow(course, turns):
        if len(turns.items) * len(body.steps) > MOST_DURABLE_FACTS:
            said = f"`{step.id}`: {len(turns.items)} turns of {len(body.steps)} steps are too many for one run."
            return Failed(
                Failure("too_many_items", f"{said} Use larger batches, or cut the list into several executions.")
            )
        ledger = stage.ledger
        if not stage.grounds.path:
            ledger, values = await open_loop(course, loop_key(course.head.key, step.id))
    is_fresh = course.budget.remaining_seconds(course.now()) >= course.tools.settings.invocation_seconds * 0.9
    progress = await all_turns(stage, landing, body, turns, ledger, values)
    if progress.is_full:
        return Failed(Failure("too_many_items", f"`{step.id}`: {RECORD_IS_FULL}", sent="answered"))
    if any(each is None for each in progress.results) and progress.failed <= turns.tolerated:
        if progress.is_put_off and ledger is None and is_fresh and not stage.is_stopped:
            said = f"`{step.id}` does not end within one invocation, and begins anew in the next."
            return Failed(
                Failure("too_long", f"{said} Give it fewer items, a higher `concurrency` or shorter retries.")
            )
        landing.was_stopped = True
        if ledger is not None and ledger.image is not None and ledger.image.status is not Status.RUNNING:
            await course.head.look()  # it was told to stop or to pause: the head says why
        return Failed(Failure("stopped", f"`{step.id}` was stopped before all its turns had run."))
    return _concluded(step, turns, [each or TurnResult() for each in progress.results])


async def all_turns(
    stage: Stage,
    landing: Landing,
    body: Body,
    turns: Turns,
    ledger: Ledger | None,
    values: Values,
    together: Together | None = None,
) -> Progress:
    """Each turn once, in lanes beside one another, until all have ended or no further one is to begin.

    What turns leave in `together` is for the caller to record.
    """
    step = landing.prepared.step
    together = together or _together(stage, ledger)
    progress = Progress([None] * len(turns.items))
    todo = iter(range(len(turns.items)))

    async def lane() -> None:
        ended = 0
        for index in todo:
            has_begun = _has_begun(stage, ledger, body, turns.offset + index)
            if ended and not has_begun:
                await _pause(stage, step, turns, progress, ended)
            progress.is_full |= is_full(ledger) and not has_begun
            if not _may_begin(stage, step, turns, progress):
                return
            if not index % BREATH:
                await asyncio.sleep(0)
            try:
                one = Turn(turns.offset + index, _names(body, turns, index))
                inner, result = await turn(stage, landing, body, one, ledger, values, together)
            except Exception as error:  # noqa: BLE001  raised by `drive`, once the other turns have landed
                stage.mishap = stage.mishap or error
                return
            if result is None:
                # Its place stays taken, by a turn that waits or that another holds. One that keeps nothing begins anew.
                progress.is_put_off |= ledger is None
                return
            ended = inner.latest_end()
            progress.results[index] = result
            progress.failed += result.failure is not None

    lanes = [asyncio.ensure_future(lane()) for _ in range(min(turns.concurrency, len(turns.items)))]
    try:
        await asyncio.gather(*lanes)
    finally:
        for each in lanes:
            each.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    return progress


def _together(stage: Stage, ledger: Ledger | None) -> Together | None:
    """Whom the turns record with: each other, and whoever writes to the same record beside the loop."""
    if ledger is None:
        return None
    return (stage.together if ledger is stage.ledger else None) or Together(ledger)


def _may_begin(stage: Stage, step: StepPlan, turns: Turns, progress: Progress) -> bool:
    """Whether a further turn is begun here."""
    if stage.is_stopped or progress.is_put_off or progress.is_full or progress.failed > turns.tolerated:
        return False
    if not stage.course.budget.fits(stage.course.now(), 0):
        _put_off(stage, step, progress, 0)
    return not progress.is_put_off


async def _pause(stage: Stage, step: StepPlan, turns: Turns, progress: Progress, ended: int) -> None:
    """Wait before the next turn takes the place of one that ended then; elsewhere, where that does not fit here."""
    course = stage.course
    due = ended + int(turns.pause_seconds * 1000)
    left = (due - course.now()) / 1000
    if not turns.pause_seconds or left <= 0:
        return
    if course.budget.fits(course.now(), left):
        await course.tools.clock.sleep(left)
    else:
        _put_off(stage, step, progress, due)


def _put_off(stage: Stage, step: StepPlan, progress: Progress, due: int) -> None:
    """No time is left: another invocation goes on with the loop."""
    progress.is_put_off = True
    stage.put_off(step, due)


def _has_begun(stage: Stage, ledger: Ledger | None, body: Body, index: int) -> bool:
    """Whether the record has something of this turn: then an earlier invocation has paused before it."""
    image = ledger.image if ledger is not None else None
    path = (*stage.grounds.path, index)
    return image is not None and any(fact_name(each.ordinal, path) in image.facts for each in body.steps)


def _names(body: Body, turns: Turns, index: int) -> dict[str, Json]:
    """What a turn's steps may name beyond the rest."""
    return {body.item: turns.items[index], "index": turns.offset + index}


async def turn(
    stage: Stage,
    landing: Landing,
    body: Body,
    one: Turn,
    ledger: Ledger | None,
    values: Values,
    together: Together | None = None,
) -> tuple[Stage, TurnResult | None]:
    """The body once; None where it was stopped, or goes on in another invocation."""
    course, step, index = stage.course, landing.prepared.step, one.index
    path = (*stage.grounds.path, index)
    outer = cast("dict[str, Json]", landing.scope["steps"])
    outer_errors = cast("dict[str, Json]", landing.scope["errors"])
    loop = stage.grounds.loop or step.id
    known = {**stage.grounds.names, **one.names}
    grounds = Grounds(body.steps, path, known, outer, outer_errors, started_by=stage.grounds.started_by, loop=loop)
    grounds.since = one.since or to_milliseconds(landing.prepared.moment.now)
    inner = Stage(course, grounds, ledger, values, loops=run_loop, above=stage)
    inner.together = together
    await drive(inner)
    while ledger is not None and inner.pending:
        if _may_leave(inner) and together is not None and await together.leave(inner.pending):
            break
        await record(inner)
        await drive(inner)  # what the write brought back may have made more of it ready
    if together is not None and _may_leave(inner) and not inner.pending:
        together.ended += 1
    unhandled = inner.board.unhandled
    if unhandled is not None:
        await inner.scope((unhandled.id,))
        entry = values.entries.get(inner.name_of(unhandled))
        told = entry.failure if entry is not None and entry.failure is not None else {"code": "failed", "message": ""}
        return inner, TurnResult(failure={**told, "step": unhandled.id})
    if not inner.board.is_finished:
        if inner.is_stopped or course.held or any(each.step == loop for each in course.later):
            return inner, None
        raise WorkerMishapError(f"turn {index} of `{step.id}` could not be finished in this invocation")
    return inner, await _output(inner, landing, body)


def _may_leave(turn: Stage) -> bool:
    """Whether a turn of the outermost loop is over, and nobody waits for what it says."""
    is_over = turn.board.is_finished or turn.board.unhandled is not None
    return is_over and len(turn.grounds.path) == 1 and not turn.answers


async def _output(turn: Stage, landing: Landing, body: Body) -> TurnResult:
    """The turn's value: what `output` says, or the value of the body's only last step."""
    course, step = turn.course, landing.prepared.step
    ids = tuple(each.id for each in body.steps)
    scope = await turn.scope(ids)
    if body.output is None:
        steps = cast("dict[str, Json]", scope["steps"])
        return TurnResult(steps.get(body.last) if body.last else None)
    moment = moment_for(course.execution, step.id, turn.grounds.path, turn.latest_end(), course.plan.timezone)
    try:
        return TurnResult(await evaluated(course.tools.evaluator, body.output, scope, moment, turn.absences))
    except (ExpressionError, MissingValueError, ParameterError) as error:
        return TurnResult(failure={"code": error.code, "message": f"`output` of `{step.id}`: {error.detail}"})


def _concluded(step: StepPlan, turns: Turns, results: list[TurnResult]) -> Outcome:
    failed: list[Json] = [
        {"index": index, "item": turns.items[index], "error": dict(each.failure)}
        for index, each in enumerate(results)
        if each.failure is not None
    ]
    if len(failed) > turns.tolerated:
        return too_many_failed(step, failed, len(failed), len(turns.items))
    return Succeeded({"results": [each.value for each in results], "failed": failed, "count": len(results)})
