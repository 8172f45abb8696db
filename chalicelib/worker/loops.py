"""`foreach` within one invocation: a turn for each item, so many at once, results in order."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from chalicelib.engine.facts import fact_name
from chalicelib.engine.records import RecordKey
from chalicelib.errors import ExpressionError, MissingValueError, ParameterError, PenstockError, WorkerMishapError
from chalicelib.flow.plan import Body, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded
from chalicelib.worker.course import Course
from chalicelib.worker.driving import drive
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.flight import Landing
from chalicelib.worker.ledger import Ledger, is_over
from chalicelib.worker.recording import record
from chalicelib.worker.stage import Grounds, Stage, keeps_facts
from chalicelib.worker.values import Values

MOST_DURABLE_FACTS = 4_000
"""Facts of turns that one record holds, at about 60 bytes each: a DynamoDB item takes 400 KB in all."""

LONGEST_RUN_SECONDS = 14 * 86_400
"""How long after its loop an execution may end: its loops are kept at least as long as itself."""

BREATH = 16
"""How many turns in a row begin before others in this process get their turn."""

MOST_TURNS = 10_000


@dataclass(frozen=True, slots=True)
class Turns:
    """What a loop goes through, and how."""

    items: list[Json]
    concurrency: int
    pause_seconds: float
    tolerated: int
    """How many turns may fail."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What one turn gave."""

    value: Json = None
    failure: Mapping[str, Json] | None = None


@dataclass(slots=True)
class _Progress:
    """How far a loop has come in this invocation."""

    results: list[TurnResult | None]
    """In order; None for a turn that has not ended."""
    failed: int = 0
    is_put_off: bool = False
    """A turn waits for another invocation: no further one is begun here."""


async def run_loop(stage: Stage, landing: Landing) -> Outcome:
    """Every turn of a `foreach`, and what came of them: {"results", "failed", "count"}.

    A body that only computes and reads keeps nothing of its own. Otherwise the loop has a record: its facts, claims
    and packs lie there, so a crash repeats no turn that was recorded.
    """
    step, course = landing.prepared.step, stage.course
    body = cast("Body", step.body)
    try:
        turns = _turns(course, step, landing.prepared.parameters)
    except PenstockError as error:
        return Failed(Failure(error.code, error.detail))
    if not turns.items:
        return Succeeded({"results": [], "failed": [], "count": 0})
    ledger, values = None, stage.values
    if keeps_facts(body):
        if len(turns.items) * len(body.steps) > MOST_DURABLE_FACTS:
            said = f"`{step.id}`: {len(turns.items)} turns of {len(body.steps)} steps are too many for one run."
            return Failed(
                Failure("too_many_items", f"{said} Use larger batches, or cut the list into several executions.")
            )
        ledger = stage.ledger
        if not stage.grounds.path:
            ledger, values = await _open(course, step)
    is_fresh = course.budget.remaining_seconds(course.now()) >= course.tools.settings.invocation_seconds * 0.9
    progress = await _all_turns(stage, landing, body, turns, ledger, values)
    if any(each is None for each in progress.results) and progress.failed <= turns.tolerated:
        if progress.is_put_off and ledger is None and is_fresh and not stage.is_stopped:
            said = f"`{step.id}` does not end within one invocation, and begins anew in the next."
            return Failed(
                Failure("too_long", f"{said} Give it fewer items, a higher `concurrency` or shorter retries.")
            )
        landing.was_stopped = True
        if ledger is not None and ledger.image is not None and is_over(ledger.image):
            await course.head.look()  # it was told to stop: the head says why
        return Failed(Failure("stopped", f"`{step.id}` was stopped before all its turns had run."))
    return _concluded(step, turns, [each or TurnResult() for each in progress.results])


async def _open(course: Course, step: StepPlan) -> tuple[Ledger, Values]:
    """The loop's own record: as an earlier invocation left it, or to be created with its first write."""
    key = RecordKey(course.tenant, course.execution, step.id)
    image = await course.tools.facts.read(key)
    keep = course.plan.retention_seconds or course.tools.settings.retention_seconds
    expires = int(course.now() / 1000 + keep) + LONGEST_RUN_SECONDS
    ledger = Ledger(course.tools, key, course.budget, image, epoch=course.head.epoch, expires=expires)
    return ledger, Values(course.tools.facts, course.tools.blobs, key)


