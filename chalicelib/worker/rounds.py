"""`repeat`: the body again and again until something holds; each round is recorded before the next begins."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from chalicelib.engine.facts import Done, Fact, How, Waiting, fact_name
from chalicelib.engine.packs import Entry, entry_to_json
from chalicelib.engine.writes import Exactly, NotDone, Put
from chalicelib.errors import ExpressionError, MissingValueError, ParameterError, PenstockError, StoreError
from chalicelib.flow.plan import Body, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.flight import Landing
from chalicelib.worker.ledger import Finished, Ledger, Open
from chalicelib.worker.loop_records import MOST_BYTES, RECORD_IS_FULL, is_full, open_loop
from chalicelib.worker.packing import json_text
from chalicelib.worker.parts import PAGE, loop_key, page_of
from chalicelib.worker.stage import Stage
from chalicelib.worker.turns import Rounds, Turn, TurnResult, read_rounds
from chalicelib.worker.values import Values
from chalicelib.worker.waits import is_about_now

MOST_NESTED = 500
"""Rounds of a `repeat` inside another loop: they share that loop's record."""


RunTurn: TypeAlias = Callable[
    [Stage, Landing, Body, Turn, Ledger | None, Values], Awaitable[tuple[Stage, TurnResult | None]]
]


@dataclass(slots=True)
class _State:
    """How far it has come."""

    ledger: Ledger
    values: Values
    page: int
    round: int = 0
    """The last finished one."""
    ended: int = 0
    """When that ended, in epoch milliseconds."""
    is_over: bool = False
    value: Json = None
    """Its output."""


async def run_rounds(stage: Stage, landing: Landing, body: Body, turn: RunTurn) -> Outcome:
    """Round after round until `until` holds: the last output, or all of them where they are collected."""
    step, course = landing.prepared.step, stage.course
    try:
        rounds = read_rounds(course, step, landing.prepared.parameters)
    except PenstockError as error:
        return Failed(Failure(error.code, error.detail))
    state = await _find(stage, step)
    has_begun = False
    while not state.is_over:
        failure = _at_limit(stage, step, rounds, state)
        if failure is not None:
            return Failed(failure)
        if not await _pause(stage, step, rounds, state, is_known=not has_begun):
            return _stopped(landing, step)
        if not stage.grounds.path and state.round // PAGE > state.page:
            turned = await _turn_page(stage, landing, step, state)
            if turned is None:
                return _stopped(landing, step)
            state = turned
            continue  # others may be further on
        number = state.round + 1
        if is_full(state.ledger) and not _has_begun(stage, body, state, number):
            return Failed(Failure("too_many_rounds", f"`{step.id}`: {RECORD_IS_FULL}", sent="answered"))
        stopped = await _round(stage, landing, body, turn, state)
        if stopped is not None:
            return stopped
        has_begun = True
    return await _collected(stage, step, state) if rounds.collects else Succeeded(state.value)


def _at_limit(stage: Stage, step: StepPlan, rounds: Rounds, state: _State) -> Failure | None:
    if state.round >= rounds.most:
        said = f"`{step.id}`: `until` did not hold in {rounds.most} rounds. Allow more with `max`."
        return Failure("repeat_max", said, detail=state.value, sent="answered")
    if stage.grounds.path and state.round >= MOST_NESTED:
        said = f"`{step.id}`: a repeat inside another loop may have at most {MOST_NESTED} rounds."
        return Failure("too_many_rounds", said, sent="answered")
    return None


async def _round(stage: Stage, landing: Landing, body: Body, turn: RunTurn, state: _State) -> Outcome | None:
    """The next round, recorded; where it did not come to its end, how the loop leaves."""
    step, number = landing.prepared.step, state.round + 1
    names: dict[str, Json] = {"round": number}
    if state.round:
        names["last"] = state.value
    since = state.ended  # a round begins where the one before ended; the first one with the loop
    inner, result = await turn(stage, landing, body, Turn(number, names, since), state.ledger, state.values)
    if result is None or stage.is_stopped:
        if stage.ledger is not None and state.ledger is not stage.ledger:
            await stage.course.head.look()  # it may have been told to stop: the head says why
        return _stopped(landing, step)
    failure = result.failure or await _ask(stage, inner, body, step, state, result.value)
    if failure is not None:
        return _failed(step, number, failure)
    await _record(stage, step, state, number, result.value)
    return None


def _has_begun(stage: Stage, body: Body, state: _State, number: int) -> bool:
    path, image = (*stage.grounds.path, number), state.ledger.image
    return image is not None and any(fact_name(each.ordinal, path) in image.facts for each in body.steps)


async def _collected(stage: Stage, step: StepPlan, state: _State) -> Outcome:
    """The outputs of all rounds, page by page."""
    results: list[Json] = []
    weight = 0
    for page in range(state.page + 1):
        ledger, values = state.ledger, state.values
        if page < state.page:
            ledger, values = await open_loop(stage.course, loop_key(stage.course.head.key, step.id, page))
        if ledger.image is None:
            raise StoreError(f"the rounds of `{step.id}` of execution {stage.course.execution} are gone")
        for number, done in sorted(_finished_in(stage, step, ledger).items()):
            name = fact_name(step.ordinal, (*stage.grounds.path, number))
            await values.load(ledger.image, {name: done})
            results.append(values.entries[name].value)
            weight += len(json_text(results[-1]))
        if weight > MOST_BYTES:
            said = f"`{step.id}`: its results take more than {MOST_BYTES:,} bytes. Give each round a smaller `output`."
            return Failed(Failure("too_large", said, sent="answered"))
    return Succeeded({"results": results})


