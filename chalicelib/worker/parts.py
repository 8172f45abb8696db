"""The records that the loops of an execution keep: which are under way, how all of them are told, how each is woken."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from chalicelib.engine.cut import SHARD, Cut, first_unmarked
from chalicelib.engine.facts import Fact, Marked, Waiting, fact_name, mark_name
from chalicelib.engine.messages import Chunk, Go, Message
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Applied, Write
from chalicelib.errors import StoreError
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.ports import Facts

LOOPS = frozenset({"loop", "cut"})
"""Waits that are work: whoever comes goes on with it."""

TRIES = 5
"""To tell a record that others are telling too."""

PAGE = 50
"""Rounds of a `repeat` that one record holds."""


def loop_key(head: RecordKey, step: str, page: int = 0) -> RecordKey:
    """The record of a loop in one invocation; of a `repeat`, of this page of its rounds."""
    return RecordKey(head.tenant, head.execution, f"{step}/b{page}" if page else step)


def chunk_key(head: RecordKey, step: str, chunk: int) -> RecordKey:
    """The record of one chunk of a wide loop."""
    return RecordKey(head.tenant, head.execution, f"{step}/b{chunk}")


def root_key(head: RecordKey, step: str) -> RecordKey:
    """The record that says whether a wide loop is finished, and tells its chunks to stop or to pause."""
    return RecordKey(head.tenant, head.execution, f"{step}/r")


def shard_key(head: RecordKey, step: str, made: Cut, chunk: int) -> RecordKey:
    """The record that a chunk's mark goes to: the root itself where there is one shard."""
    if made.shards == 1:
        return root_key(head, step)
    return RecordKey(head.tenant, head.execution, f"{step}/s{chunk // SHARD}")


def under_way(plan: Plan, image: Image) -> Iterator[tuple[StepPlan, Waiting]]:
    """The ordinary steps whose loop keeps records of its own and is not over."""
    for step in plan.steps:
        fact = image.facts.get(fact_name(step.ordinal))
        if isinstance(fact, Waiting) and fact.kind in LOOPS:
            yield step, fact


async def shards_of(facts: Facts, head: RecordKey, step: str, made: Cut) -> list[dict[str, Fact]]:
    """The marks of every shard, as they are now."""
    keys = [shard_key(head, step, made, shard * SHARD) for shard in range(made.shards)]
    images = await asyncio.gather(*(facts.read(key) for key in keys))
    return [_marks(image) for image in images]


def _marks(image: Image | None) -> dict[str, Fact]:
    if image is None:
        return {}
    return {name: fact for name, fact in image.facts.items() if isinstance(fact, Marked)}


async def lost_chunks(facts: Facts, head: RecordKey, step: str, made: Cut) -> list[int]:
    """The chunks that somebody must have a message for.

    The first unmarked of each stride; of a shard that is full and has no mark in the root, its first, which walks the
    rest of the ladder again.
    """
    shards = await shards_of(facts, head, step, made)
    found = first_unmarked(made, shards)
    root = await facts.read(root_key(head, step)) if made.shards > 1 else None
    for number, marks in enumerate(shards):
        is_full = len(marks) >= made.shard_size(number)
        is_told = made.shards > 1 and root is not None and mark_name(number) in root.facts
        if is_full and not is_told and (made.shards > 1 or not found):
            found.append(number * SHARD)
    return found


async def tell_parts(
    facts: Facts, plan: Plan, image: Image, write_for: Callable[[RecordKey, Image | None], Write]
) -> list[Image]:
    """Write the same to every record under which something may be running: those records, as they are then.

    `write_for` is given what the record was found to be where a first write was refused; the same write again ends it.

    Of a wide loop the root is told first. Who marks a chunk afterwards finds it told before the next chunk begins, and
    whoever was quicker has marked: so the first unmarked chunk of each stride is the one that may be running.
    """
    told: list[Image] = []

    async def tell(keys: Sequence[RecordKey]) -> None:
        told.extend(image for image in await asyncio.gather(*map(tell_one, keys)) if image is not None)

    async def tell_one(key: RecordKey) -> Image | None:
        write = write_for(key, None)
        for _ in range(TRIES):
            answer = await facts.write(write)
            again = write_for(key, answer.image)
            if isinstance(answer, Applied) or again == write:
                return answer.image
            write = again
        raise StoreError(f"{key.part} of execution {key.execution} did not hold still in {TRIES} tries")

    for step, fact in under_way(plan, image):
        if fact.kind == "cut":
            made = Cut.from_text(fact.detail)
            await tell([root_key(image.key, step.id)])
            shards = await shards_of(facts, image.key, step.id, made)
            await tell([chunk_key(image.key, step.id, chunk) for chunk in first_unmarked(made, shards)])
        else:
            await tell([loop_key(image.key, step.id, page_of(fact))])
    return told


def page_of(fact: Waiting) -> int:
    """Which page of its rounds a `repeat` is at."""
    return int(fact.detail or "0") if fact.kind == "loop" else 0


def message_for(plan: Plan, key: RecordKey, part: str, step: str, epoch: int) -> Message:
    """What wakes a step whose facts lie in this part."""
    if not part:
        return Go(key.tenant, key.execution, epoch, (step,))
    loop, _, place = part.partition("/")
    if place.startswith("b") and plan.by_id[loop].uses == "foreach":
        return Chunk(key.tenant, key.execution, epoch, loop, int(place[1:]))
    return Go(key.tenant, key.execution, epoch, (loop,))
