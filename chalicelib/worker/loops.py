"""`foreach` within one invocation: a turn for each item, so many at once, results in order."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from chalicelib.engine.facts import Waiting
from chalicelib.engine.records import RecordKey
from chalicelib.engine.writes import Exactly, Free, Put
from chalicelib.errors import ExpressionError, MissingValueError, ParameterError, PenstockError, WorkerMishapError
from chalicelib.flow.plan import Body, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded
from chalicelib.worker.course import Course
from chalicelib.worker.driving import drive
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.flight import Landing
from chalicelib.worker.ledger import Ledger
from chalicelib.worker.recording import record, record_with
from chalicelib.worker.stage import Grounds, Stage
from chalicelib.worker.values import Values

MOST_DURABLE_TURNS = 1_000
"""Turns whose facts one record holds: beyond that its writes would cost more than the work."""

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
    ledger, values = stage.ledger, stage.values
    if is_durable(body) and not stage.grounds.path:
        if len(turns.items) > MOST_DURABLE_TURNS:
            said = (
                f"`{step.id}`: {len(turns.items)} items with effects are more than the {MOST_DURABLE_TURNS} of one run."
            )
            return Failed(Failure("too_many_items", f"{said} Cut the list with `batch`, or into several executions."))
        await _announce(stage, landing)
        ledger, values = await _open(course, step)
    elif not is_durable(body):
        ledger, values = None, stage.values
    results = await _all_turns(stage, landing, body, turns, ledger, values)
    if (course.is_stopped or stage.is_stopped) and any(each is None for each in results):
        landing.was_stopped = True
        return Failed(Failure("stopped", f"`{step.id}` was stopped before all its turns had run."))
    return _concluded(step, turns, [each or TurnResult() for each in results])


def is_durable(body: Body) -> bool:
    """Whether a turn may have an effect, and so needs facts of its own."""
    return any(each.effect.needs_barrier or (each.body is not None and is_durable(each.body)) for each in body.steps)


async def _announce(stage: Stage, landing: Landing) -> None:
    """Record that the loop is under way, with all it was computed from: a cancel then knows of its record."""
    step, name = landing.prepared.step, stage.name_of(landing.prepared.step)
    if stage.ledger is None:
        raise TypeError("a durable loop stands in a stage that keeps facts")
    fact = stage.ledger.image.facts.get(name) if stage.ledger.image else None
    if not (isinstance(fact, Waiting) and fact.kind == "loop"):
        now = stage.course.now()
        fact = Waiting("loop", stage.course.budget.lease_until, now)
        await record_with(stage, {name: Put(fact, Free())})
    landing.guard = Exactly(fact)
    if stage.ledger.image is None or stage.ledger.image.facts.get(name) != fact:
        raise WorkerMishapError(f"the loop `{step.id}` is under way in another invocation")


async def _open(course: Course, step: StepPlan) -> tuple[Ledger, Values]:
    """The loop's own record: as an earlier invocation left it, or to be created with its first write."""
    key = RecordKey(course.tenant, course.execution, step.id)
    image = await course.tools.facts.read(key)
    ledger = Ledger(course.tools, key, course.budget, image, epoch=course.head.epoch)
    return ledger, Values(course.tools.facts, course.tools.blobs, key)


async def _all_turns(
    stage: Stage, landing: Landing, body: Body, turns: Turns, ledger: Ledger | None, values: Values
) -> list[TurnResult | None]:
    """The turns' results in order; None for those that did not run because the loop or the execution stopped."""
    course = stage.course
    results: list[TurnResult | None] = [None] * len(turns.items)
    todo = iter(range(len(turns.items)))
    failed = 0

    async def lane() -> None:
        nonlocal failed
        for index in todo:
            if course.is_stopped or stage.is_stopped or failed > turns.tolerated:
                return
            if turns.pause_seconds and index:
                await course.tools.clock.sleep(turns.pause_seconds)
            if not course.budget.fits(course.now(), 0):
                raise WorkerMishapError(f"no time is left for turn {index} of `{landing.prepared.step.id}`")
            results[index] = result = await _turn(stage, landing, body, turns, index, ledger, values)
            failed += result.failure is not None

    lanes = [asyncio.ensure_future(lane()) for _ in range(min(turns.concurrency, len(turns.items)))]
    try:
        await asyncio.gather(*lanes)
    finally:
        for each in lanes:
            each.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    return results


async def _turn(
    stage: Stage, landing: Landing, body: Body, turns: Turns, index: int, ledger: Ledger | None, values: Values
) -> TurnResult:
    """One item through the body."""
    course, step = stage.course, landing.prepared.step
    path = (*stage.grounds.path, index)
    names: dict[str, Json] = {**stage.grounds.names, body.item: turns.items[index], "index": index}
    outer = cast("dict[str, Json]", landing.scope["steps"])
    outer_errors = cast("dict[str, Json]", landing.scope["errors"])
    grounds = Grounds(body.steps, path, names, outer, outer_errors, started_by=stage.grounds.started_by)
    turn = Stage(course, grounds, ledger, values, loops=run_loop)
    await drive(turn)
    if ledger is not None and turn.pending:
        await record(turn)
    unhandled = turn.board.unhandled
    if unhandled is not None:
        entry = values.entries.get(turn.name_of(unhandled))
        told = entry.failure if entry is not None and entry.failure is not None else {"code": "failed", "message": ""}
        return TurnResult(failure={**told, "step": unhandled.id})
    if not turn.board.is_finished:
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
        return TurnResult(await evaluated(course.tools.evaluator, body.output, scope, moment))
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
