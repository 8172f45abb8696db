"""Redrive: an execution that did not end well goes on, in the next epoch, from what had failed or from a given step.

What succeeded is kept; failed steps and everything after them lose their facts. Loops keep the turns that succeeded.
The records of loops are made ready first, the head last and only if nobody has written since: before that write
nothing has happened, and after it everything has.
"""

from chalicelib.engine import controls
from chalicelib.engine.conditions import live_claims
from chalicelib.engine.facts import REDRIVEN, Counted, Done, How, Waiting, fact_name, wiped_name
from chalicelib.engine.looking import AGAIN
from chalicelib.engine.messages import Resume, Send
from chalicelib.engine.packs import entry_from_json
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import MOST_FACTS, Absent, Applied, Commit, Exactly, Put
from chalicelib.errors import ExecutionOngoingError, RedriveRefusedError, StoreError
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.controls import find_head, messages_for_chunks, plan_of
from chalicelib.worker.redrive_changes import Change, refuse_repeats
from chalicelib.worker.redrive_loops import lost_children, make_ready, plan_loops
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

TRIES = 5


async def redrive(tools: Tools, key: RecordKey, step: str | None, *, force: bool) -> Image:
    """See `ports.Door.redrive`."""
    for _ in range(TRIES):
        image = await find_head(tools, key)
        plan = await plan_of(tools, image)
        now = to_milliseconds(tools.clock.now())
        _refuse(image, now, tools.settings.boot)
        cleared = _cleared(plan, image, step, await lost_children(tools, image))
        anew = await _begin_anew(tools, plan, image, {each.id for each in cleared}, step)
        loops = await plan_loops(tools, plan, image, {each.id for each in cleared}, anew)
        change = _change(plan, image, cleared, anew, now)
        if not force:
            refuse_repeats(image, plan.steps, change)
            for each in loops:
                refuse_repeats(each.record, plan.by_id.values(), each.change)
        for each in loops:
            await make_ready(tools, each, image.epoch, now)
        becomes = Status.QUEUED if image.birth is not None and image.birth.lanes else Status.RUNNING
        if await _write(tools, image, change, now, becomes):
            after = await find_head(tools, key)
            # One that is queued is sent for when it is let in.
            chunks = await messages_for_chunks(tools, plan, after) if after.status is Status.RUNNING else []
            await tools.queue.send([Send(Resume(key.tenant, key.execution, image.epoch + 1)), *chunks])
            return after
    raise StoreError(f"execution {key.execution} did not hold still in {TRIES} tries")


def _change(plan: Plan, image: Image, cleared: list[StepPlan], anew: set[str], now: int) -> Change:
    """What goes from the head, and what is counted there."""
    change = Change()
    ids = {each.id for each in cleared}
    for each in cleared:
        change.clear(image.facts, each, is_below=not ids.isdisjoint(_sources(each)))
    for each in plan.on_failure:
        change.clear(image.facts, each, is_below=True)
    for each in (*plan.steps, *plan.on_failure):
        if each.id in anew:
            change.count(image.facts, wiped_name(each.ordinal))
    known = image.facts.get(REDRIVEN)
    change.puts[REDRIVEN] = Put(Counted(now), Absent() if known is None else Exactly(known))
    return change


def _sources(step: StepPlan) -> set[str]:
    return {need.source for need in (*step.needs, *(need for group in step.groups for need in group.needs))}


async def _begin_anew(tools: Tools, plan: Plan, image: Image, cleared: set[str], start: str | None) -> set[str]:
    """The loops that begin anew, because what they were computed from may be other than it was, or is asked again.

    So do those of `on_failure`, whose failure is another one, and a `repeat` that had reached its limit.
    """
    found = {each.id for each in plan.on_failure if each.body is not None}
    for step in plan.steps:
        if step.body is None or step.id not in cleared:
            continue
        is_below = not cleared.isdisjoint(_sources(step))
        is_new = step.id == start or is_below or not _has_failed(image, step)
        is_at_limit = step.body.until is not None and await _code_of(tools, image, step) == "repeat_max"
        if is_new or is_at_limit:
            found.add(step.id)
    return found


async def _code_of(tools: Tools, image: Image, step: StepPlan) -> str:
    name = fact_name(step.ordinal)
    fact = image.facts.get(name)
    if not isinstance(fact, Done):
        return ""
    if not fact.pack:
        return ""
    entry = (await Values(tools.facts, tools.blobs, image.key).pack(image, fact.pack)).get(name)
    failure = entry_from_json(entry).failure if isinstance(entry, dict) else None
    return str(failure.get("code")) if failure is not None else ""


def _refuse(image: Image, now: int, boot: int) -> None:
    execution = image.key.execution
    if not image.status.is_terminal or live_claims(image, now, boot):
        raise ExecutionOngoingError(
            f"Execution {execution} is {image.status.word}. Redrive it once it has failed, or cancel it first."
        )
    if image.status is Status.SUCCEEDED:
        raise RedriveRefusedError(
            f"Execution {execution} has succeeded: there is nothing to redrive. Retry it instead."
        )
    if image.birth is None or not image.birth.input_pack:
        raise RedriveRefusedError(f"The input of execution {execution} was never stored: it did not begin. Start anew.")


def _cleared(plan: Plan, image: Image, step: str | None, lost: set[str]) -> list[StepPlan]:
    """The steps of the flow that lose what is recorded of them."""
    own = {each.id: each for each in plan.steps}
    roots = {each.id for each in plan.steps if not each.is_handled and _has_failed(image, each)}
    if step is not None:
        if step not in own:
            inside = " It stands in a loop: name the loop." if step in plan.by_id else ""
            raise RedriveRefusedError(f"The flow has no step `{step}` to redrive from.{inside}")
        # What failed and is nobody's to handle would end it again before anything had begun.
        roots |= {step}
    todo, found = list(roots), set(roots)
    while todo:
        for each in plan.dependents.get(todo.pop(), ()):
            if each not in found:
                found.add(each)
                todo.append(each)
    return [each for each in plan.steps if each.id in found or _waits_for(image, each) in lost]


def _has_failed(image: Image, step: StepPlan) -> bool:
    fact = image.facts.get(fact_name(step.ordinal))
    return isinstance(fact, Done) and fact.how in {How.FAILED, How.UNKNOWN}


def _waits_for(image: Image, step: StepPlan) -> str:
    """The execution that a step waits for; empty where it waits for none."""
    fact = image.facts.get(fact_name(step.ordinal))
    return fact.detail if isinstance(fact, Waiting) and fact.kind == "call" else ""


async def _write(tools: Tools, image: Image, change: Change, now: int, becomes: Status) -> bool:
    """The head, in the next epoch. What is more than one write takes goes first, without consequence if it stays so."""
    removes, puts = sorted(change.removes), list(change.puts.items())
    while len(removes) > MOST_FACTS or len(puts) > MOST_FACTS:
        part, removes = frozenset(removes[:MOST_FACTS]), removes[MOST_FACTS:]
        counted, puts = dict(puts[:MOST_FACTS]), puts[MOST_FACTS:]
        everywhere = frozenset(Status)
        write = Commit(
            *(image.key, image.epoch, now), allowed=everywhere, seen_rev=image.rev, removes=part, puts=counted
        )
        answer = await tools.facts.write(write)
        if not isinstance(answer, Applied):
            return False
        image = answer.image
    check = now + AGAIN
    write = controls.redrive(image, now, frozenset(removes), dict(puts), check, becomes)
    return isinstance(await tools.facts.write(write), Applied)