def _stopped(landing: Landing, step: StepPlan) -> Outcome:
    landing.was_stopped = True
    return Failed(Failure("stopped", f"`{step.id}` was stopped before it was over."))


def _failed(step: StepPlan, number: int, failure: Mapping[str, Json]) -> Outcome:
    said = f"`{step.id}`, round {number}: {failure.get('message')}"
    return Failed(Failure(str(failure.get("code", "failed")), said, detail=dict(failure), sent="answered"))


async def _find(stage: Stage, step: StepPlan) -> _State:
    """What is recorded of it: the last round that was finished."""
    ledger, values, page = stage.ledger, stage.values, 0
    if not stage.grounds.path:
        head = stage.course.head
        fact = stage.fact_of(step)
        page = page_of(fact) if isinstance(fact, Waiting) else 0
        ledger, values = await open_loop(stage.course, loop_key(head.key, step.id, page))
    if ledger is None:
        raise TypeError("a repeat keeps its rounds in a record")
    state = _State(ledger, values, page)
    found = _finished_in(stage, step, ledger)
    if not found and page:
        before, before_values = await open_loop(stage.course, loop_key(stage.course.head.key, step.id, page - 1))
        found, ledger, values = _finished_in(stage, step, before), before, before_values
    if found and ledger.image is not None:
        state.round = max(found)
        done = found[state.round]
        name = fact_name(step.ordinal, (*stage.grounds.path, state.round))
        await values.load(ledger.image, {name: done})
        state.ended, state.is_over, state.value = done.ended, done.port == "over", values.entries[name].value
    return state


def _finished_in(stage: Stage, step: StepPlan, ledger: Ledger) -> dict[int, Done]:
    prefix = f"{fact_name(step.ordinal)}_{''.join(f'{turn}.' for turn in stage.grounds.path)}"
    facts: Mapping[str, Fact] = ledger.image.facts if ledger.image is not None else {}
    rounds = ((name.removeprefix(prefix), fact) for name, fact in facts.items() if name.startswith(prefix))
    return {int(rest): fact for rest, fact in rounds if isinstance(fact, Done) and rest.isdecimal()}


async def _pause(stage: Stage, step: StepPlan, rounds: Rounds, state: _State, *, is_known: bool) -> bool:
    """Wait until the next round may begin: here if that fits, else (False) in another invocation."""
    course = stage.course
    now = course.now()
    due = now
    if state.round and rounds.every is not None:
        due = state.ended + int(rounds.every.total_seconds() * 1000)
    seconds = max(0.0, (due - now) / 1000)
    is_short = bool(stage.grounds.path) or seconds <= course.tools.settings.inline_wait_seconds
    if (seconds and not is_short) or not course.budget.fits(now, seconds):
        is_known = is_known and seconds > 0 and not is_about_now(stage, step, due)
        stage.put_off(step, max(due, now), is_known=is_known)
        return False
    if seconds:
        await course.tools.clock.sleep(seconds)
    return not stage.is_stopped


async def _turn_page(stage: Stage, landing: Landing, step: StepPlan, state: _State) -> _State | None:
    """The next rounds go into another record: the head says which, so that a cancel finds it.

    None where others have ended the loop: no round of it may begin any more.
    """
    fact = stage.fact_of(step)
    if isinstance(fact, Waiting) and page_of(fact) == state.page:
        moved = replace(fact, detail=str(state.page + 1))
        await stage.course.head.commit((), {stage.name_of(step): Open(Put(moved, Exactly(fact)), step)})
        fact = stage.fact_of(step)
    if not isinstance(fact, Waiting):
        return None
    landing.guard = Exactly(fact)
    return await _find(stage, step)


async def _ask(
    stage: Stage, inner: Stage, body: Body, step: StepPlan, state: _State, value: Json
) -> Mapping[str, Json] | None:
    """Ask `until`, `last` being what this round gave; the failure where it cannot be answered."""
    course = stage.course
    scope = {**await inner.scope(tuple(each.id for each in body.steps)), "last": value}
    moment = moment_for(course.execution, step.id, inner.grounds.path, inner.latest_end(), course.plan.timezone)
    if body.until is None:
        raise TypeError("a repeat has `until`")
    try:
        found = await evaluated(course.tools.evaluator, body.until, scope, moment, inner.absences)
    except (ExpressionError, MissingValueError, ParameterError) as error:
        return {"code": error.code, "message": f"`until` of `{step.id}`: {error.detail}", "step": step.id}
    state.is_over = found is True
    return None


async def _record(stage: Stage, step: StepPlan, state: _State, number: int, value: Json) -> None:
    """The round is over, for good: its output, and whether it was the last."""
    course = stage.course
    await course.learn()
    entry = Entry(course.secrets.mask(value), None, ())
    now = course.now()
    done = Done(How.SUCCEEDED, "over" if state.is_over else "again", 1, now)
    name = fact_name(step.ordinal, (*stage.grounds.path, number))
    text = json_text(entry_to_json(entry))
    await state.ledger.commit([Finished(step, name, done, text, NotDone(), entry)])
    recorded = state.ledger.image.facts.get(name) if state.ledger.image is not None else None
    if not isinstance(recorded, Done) or state.ledger.image is None:
        raise StoreError(f"round {number} of `{step.id}` of execution {course.execution} was not recorded")
    if recorded.pack.startswith("i") or recorded.ended != now:
        await state.values.load(state.ledger.image, {name: recorded})  # another worker may have been first with it
        entry = state.values.entries[name]
    state.values.entries[name] = entry
    state.is_over = recorded.port == "over"
    state.round, state.ended, state.value = number, recorded.ended, entry.value
