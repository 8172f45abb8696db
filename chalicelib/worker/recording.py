"""Recording: what is finished here becomes facts, and what others recorded is taken in."""

from dataclasses import replace

from chalicelib.engine.facts import Claimed, Done, Fact, Retrying, Waiting
from chalicelib.engine.readiness import Run
from chalicelib.engine.records import Image
from chalicelib.engine.writes import Exactly, Put
from chalicelib.errors import WorkerMishapError
from chalicelib.worker.flight import Landing
from chalicelib.worker.ledger import Committed, Finished, Ledger, Open
from chalicelib.worker.stage import Opening, Stage
from chalicelib.worker.waits import recorded


async def record(stage: Stage) -> None:
    """One write: all that is finished, and the claims and waits of what follows. Then those may begin.

    Where it fails, what is finished is kept, so that the caller may try once more.
    """
    if stage.ledger is None:
        raise TypeError("a turn that keeps nothing has nothing to record")
    done, stage.pending = stage.pending, []
    openings, stage.openings = stage.openings, {}
    behind, stage.behind = stage.behind, []
    stage.urgent = False
    opens = {name: each.to_open() for name, each in openings.items()}
    try:
        committed = await _commit(stage, stage.ledger, done, opens)
    except Exception:
        stage.pending = [*done, *stage.pending]
        stage.openings = {name: each for name, each in openings.items() if isinstance(each.put.fact, Retrying)}
        raise
    image = stage.ledger.image
    if image is None or image.epoch != stage.ledger.epoch:
        raise WorkerMishapError(f"execution {stage.course.execution} was taken up again from an earlier point")
    stage.answers = [each for each in stage.answers if each[0] not in committed.dropped]
    lost = [each for each in done if each.name in committed.dropped]
    # What is dropped is not ours even where another worker has written the very same.
    written = {name: each for name, each in openings.items() if name not in committed.dropped}
    ours = {name for name, each in written.items() if _is_ours(image.facts.get(name), each.put.fact)}
    if lost:
        _adopt(stage, committed, lost, {openings[name].landing.prepared.step.id for name in ours})
    else:
        stage.ready.extend(_join(stage, image, done))
    for name, each in openings.items():
        if name in ours:
            await _begin(stage, name, each)
        elif not lost and each.landing.prepared.step.id not in stage.done:
            # Another worker has claimed it, or put it off: look at it again as the record says.
            stage.ready.append(Run(each.landing.prepared.step, each.landing.sees))
    for landing in () if lost else behind:
        if landing.prepared.step.id not in stage.done and not stage.is_stopped:
            stage.take_off(landing, _next_attempt(stage, landing))
    stage.answer()


async def _commit(stage: Stage, ledger: Ledger, done: list[Finished], opens: dict[str, Open]) -> Committed:
    if stage.together is not None:
        return await stage.together.commit(done, opens)
    return await ledger.commit(done, opens, is_failure_handling=stage.is_failure_handling)


async def _begin(stage: Stage, name: str, opening: Opening) -> None:
    """What was opened is recorded: it may take off, wait, or be left to another invocation."""
    step, fact = opening.landing.prepared.step, opening.put.fact
    match fact:
        case Claimed():
            if fact.expires <= stage.course.now():
                # It was recorded too late to be of any use: whoever looks at it next sees a claim that has run out.
                stage.put_off(step, stage.course.now())
                return
            if not stage.is_stopped:
                stage.take_off(opening.landing, opening.attempt)
                return
            # The end came with the same write, and waits for no claim that nobody will use.
            given_up = Retrying(stage.course.now(), opening.attempt - 1, "not_begun")
            stage.openings[name] = replace(opening, put=Put(given_up, Exactly(fact)), due=given_up.due)
        case Waiting(kind="loop"):
            opening.landing.guard = Exactly(fact)
            if not stage.is_stopped:
                stage.take_off(opening.landing, opening.attempt)
        case Waiting():
            await recorded(stage, opening)
        case _:
            stage.put_off(step, opening.due)


def _next_attempt(stage: Stage, landing: Landing) -> int:
    """The number of the attempt that follows what the record says of the step."""
    fact = stage.fact_of(landing.prepared.step)
    return fact.attempt + 1 if isinstance(fact, Retrying) else 1


def _join(stage: Stage, image: Image, done: list[Finished]) -> list[Run]:
    """Take in what others recorded, and say what is ours to start of what is ready now.

    What follows from steps that another message is for (those `run: apart`) is for the one who recorded them to start.
    All else follows from what this message is for: whoever recorded it may have had the same message in hand, and have
    died; then nobody but us is left to go on.
    """
    ours = {each.step.id for each in done}
    for step in stage.grounds.steps:
        fact = image.facts.get(stage.name_of(step))
        if isinstance(fact, Done) and (known := stage.done.get(step.id)) != fact:
            if known is None and stage.answers_for(step):
                ours.add(step.id)
            stage.done[step.id] = fact
            stage.board.settle(step.id, fact)
    ready = stage.board.take_ready()
    below = stage.course.below(ours) if ready else set[str]()
    return [each for each in ready if each.step.id in below]


def _adopt(stage: Stage, committed: Committed, lost: list[Finished], opened: set[str]) -> None:
    """Another worker was first with some facts: what we computed from our own is dropped, and computed again."""
    stage.values.forget(committed.dropped)
    stage.board = stage.set_up()
    stale = stage.course.below({each.step.id for each in lost})
    if stage.above is None:
        stage.course.later[:] = [each for each in stage.course.later if each.step not in stale]
    for task, step in list(stage.flights.items()):
        # What has or may have an effect, or waits, took off from what was recorded: it cannot be stale.
        if step.id in stale and not step.effect.needs_barrier and not isinstance(stage.fact_of(step), Waiting):
            stage.abandon(task)
    under_way = {step.id for step in stage.flights.values()} | opened
    stage.ready = [each for each in stage.take_ours() if each.step.id not in under_way]


def _is_ours(found: Fact | None, written: Fact) -> bool:
    """Whether the record shows what was written; the pack of a retry or a wait is named by the write."""
    if isinstance(found, Retrying) and isinstance(written, Retrying):
        return replace(found, pack="") == replace(written, pack="")
    if isinstance(found, Waiting) and isinstance(written, Waiting):
        return replace(found, pack="") == replace(written, pack="")
    return found == written
