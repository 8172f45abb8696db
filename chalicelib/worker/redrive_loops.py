"""The records of loops on their way into the next epoch: the turns in which something failed begin again from there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from chalicelib.engine.controls import ENDED_BADLY
from chalicelib.engine.cut import SHARD, Cut
from chalicelib.engine.facts import Claimed, Counted, Done, Fact, How, Marked, Waiting, fact_name
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import MOST_FACTS, Applied, Commit, Put
from chalicelib.errors import StoreError
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.worker.children import children_of
from chalicelib.worker.parts import chunk_key, loop_key, root_key, shard_key
from chalicelib.worker.redrive_changes import Change
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

TRIES = 5

WIDEST = 100
"""Chunks that may be under way at once, and so the widest gap between two that have begun."""

_SHARDED = Cut(0, 1 << 30, 1, 1, 0)
"""Any cut with more than one shard: for where shards lie."""


@dataclass(frozen=True, slots=True)
class LoopRecord:
    """A record of a loop, and what becomes of it."""

    record: Image
    change: Change


async def plan_loops(tools: Tools, plan: Plan, image: Image, cleared: set[str], anew: set[str]) -> list[LoopRecord]:
    """Every record of the loops that did not end well, with its change. Nothing is written."""
    found: list[LoopRecord] = []
    for step in (*plan.steps, *plan.on_failure):
        fact = image.facts.get(fact_name(step.ordinal))
        is_whole = isinstance(fact, Done) and fact.how is How.SUCCEEDED
        if step.body is None or (is_whole and step.id not in cleared | anew):
            continue
        is_new = step.id in anew
        if await tools.facts.read(root_key(image.key, step.id)) is not None:
            made = Cut.from_text(fact.detail) if isinstance(fact, Waiting) and fact.kind == "cut" else None
            found += await _plan_wide(tools, image.key, step, made, is_new=is_new)
        page = 0  # it may have been short in one epoch, and long in another
        while (record := await tools.facts.read(loop_key(image.key, step.id, page))) is not None:
            found.append(LoopRecord(record, _change(record, step, await lost_children(tools, record), is_new=is_new)))
            if step.uses == "foreach":
                break
            page += 1
    return found


async def _plan_wide(
    tools: Tools, head: RecordKey, step: StepPlan, made: Cut | None, *, is_new: bool
) -> list[LoopRecord]:
    """Marks of chunks in which something failed go, and those chunks are made ready."""
    marks = await _mark_records(tools, head, step)
    found: list[LoopRecord] = []
    lost: set[int] = set()
    chunks = made.chunks if made is not None else _chunks_in(marks)
    chunk = gap = 0
    # Marks may be gone by an earlier redrive: records are looked for until a whole window of them is missing.
    while chunk < chunks or (made is None and gap <= WIDEST):
        record = await tools.facts.read(chunk_key(head, step.id, chunk))
        gap = gap + 1 if record is None else 0
        if record is not None and (is_new or not await _is_whole(tools, record)):
            lost.add(chunk)
            found.append(LoopRecord(record, _change(record, step, await lost_children(tools, record), is_new=is_new)))
        chunk += 1
    for record in marks:
        gone = {name for name, fact in record.facts.items() if isinstance(fact, Marked)}
        if not is_new:
            gone = {name for name in gone if _is_lost(name, record.facts[name], lost)}
        found.append(LoopRecord(record, Change(gone)))
    return found


def _is_lost(name: str, mark: Fact, lost: set[int]) -> bool:
    return isinstance(mark, Marked) and (mark.failed > 0 or not mark.ran or int(name[1:]) in lost)


def _chunks_in(marks: list[Image]) -> int:
    """How many chunks a loop had that was joined: all of them are marked, in the shards or in the only record."""
    last = marks[1:] or marks
    return 1 + max((int(name[1:]) for record in last for name in record.facts if name[0] == "M"), default=-1)


async def _mark_records(tools: Tools, head: RecordKey, step: StepPlan) -> list[Image]:
    """The root, then the shards, where there are any."""
    found: list[Image] = []
    shard, key = 0, root_key(head, step.id)
    while (record := await tools.facts.read(key)) is not None:
        found.append(record)
        key = shard_key(head, step.id, _SHARDED, shard * SHARD)
        shard += 1
    return found


async def _is_whole(tools: Tools, record: Image) -> bool:
    """Whether a chunk is finished and nothing in it failed."""
    if not record.status.is_terminal:
        return False
    pack = await Values(tools.facts, tools.blobs, record.key).pack(record, record.output_pack)
    output = pack.get("output")
    return isinstance(output, dict) and not output.get("e")


def _change(record: Image, loop: StepPlan, lost: set[str], *, is_new: bool) -> Change:
    """What becomes of one record."""
    change = Change()
    if is_new:
        change.removes = {name for name, fact in record.facts.items() if not isinstance(fact, Claimed | Counted)}
        return change
    for path, steps in _turns_in(record, loop):
        failed = {each.id for each in steps if not each.is_handled and _failed_at(record, each, path)}
        after = _after(failed, steps)
        for each in steps:
            if each.id in after or _waits_for(record, each, path) in lost:
                is_below = each.id in after and not after.isdisjoint(_sources(each))
                change.clear(record.facts, each, path, is_below=is_below)
                if is_below:
                    for inner, place in _inside(record, each, path):
                        change.clear(record.facts, inner, place, is_below=True)
    return change


def _waits_for(record: Image, step: StepPlan, path: tuple[int, ...]) -> str:
    """The execution that a step of a turn waits for; empty where it waits for none."""
    fact = record.facts.get(fact_name(step.ordinal, path))
    return fact.detail if isinstance(fact, Waiting) and fact.kind == "call" else ""


async def lost_children(tools: Tools, record: Image) -> set[str]:
    """The executions that steps of this record wait for and that did not end well: others are started for them.

    What has succeeded meanwhile is taken in, and what still runs is waited for.
    """
    lost: set[str] = set()
    for child in children_of([record]):
        head = await tools.facts.read(RecordKey(record.key.tenant, child))
        if head is None or head.status is Status.ENDING or head.status in ENDED_BADLY:
            lost.add(child)
    return lost


def _failed_at(record: Image, step: StepPlan, path: tuple[int, ...]) -> bool:
    fact = record.facts.get(fact_name(step.ordinal, path))
    return isinstance(fact, Done) and fact.how in {How.FAILED, How.UNKNOWN}


def _sources(step: StepPlan) -> set[str]:
    return {need.source for need in (*step.needs, *(need for group in step.groups for need in group.needs))}


def _after(failed: set[str], steps: tuple[StepPlan, ...]) -> set[str]:
    """The failed steps of a body, and those that depend on one of them, directly or through others."""
    after = set(failed)
    while True:
        more = {each.id for each in steps if each.id not in after and not after.isdisjoint(_sources(each))}
        if not more:
            return after
        after |= more


def _turns_in(record: Image, loop: StepPlan) -> Iterator[tuple[tuple[int, ...], tuple[StepPlan, ...]]]:
    """Every turn that the record has facts of, with the steps of its body; those of loops inside it too."""
    paths = {path for _, path in map(_read, record.facts) if path}
    levels: list[tuple[int, tuple[StepPlan, ...]]] = []
    todo = [(1, loop)]
    while todo:
        depth, step = todo.pop()
        if step.body is not None:
            levels.append((depth, step.body.steps))
            todo += [(depth + 1, each) for each in step.body.steps if each.body is not None]
    for depth, steps in levels:
        for path in sorted({path[:depth] for path in paths if len(path) >= depth}):
            yield path, steps


def _inside(record: Image, loop: StepPlan, path: tuple[int, ...]) -> Iterator[tuple[StepPlan, tuple[int, ...]]]:
    """What the record has of the turns of a loop inside this turn, rounds that are over among it."""
    inner = {fact_name(loop.ordinal): loop}
    todo = [loop]
    while todo:
        body = todo.pop().body
        for each in body.steps if body is not None else ():
            inner[fact_name(each.ordinal)] = each
            todo.append(each)
    for place, turns in map(_read, tuple(record.facts)):
        if place in inner and len(turns) > len(path) and turns[: len(path)] == path:
            yield inner[place], turns


def _read(name: str) -> tuple[str, tuple[int, ...]]:
    """The place and the turns in a fact's name."""
    place, _, turns = name.partition("_")
    return place, tuple(map(int, turns.split("."))) if turns else ()


