"""One chunk of a wide `foreach`: a small execution of its own, and the ladder behind it (design 4.6).

Result, then mark, then (if that fills the shard) the shard's mark in the root, then (if that fills the root) the join,
then the next chunk of the stride. Whoever finds a rung taken goes on with the next: no message may be the only one to
know that it is still to be done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from chalicelib.engine.conditions import live_claims
from chalicelib.engine.controls import mark, stop
from chalicelib.engine.cut import SHARD, Cut, bounds, marks_in
from chalicelib.engine.facts import Claimed, Marked, Waiting, fact_name
from chalicelib.engine.messages import LONGEST_DELAY_SECONDS, Chunk, Go, Resume, Send
from chalicelib.engine.readiness import Run
from chalicelib.engine.records import Image, Reason, Status
from chalicelib.engine.writes import Exactly, Finish, Put
from chalicelib.errors import StoreError
from chalicelib.flow.plan import Body, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Succeeded
from chalicelib.worker.attempt import Prepared
from chalicelib.worker.course import Course, Later
from chalicelib.worker.cuts import items_of
from chalicelib.worker.flight import Landing
from chalicelib.worker.ledger import Finished, Ledger, Open
from chalicelib.worker.loop_records import RECORD_IS_FULL, kept_until, open_loop
from chalicelib.worker.loops import all_turns, run_loop
from chalicelib.worker.parts import chunk_key, root_key, shard_key
from chalicelib.worker.report import Report, Went
from chalicelib.worker.stage import Grounds, Stage, keeps_facts
from chalicelib.worker.together import Together
from chalicelib.worker.turns import TurnResult, Turns, is_slow
from chalicelib.worker.values import Values


@dataclass(frozen=True, slots=True)
class _Place:
    """Which chunk of which loop."""

    course: Course
    step: StepPlan
    body: Body
    fact: Waiting
    made: Cut
    index: int


async def run_chunk(course: Course, message: Chunk) -> Report:
    """Run a chunk as far as this invocation may, and walk the ladder; `course` is the work on its execution.

    Raises StoreError, WorkerMishapError where the delivery must come again.
    """
    values = Values(course.tools.facts, course.tools.blobs, course.head.key)
    grounds = Grounds(course.plan.steps, started_by=course.started_by)
    stage = Stage(course, grounds, course.head, values, loops=run_loop, starts=lambda step: step.id == message.step)
    done = Report(Went.HANDED_OVER, course.head.image)
    fact = stage.fact_of(stage.ready[0].step) if stage.ready else None
    if not isinstance(fact, Waiting) or fact.kind != "cut":
        return done  # joined already, or taken up again from an earlier point
    course.named = frozenset({message.step})
    ready, step = stage.ready[0], stage.ready[0].step
    place = _Place(course, step, cast("Body", step.body), fact, Cut.from_text(fact.detail), message.index)
    if message.index >= place.made.chunks:
        return done
    ledger, own = await open_loop(course, chunk_key(course.head.key, step.id, message.index))
    found = ledger.image
    if found is not None and found.status.is_terminal:
        return await _climb(place, await _failed_in(place, found))
    root = await course.tools.facts.read(root_key(course.head.key, step.id))
    if root is not None and root.status is Status.ENDING:
        return await _pass_by(place)
    if any(each is not None and each.status is not Status.RUNNING for each in (root, found)):
        return done  # paused, or told to stop: whoever resumes it sends for it again
    report = await _run(place, stage, ready, ledger, own)
    if ledger.image is not None and ledger.image.status is Status.ENDING:
        # Whoever ends the execution has waited for what was held here, and may have gone since.
        await course.tools.queue.send([Send(Resume(course.tenant, course.execution, course.head.epoch))])
    return report


async def _run(place: _Place, stage: Stage, ready: Run, ledger: Ledger, own: Values) -> Report:
    """Its items, as far as this invocation may."""
    step, fact = place.step, place.fact
    scope = await stage.scope(ready.sees)
    nothing: Mapping[str, Json] = {}
    prepared = Prepared(step, nothing, stage.moment(step, ready.sees))
    landing = Landing(prepared, ready.sees, scope, Exactly(fact), Succeeded(), ())
    turns = await _turns(place, stage)
    is_kept = keeps_facts(place.body) or is_slow(place.course, turns)
    together = Together(ledger, len(turns.items)) if is_kept else None
    progress = await all_turns(stage, landing, place.body, turns, ledger if is_kept else None, own, together)
    left = [each for facts in together.left for each in facts] if together is not None else []
    if stage.mishap is not None:
        await _save(ledger, left)
        raise stage.mishap
    if any(each is None for each in progress.results) and not progress.is_full:
        if is_kept or stage.is_stopped or not progress.is_put_off:
            if left:
                await ledger.commit(left)
            return await _put_off(place)
        progress.results = [each or TOO_LONG for each in progress.results]
    if progress.is_full:
        progress.results = [each or TOO_MUCH for each in progress.results]
    return await _finish(place, ledger, turns, [each or TurnResult() for each in progress.results], left)


TOO_MUCH = TurnResult(failure={"code": "too_many_items", "message": f"Not begun: {RECORD_IS_FULL}"})

TRIES = 8

TOO_LONG = TurnResult(
    failure={"code": "too_long", "message": "The turn does not end within one invocation. Shorten its retries."}
)


async def _turns(place: _Place, stage: Stage) -> Turns:
    """This chunk's part of the items."""
    course, made, image = place.course, place.made, place.course.head.image
    if image is None:
        raise StoreError(f"execution {course.execution} has no record")
    items, sizes = await items_of(course.tools, image, stage.name_of(place.step), place.fact)
    begin, end = list(bounds(sizes))[place.index]
    return Turns(items[begin:end], made.lanes, made.pause / 1000, len(items), offset=begin)


