"""Recording: what is finished here becomes facts, and what others recorded is taken in."""

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.engine.facts import Claimed, Done, Fact, Retrying, Waiting
from chalicelib.engine.readiness import Run
from chalicelib.engine.records import Image
from chalicelib.engine.writes import Put
from chalicelib.worker.course import Later
from chalicelib.worker.landings import until
from chalicelib.worker.ledger import Committed, Finished
from chalicelib.worker.stage import Stage


async def record(stage: Stage) -> None:
    """One write: all that is finished, and the claims and waits of what follows. Then those may begin."""
    if stage.ledger is None:
        raise TypeError("a turn that keeps nothing has nothing to record")
    done, stage.pending = stage.pending, []
    openings, stage.openings = stage.openings, {}
    behind, stage.behind = stage.behind, []
    answers, stage.answers = stage.answers, []
    stage.urgent = False
    committed = await stage.ledger.commit(
        done,
        {name: each.put for name, each in openings.items()},
        texts={name: each.text for name, each in openings.items() if each.text},
        is_failure_handling=stage.is_failure_handling,
    )
    image = stage.ledger.image
    if committed.adopted:
        _adopt(stage, committed, done)
    elif image is not None:
        stage.ready.extend(_join(stage, image, done))
    now = stage.course.now()
    for name, each in openings.items():
        step = each.landing.prepared.step
        fact = image.facts.get(name) if image else None
        if not _is_ours(fact, each.put.fact):
            if isinstance(fact, Claimed):
                stage.course.held[step.id] = fact.expires
        elif isinstance(each.put.fact, Claimed):
            if not stage.is_stopped:
                stage.take_off(each.landing, each.attempt)
        elif isinstance(each.put.fact, Waiting):
            until(stage, step, each.landing, each.due, now)
        else:
            stage.course.later.append(Later(step.id, each.due))
    for landing in behind:
        if landing.prepared.step.id not in stage.done and not stage.is_stopped and not committed.adopted:
            stage.take_off(landing, 1)
    stage.answers = answers
    stage.answer()


async def record_with(stage: Stage, opens: Mapping[str, Put]) -> None:
    """Record what is finished, and these facts with it."""
    done, stage.pending = stage.pending, []
    if stage.ledger is None:
        raise TypeError("a turn that keeps nothing has nothing to record")
    committed = await stage.ledger.commit(done, opens)
    if committed.adopted:
        _adopt(stage, committed, done)


def _join(stage: Stage, image: Image, done: list[Finished]) -> list[Run]:
    """Take in what others recorded. What that alone makes ready is theirs to start; what needs ours too is ours."""
    for step in stage.grounds.steps:
        fact = image.facts.get(stage.name_of(step))
        if isinstance(fact, Done) and stage.done.get(step.id) != fact:
            stage.done[step.id] = fact
            stage.board.settle(step.id, fact)
    below = stage.course.below({each.step.id for each in done})
    return [each for each in stage.board.take_ready() if each.step.id in below]


def _adopt(stage: Stage, committed: Committed, done: list[Finished]) -> None:
    """Another worker was first with some facts: what we computed from our own is dropped, and computed again."""
    stage.values.forget(committed.adopted)
    stage.board = stage.set_up()
    replaced = {each.step.id for each in done if each.name in committed.adopted}
    stale = stage.course.below(replaced)
    for task, step in stage.flights.items():
        if step.id in stale and not step.effect.needs_barrier:
            task.cancel()
    flying = {step.id for task, step in stage.flights.items() if not task.cancelling()}
    ours = stage.course.below({each.step.id for each in done}) | replaced
    taken = stage.board.take_ready()
    stage.ready = [each for each in taken if each.step.id in ours and each.step.id not in flying]


def _is_ours(recorded: Fact | None, written: Fact) -> bool:
    """Whether the record shows what was written; a retry's pack is named by the write."""
    if isinstance(recorded, Retrying) and isinstance(written, Retrying):
        return replace(recorded, pack="") == replace(written, pack="")
    return recorded == written
