"""A wide `foreach`, seen from its head: cut once, its chunks sent for, their results joined (design 4.6)."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from chalicelib.engine.cut import CHUNK, Cut, cut, first_unmarked, marks_in
from chalicelib.engine.facts import Waiting
from chalicelib.engine.messages import Chunk, Send
from chalicelib.engine.packs import Attempt, Entry, entry_from_json, entry_to_json
from chalicelib.engine.readiness import Run
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Exactly, Guard, Put
from chalicelib.errors import StoreError
from chalicelib.flow.plan import Body, Effect, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded
from chalicelib.worker.attempt import Prepared
from chalicelib.worker.course import Course
from chalicelib.worker.flight import Landing, finished
from chalicelib.worker.ledger import Open
from chalicelib.worker.loop_records import MOST_BYTES, too_many_failed
from chalicelib.worker.packing import json_text
from chalicelib.worker.parts import chunk_key, lost_chunks, root_key, shards_of
from chalicelib.worker.redaction import mask_headers
from chalicelib.worker.settling import settle
from chalicelib.worker.stage import Opening, Stage, keeps_facts
from chalicelib.worker.tools import Tools
from chalicelib.worker.turns import Turns
from chalicelib.worker.values import Values

MOST_INLINE = 10_000
"""Turns that one invocation goes through, however little each has to do."""

AT_ONCE = 16
"""Chunks whose results are read beside one another."""

LONGEST_LOOK = 6 * 3_600_000
"""Milliseconds between two looks at a loop whose chunks wait for long."""

_MOST_REMEMBERED = 4


def is_wide(course: Course, body: Body, turns: Turns) -> bool:
    """Whether a loop of the flow's own steps is cut into chunks rather than run here."""
    count = len(turns.items)
    if count <= CHUNK:
        return False
    if count > MOST_INLINE:
        return True
    if keeps_facts(body):
        return count > course.tools.settings.inline_turns
    each = _seconds(course, body)
    if not each:
        return False
    rounds = -(-count // turns.concurrency)
    # Not all of the time: what follows the loop wants some too.
    return rounds * (each + turns.pause_seconds) > course.budget.remaining_seconds(course.now()) * 0.8


def _seconds(course: Course, body: Body) -> float:
    """How long one turn may take at most, its steps one after another."""
    steps = (course.timeout_of(step) for step in body.steps if step.effect is not Effect.PURE)
    return sum(steps) + sum(_seconds(course, step.body) for step in body.steps if step.body is not None)


def open_cut(stage: Stage, landing: Landing, turns: Turns, guard: Guard) -> Outcome | None:
    """Cut the items, and have that recorded; a failure where they are more than can be held."""
    step, course = landing.prepared.step, stage.course
    texts = [json_text(item) for item in turns.items]
    sizes = [len(text) for text in texts]
    if sum(sizes) > MOST_BYTES:
        said = f"`{step.id}`: its items take {sum(sizes):,} bytes; {MOST_BYTES:,} is the most. Hand over references."
        return Failed(Failure("too_large", said))
    made = cut(sizes, turns.concurrency, turns.tolerated, int(turns.pause_seconds * 1000))
    given = {name: value for name, value in landing.prepared.parameters.items() if name != "over"}
    given["count"] = len(texts)
    told = json_text(entry_to_json(Entry(None, course.secrets.mask(mask_headers(given)), ())))
    text = f'{told[:-1]},"items":[{",".join(texts)}]}}'
    fact = Waiting("cut", course.budget.lease_until, course.now(), made.to_text())
    stage.openings[stage.name_of(step)] = Opening(landing, Put(fact, guard), 1, fact.due, text)
    return None


async def send_window(stage: Stage, step: StepPlan, fact: Waiting) -> None:
    """The cut is recorded: the first chunks may begin."""
    course, made = stage.course, Cut.from_text(fact.detail)
    if stage.is_stopped:
        return
    chunks = list(range(made.window))
    if course.head.epoch:
        # Redriven: what was finished in an earlier epoch stays so. Where all of it was, a chunk fills the root again.
        chunks = await lost_chunks(course.tools.facts, course.head.key, step.id, made) or [0]
    await _send(course, step, chunks)


async def _send(course: Course, step: StepPlan, chunks: Sequence[int]) -> None:
    epoch = course.head.epoch
    sends = [Send(Chunk(course.tenant, course.execution, epoch, step.id, chunk)) for chunk in chunks]
    if sends:
        await course.tools.queue.send(sends)


async def items_of(tools: Tools, head: Image, name: str, fact: Waiting) -> tuple[Sequence[Json], Sequence[int]]:
    """The items of a cut and their sizes; remembered, since its chunks follow one another."""
    key = (head.key.tenant, head.key.execution, f"{name} {fact.pack}")  # one write may cut several loops
    known = tools.remembered.get(key)
    if known is None or fact.pack.startswith("i"):
        pack = await Values(tools.facts, tools.blobs, head.key).pack(head, fact.pack)
        items = cast("Mapping[str, Sequence[Json]]", pack[name])["items"]
        known = (items, [len(json_text(item)) for item in items])
        tools.remembered[key] = known
        if len(tools.remembered) > _MOST_REMEMBERED:
            tools.remembered.popitem(last=False)
    return known


async def go_on_with_cut(stage: Stage, ready: Run, fact: Waiting) -> None:
    """Every chunk is finished: join them. Not yet: see whether one was lost."""
    course, step = stage.course, ready.step
    made = Cut.from_text(fact.detail)
    root = await course.tools.facts.read(root_key(course.head.key, step.id))
    found = marks_in(root.facts if root is not None else {})
    if found.count < (made.chunks if made.shards == 1 else made.shards):
        if fact.due <= course.now():
            await _mend(stage, ready, fact, made)
        else:
            await _send(course, step, await _never_begun(course, step, made))
        return
    outcome = await _joined(course, step, made, failed=found.failed, all_ran=found.all_ran)
    name = stage.name_of(step)
    given: Mapping[str, Json] = {}
    if course.head.image is not None:
        entry = (await stage.values.pack(course.head.image, fact.pack)).get(name)
        given = cast("Mapping[str, Json]", entry_from_json(cast("Mapping[str, Json]", entry)).input)
    attempts = (Attempt(1, fact.since, course.now()),)
    scope = await stage.scope(ready.sees)
    landing = Landing(
        Prepared(step, given, stage.moment(step, ready.sees)), ready.sees, scope, Exactly(fact), outcome, attempts
    )
    await settle(stage, await finished(course, landing, name))


async def _mend(stage: Stage, ready: Run, fact: Waiting, made: Cut) -> None:
    """Send for what may have been lost: in each stride the first chunk without a mark, unless somebody is at it."""
    course, step = stage.course, ready.step
    head = course.head.key
    facts = course.tools.facts
    seen = sum(marks_in(shard).count for shard in await shards_of(facts, head, step.id, made))
    missing = await lost_chunks(facts, head, step.id, made)
    lost = [chunk for chunk in missing if await _may_be_lost(course, step, chunk, made, seen)]
    # What waits for long is asked less and less often: no chunk's record says that nothing was lost beside its waits.
    patience = min(LONGEST_LOOK, (course.now() - fact.since) // 4)
    due = max(course.budget.lease_until, course.now() + patience)
    moved = replace(fact, due=due, detail=replace(made, seen=seen).to_text())
    await course.head.commit((), {stage.name_of(step): Open(Put(moved, Exactly(fact)), step)})
    if not stage.is_stopped:
        await _send(course, step, lost)


async def _never_begun(course: Course, step: StepPlan, made: Cut) -> list[int]:
    """The strides of which nothing is there: whoever recorded the cut may have died before it sent for them."""
    facts, head, image = course.tools.facts, course.head.key, course.head.image
    is_busy = image is not None and image.busy > course.now()
    if is_busy and not keeps_facts(cast("Body", step.body)):
        return []  # such chunks keep nothing while they run: that there is nothing says nothing
    shards = await shards_of(facts, head, step.id, made)
    first = [chunk for chunk in first_unmarked(made, shards) if chunk < made.window]
    records = await asyncio.gather(*(facts.read(chunk_key(head, step.id, chunk)) for chunk in first))
    return [chunk for chunk, record in zip(first, records, strict=True) if record is None]


async def _may_be_lost(course: Course, step: StepPlan, chunk: int, made: Cut, seen: int) -> bool:
    image = await course.tools.facts.read(chunk_key(course.head.key, step.id, chunk))
    if image is None:
        return seen == made.seen  # it keeps nothing before its end: only that nothing moves tells
    return image.status.is_terminal or image.busy <= course.now()


async def _joined(course: Course, step: StepPlan, made: Cut, *, failed: int, all_ran: bool) -> Outcome:
    """The results in the order of the items, or why there are none."""
    is_failure = failed > made.tolerated or not all_ran
    results: list[Json] = []
    errors: list[Json] = []
    weight = 0
    for begin in range(0, made.chunks, AT_ONCE):
        keys = [chunk_key(course.head.key, step.id, chunk) for chunk in range(begin, min(begin + AT_ONCE, made.chunks))]
        for found in await asyncio.gather(*(_result_of(course.tools, key) for key in keys)):
            if found is None:
                if is_failure:
                    continue
                raise StoreError(f"a chunk of `{step.id}` of execution {course.execution} is marked and has no result")
            chunk, size = found
            weight += size
            results += cast("list[Json]", chunk["r"])
            errors += cast("list[Json]", chunk["e"])
        if is_failure and len(errors) >= CHUNK:
            break
        if weight > MOST_BYTES:
            said = f"`{step.id}`: its results take more than {MOST_BYTES:,} bytes. Give each turn a smaller `output`."
            return Failed(Failure("too_large", said, sent="answered"))
    if is_failure:
        return too_many_failed(step, errors, failed, made.items)
    return Succeeded({"results": results, "failed": errors, "count": made.items})


async def _result_of(tools: Tools, key: RecordKey) -> tuple[Mapping[str, Json], int] | None:
    """What a chunk came to, {"r": values, "e": failures}, and its size in bytes; None where it was not run."""
    image = await tools.facts.read(key)
    if image is None or not image.status.is_terminal:
        return None
    pack = await Values(tools.facts, tools.blobs, key).pack(image, image.output_pack)
    return cast("Mapping[str, Json]", pack["output"]), len(json.dumps(pack))
