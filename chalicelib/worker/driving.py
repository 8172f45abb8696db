"""Driving a stage: start what is ready, take in what comes back, record what must be, until nothing is left to do."""

import asyncio

from chalicelib.engine.facts import Claimed
from chalicelib.worker.flight import Landing
from chalicelib.worker.landings import land
from chalicelib.worker.launching import consider
from chalicelib.worker.recording import record
from chalicelib.worker.stage import Stage


async def drive(stage: Stage) -> None:
    """Run what is ready, record what must be, until nothing is ready and nothing is in the air.

    What is finished and not recorded stays in `pending`: the caller records it with the end, or with a hand-over.
    """
    try:
        while True:
            await _launch(stage)
            if stage.is_stopped:
                _call_back(stage)
            if stage.openings or stage.behind or (stage.urgent and not _is_last(stage)):
                await record(stage)
                continue
            if not stage.flights:
                break
            landed, _ = await asyncio.wait(stage.flights, return_when=asyncio.FIRST_COMPLETED)
            for task in landed:
                await _take_in(stage, task)
        if stage.mishap is not None:
            if stage.pending:
                await record(stage)
            raise stage.mishap
    finally:
        for task in stage.flights:
            task.cancel()
        if stage.flights:
            await asyncio.gather(*stage.flights, return_exceptions=True)


async def _launch(stage: Stage) -> None:
    """Start everything that is ready; a pure step is finished on the spot, and what it makes ready follows."""
    while stage.ready and not stage.is_stopped:
        ready, stage.ready = stage.ready, []
        for each in ready:
            await consider(stage, each)
        stage.ready.extend(stage.board.take_ready())


async def _take_in(stage: Stage, task: asyncio.Task[Landing]) -> None:
    """A flight is over. A mishap of this worker stops it, once what may have had an effect is recorded."""
    step = stage.flights.pop(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is None:
        await land(stage, step, task.result())
    elif isinstance(error, Exception):
        stage.mishap = stage.mishap or error
    else:
        raise error


def _is_last(stage: Stage) -> bool:
    """Whether nothing is left to do here: what is finished is then recorded together with the end."""
    is_judged = stage.board.is_finished or stage.board.unhandled is not None
    return not stage.flights and not stage.ready and is_judged and stage.mishap is None


def _call_back(stage: Stage) -> None:
    """Stopped: reads are not waited for; what may have an effect is, so that its outcome is recorded."""
    stage.ready.clear()
    stage.behind.clear()
    stage.openings = {name: each for name, each in stage.openings.items() if not isinstance(each.put.fact, Claimed)}
    for task, step in stage.flights.items():
        if not step.effect.needs_barrier and step.body is None:
            task.cancel()
