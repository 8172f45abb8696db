"""Driving a stage: start what is ready, take in what comes back, record what must be, until nothing is left to do."""

import asyncio
from typing import Any, cast

from chalicelib.engine.facts import Retrying, Waiting
from chalicelib.worker.flight import Landing
from chalicelib.worker.landings import land
from chalicelib.worker.launching import consider
from chalicelib.worker.recording import record
from chalicelib.worker.stage import Opening, Stage

BREATH = 64
"""How many steps are looked at in a row before others in this process get their turn."""


async def drive(stage: Stage) -> None:
    """Run what is ready, record what must be, until nothing is ready and nothing is in the air.

    What is finished and not recorded stays in `pending`: the caller records it with the end, or with a hand-over. A
    mishap of this worker (its store, its evaluator) is raised once what is under way has landed and is recorded.
    """
    alarm = _alarm(stage)
    try:
        while True:
            await _launch(stage)
            if stage.is_stopped:
                _call_back(stage)
            if _must_record(stage):
                await _try_to_record(stage)
                continue
            if not stage.flights:
                break
            waited = {*stage.flights, alarm} if alarm is not None and not alarm.done() else stage.flights
            landed, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in landed:
                if task in stage.flights:
                    await _take_in(stage, cast("asyncio.Task[Landing]", task))
        if stage.mishap is not None:
            if stage.pending or stage.openings:
                await _try_to_record(stage)
            raise stage.mishap
    finally:
        under_way: list[asyncio.Task[Any]] = [*stage.flights, *stage.abandoned, *([alarm] if alarm is not None else [])]
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.gather(*under_way, return_exceptions=True)


def _alarm(stage: Stage) -> asyncio.Task[None] | None:
    """Rings when the execution's deadline comes, so that what it stops is called back then."""
    course = stage.course
    if not course.deadline or stage.above is not None or stage.is_failure_handling:
        return None
    return asyncio.ensure_future(course.tools.clock.sleep(max(0.0, (course.deadline - course.now()) / 1000)))


def _must_record(stage: Stage) -> bool:
    """Whether something must be durable before anything else. After a mishap: only what has had its effect."""
    is_urgent = stage.urgent and not _is_last(stage)
    return is_urgent if stage.mishap is not None else is_urgent or bool(stage.openings or stage.behind)


async def _try_to_record(stage: Stage) -> None:
    """A write that fails is a mishap: what is in the air must land first, and is recorded with a last try."""
    try:
        await record(stage)
    except Exception as error:  # noqa: BLE001  raised again when everything has landed
        stage.mishap = stage.mishap or error


async def _launch(stage: Stage) -> None:
    """Start everything that is ready; a pure step is finished on the spot, and what it makes ready follows."""
    count = 0
    while stage.ready and not stage.is_stopped:
        ready, stage.ready = stage.ready, []
        for each in ready:
            if each.step.id in stage.done:
                continue
            if stage.is_stopped:
                return
            count += 1
            if not count % BREATH:
                await asyncio.sleep(0)  # others in this process want to work too
            try:
                await consider(stage, each)
            except Exception as error:  # noqa: BLE001  raised again when everything has landed
                stage.mishap = stage.mishap or error
                return
        stage.ready.extend(stage.board.take_ready())


async def _take_in(stage: Stage, task: asyncio.Task[Landing]) -> None:
    """A flight is over. A mishap of this worker stops it, once what may have had an effect is recorded."""
    step = stage.flights.pop(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is None:
        try:
            await land(stage, step, task.result())
        except Exception as mishap:  # noqa: BLE001  raised again when everything has landed
            stage.mishap = stage.mishap or mishap
    elif isinstance(error, Exception):
        stage.mishap = stage.mishap or error
    else:
        raise error


def _is_last(stage: Stage) -> bool:
    """Whether nothing is left to do here: what is finished is then recorded together with the end."""
    is_judged = stage.board.is_finished or stage.board.unhandled is not None
    return not stage.flights and not stage.ready and is_judged and stage.mishap is None


def _still_counts(opening: Opening) -> bool:
    """What has begun elsewhere is recorded, whatever stops this: a failed attempt, another flow that was started."""
    fact = opening.put.fact
    return isinstance(fact, Retrying) or (isinstance(fact, Waiting) and fact.kind == "call")


def _call_back(stage: Stage) -> None:
    """Stopped: reads are not waited for; what may have an effect is, so that its outcome is recorded."""
    stage.was_called_back = True
    stage.ready.clear()
    stage.behind.clear()
    stage.openings = {name: each for name, each in stage.openings.items() if _still_counts(each)}
    for task, step in stage.flights.items():
        if not step.effect.needs_barrier and step.body is None:
            task.cancel()