async def _put_off(place: _Place) -> Report:
    """A turn waits, is another's, or found no time: who is to go on, and when."""
    course, step = place.course, place.step
    image, now = course.head.image, course.now()
    if image is not None and image.status is not Status.RUNNING:
        return Report(Went.HANDED_OVER, image)
    delays = {max(0, -(-(each.due - now) // 1000)) for each in course.later if not each.is_known}
    for delay in sorted(delays):
        if delay <= LONGEST_DELAY_SECONDS:
            await _send_chunk(place, place.index, delay)
    far = min((each.due for each in course.later if each.due - now > LONGEST_DELAY_SECONDS * 1000), default=Later.NEVER)
    if far < Later.NEVER:
        await _look_by(course, step, far)
    if course.held:
        return Report(Went.HELD, course.head.image, min(course.held.values()))
    return Report(Went.HANDED_OVER, course.head.image)


async def _look_by(course: Course, step: StepPlan, due: int) -> None:
    """The head's look at the loop must come by then; another chunk may be moving it at this moment."""
    name = fact_name(step.ordinal)
    for _ in range(TRIES):
        fact = course.head.image.facts.get(name) if course.head.image is not None else None
        if not isinstance(fact, Waiting) or (course.now() < fact.due <= due):
            return
        moved = replace(fact, due=due)
        await course.head.commit((), {name: Open(Put(moved, Exactly(fact)), step)})
    raise StoreError(f"the loop `{step.id}` of execution {course.execution} did not hold still in {TRIES} tries")


async def _finish(
    place: _Place, ledger: Ledger, turns: Turns, results: list[TurnResult], left: Sequence[Finished] = ()
) -> Report:
    """The chunk's result, durable, with what its turns have left; then the ladder."""
    course = place.course
    failed: list[Json] = [
        {"index": turns.offset + at, "item": turns.items[at], "error": dict(each.failure)}
        for at, each in enumerate(results)
        if each.failure is not None
    ]
    output: Json = {"r": [each.value for each in results], "e": failed}
    now, boot = course.now(), course.tools.settings.boot
    ours = {each.name for each in left}
    claims = live_claims(ledger.image, now, boot) - ours if ledger.image is not None else frozenset[str]()
    if claims and ledger.image is not None:
        # Somebody else is at a step of it: what that does must find its record open.
        if left:
            await ledger.commit(left)
        expires = [fact.expires for name in claims if isinstance(fact := ledger.image.facts.get(name), Claimed)]
        return Report(Went.HELD, course.head.image, min(expires, default=now))
    try:
        committed = await ledger.commit(left, finish=Finish(Status.SUCCEEDED), output=course.secrets.mask(output))
    except StoreError:
        await _save(ledger, left)
        raise
    image = ledger.image
    if image is not None and image.status is Status.RUNNING and image.epoch == ledger.epoch:
        return Report(Went.HELD, course.head.image, course.now())  # others were first with a turn: it is judged again
    if image is None or not image.status.is_terminal:
        return Report(Went.HANDED_OVER, course.head.image)  # told to stop or to pause meanwhile
    return await _climb(place, len(failed) if committed.has_ended else await _failed_in(place, image))


async def _failed_in(place: _Place, record: Image) -> int:
    """How many items failed by the result that is recorded, which may be another worker's."""
    tools = place.course.tools
    pack = await Values(tools.facts, tools.blobs, record.key).pack(record, record.output_pack)
    return len(cast("Mapping[str, list[Json]]", pack["output"])["e"])


async def _save(ledger: Ledger, left: Sequence[Finished]) -> None:
    """Record what turns have left by itself: it may have had an effect, whatever keeps the chunk from its end."""
    if left:
        await ledger.commit(left)


async def _climb(place: _Place, failed: int) -> Report:
    """Mark it, and whatever follows from that; then the next of the stride."""
    following = await _mark(place, Marked(failed))
    if following is not None:
        await _send_chunk(place, following, -(-place.made.pause // 1000))
    return Report(Went.HANDED_OVER, place.course.head.image)


async def _pass_by(place: _Place) -> Report:
    """Too many have failed, or the execution is ending: the rest of the stride is marked, and not run."""
    course = place.course
    index: int | None = place.index
    while index is not None:
        if not course.budget.fits(course.now(), 1):
            await _send_chunk(place, index, 0)
            break
        index = await _mark(replace(place, index=index), Marked(0, ran=False))
    return Report(Went.HANDED_OVER, course.head.image)


async def bury_chunk(course: Course, message: Chunk, said: str) -> Report:
    """A chunk that cannot be worked off: its items count as failed, and the ladder is walked to its end."""
    plan = course.plan
    step = plan.by_id.get(message.step)
    image = course.head.image
    if step is None or step.body is None or image is None:
        return Report(Went.HANDED_OVER, image)
    name = fact_name(step.ordinal)
    fact = image.facts.get(name)
    if not isinstance(fact, Waiting) or fact.kind != "cut":
        return Report(Went.HANDED_OVER, image)
    place = _Place(course, step, step.body, fact, Cut.from_text(fact.detail), message.index)
    if message.index >= place.made.chunks:
        return Report(Went.HANDED_OVER, image)
    items, sizes = await items_of(course.tools, image, name, fact)
    begin, end = list(bounds(sizes))[message.index]
    failure = TurnResult(failure={"code": "dead_letter", "message": said})
    ledger, _ = await open_loop(course, chunk_key(image.key, step.id, message.index))
    if ledger.image is not None and ledger.image.status.is_terminal:
        return await _climb(place, await _failed_in(place, ledger.image))
    now = course.now()
    if ledger.image is not None and (
        ledger.image.busy > now or live_claims(ledger.image, now, course.tools.settings.boot)
    ):
        await _send_chunk(place, message.index, LONGEST_DELAY_SECONDS)  # somebody is at it, and may yet end it
        return Report(Went.HANDED_OVER, image)
    turns = Turns(items[begin:end], 1, 0.0, 0, offset=begin)
    report = await _finish(place, ledger, turns, [failure] * (end - begin))
    if report.went is Went.HELD:
        await _send_chunk(place, message.index, LONGEST_DELAY_SECONDS)  # somebody has begun it meanwhile
    return report


async def _mark(place: _Place, marked: Marked) -> int | None:
    """One rung after the other; the next chunk of the stride, where it is not marked yet."""
    course, made, step = place.course, place.made, place.step
    facts, head, epoch = course.tools.facts, course.head.key, course.head.epoch
    now, expires = course.now(), kept_until(course)
    key = shard_key(head, step.id, made, place.index)
    image = (await facts.write(mark(key, epoch, place.index, marked, now, expires))).image
    if image is None or image.epoch != epoch:
        raise StoreError(f"the marks of `{step.id}` of execution {course.execution} could not be written")
    found, shard = marks_in(image.facts), place.index // SHARD
    is_full = found.count == made.shard_size(shard)
    failed = found.failed
    if is_full and made.shards > 1:
        whole = Marked(found.failed, found.all_ran)
        root = (await facts.write(mark(root_key(head, step.id), epoch, shard, whole, now, expires))).image
        in_root = marks_in(root.facts if root is not None else {})
        is_full, failed = in_root.count == made.shards, max(failed, in_root.failed)
    if failed > made.tolerated and marked.ran:
        said = f"`{step.id}`: more than {made.tolerated} turns have failed."
        reason = Reason(Status.FAILED, step.id, "loop", said)
        await facts.write(stop(root_key(head, step.id), epoch, reason, now, expires))
    if is_full and (found.count == made.chunks or made.shards > 1):
        await course.tools.queue.send([Send(Go(course.tenant, course.execution, epoch, (step.id,)))])
    following = place.index + made.window
    if following >= made.chunks:
        return None
    name = f"M{following}"
    return following if following // SHARD != shard or name not in image.facts else None


async def _send_chunk(place: _Place, index: int, delay: int) -> None:
    course = place.course
    chunk = Chunk(course.tenant, course.execution, course.head.epoch, place.step.id, index)
    await course.tools.queue.send([Send(chunk, delay)])