async def make_ready(tools: Tools, loop: LoopRecord, epoch: int, now: int) -> None:
    """Take a record into the epoch after `epoch`, however far it lies behind; nothing where an earlier try has."""
    record, change = loop.record, replace(loop.change)
    for _ in range(TRIES + epoch + len(change.removes) // MOST_FACTS + len(change.puts) // MOST_FACTS):
        if record.epoch > epoch:
            return
        gone = sorted(name for name in change.removes if name in record.facts)
        puts = {name: put for name, put in change.puts.items() if record.facts.get(name) != put.fact}
        is_last = len(gone) <= MOST_FACTS and len(puts) <= MOST_FACTS
        write = Commit(
            *(record.key, record.epoch, now),
            allowed=frozenset(Status),
            seen_rev=record.rev,
            removes=frozenset(gone[:MOST_FACTS]),
            puts=_first(puts),
            redrives=is_last,
            becomes=Status.RUNNING if is_last else None,
        )
        answer = await tools.facts.write(write)
        if answer.image is None:
            return  # the store has forgotten it since
        if not isinstance(answer, Applied) and answer.image.epoch > epoch:
            return
        record = answer.image
    raise StoreError(f"a loop of execution {record.key.execution} did not hold still")


def _first(puts: Mapping[str, Put]) -> dict[str, Put]:
    return dict(list(puts.items())[:MOST_FACTS])