async def _all_turns(
    stage: Stage, landing: Landing, body: Body, turns: Turns, ledger: Ledger | None, values: Values
) -> _Progress:
    """Each turn once, in lanes beside one another, until all have ended or no further one is to begin."""
    course, step = stage.course, landing.prepared.step
    progress = _Progress([None] * len(turns.items))
    todo = iter(range(len(turns.items)))

    async def lane() -> None:
        is_first = True
        for index in todo:
            if turns.pause_seconds and not is_first and not _has_begun(stage, ledger, body, index):
                if course.budget.fits(course.now(), turns.pause_seconds):
                    await course.tools.clock.sleep(turns.pause_seconds)
                else:
                    _put_off(stage, step, progress, course.now() + int(turns.pause_seconds * 1000))
            is_first = False
            if stage.is_stopped or progress.is_put_off or progress.failed > turns.tolerated:
                return
            if not course.budget.fits(course.now(), 0):
                _put_off(stage, step, progress, 0)
                return
            if not index % BREATH:
                await asyncio.sleep(0)
            try:
                result = await _turn(stage, landing, body, turns, index, ledger, values)
            except Exception as error:  # noqa: BLE001  raised by `drive`, once the other turns have landed
                stage.mishap = stage.mishap or error
                return
            if result is None:
                progress.is_put_off = True
                return
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


def _put_off(stage: Stage, step: StepPlan, progress: _Progress, due: int) -> None:
    """No time is left: another invocation goes on with the loop."""
    progress.is_put_off = True
    stage.put_off(step, due)


def _has_begun(stage: Stage, ledger: Ledger | None, body: Body, index: int) -> bool:
    """Whether the record has something of this turn: then an earlier invocation has paused before it."""
    image = ledger.image if ledger is not None else None
    path = (*stage.grounds.path, index)
    return image is not None and any(fact_name(each.ordinal, path) in image.facts for each in body.steps)


async def _turn(
    stage: Stage, landing: Landing, body: Body, turns: Turns, index: int, ledger: Ledger | None, values: Values
) -> TurnResult | None:
    """One item through the body; None where it was stopped, or goes on in another invocation."""
    course, step = stage.course, landing.prepared.step
    path = (*stage.grounds.path, index)
    names: dict[str, Json] = {**stage.grounds.names, body.item: turns.items[index], "index": index}
    outer = cast("dict[str, Json]", landing.scope["steps"])
    outer_errors = cast("dict[str, Json]", landing.scope["errors"])
    loop = stage.grounds.loop or step.id
    grounds = Grounds(body.steps, path, names, outer, outer_errors, started_by=stage.grounds.started_by, loop=loop)
    turn = Stage(course, grounds, ledger, values, loops=run_loop, above=stage)
    await drive(turn)
    while ledger is not None and turn.pending:
        await record(turn)
        await drive(turn)  # what the write brought back may have made more of it ready
    unhandled = turn.board.unhandled
    if unhandled is not None:
        await turn.scope((unhandled.id,))
        entry = values.entries.get(turn.name_of(unhandled))
        told = entry.failure if entry is not None and entry.failure is not None else {"code": "failed", "message": ""}
        return TurnResult(failure={**told, "step": unhandled.id})
    if not turn.board.is_finished:
        if turn.is_stopped or course.held or any(each.step == loop for each in course.later):
            return None
        raise WorkerMishapError(f"turn {index} of `{step.id}` could not be finished in this invocation")
    return await _output(turn, landing, body)


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
        first = cast("Mapping[str, Mapping[str, Json]]", failed[0])
        why = f"{first['error'].get('code')}: {first['error'].get('message')}"
        said = f"`{step.id}`: {len(failed)} of {len(turns.items)} turns failed; turn {first['index']}: {why}"
        return Failed(Failure("loop", said, detail=failed[:10], sent="answered"))
    return Succeeded({"results": [each.value for each in results], "failed": failed, "count": len(results)})


def _turns(course: Course, step: StepPlan, parameters: Mapping[str, Json]) -> Turns:
    """A `foreach` step's parameters, read by its node; raises ParameterError."""
    from chalicelib.nodes.builtin.foreach import Foreach  # imported late: it brings pydantic

    node = course.tools.build(step.uses, parameters)
    if not isinstance(node, Foreach):
        raise ParameterError(f"`{step.id}`: `{step.uses}` has steps below it, but is no loop.")
    items = node.turns()
    if len(items) > MOST_TURNS:
        raise ParameterError(f"`{step.id}`: {len(items)} items are more than the {MOST_TURNS} that one run takes.")
    pause = node.pause.total_seconds() if node.pause is not None else 0.0
    return Turns(items, node.concurrency, pause, node.tolerated())
