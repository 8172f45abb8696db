"""What becomes of a step that has come back: a fact, a wait, or another try later."""

from dataclasses import replace

from chalicelib.engine.facts import How, Retrying, Waiting
from chalicelib.engine.packs import Attempt, Entry, entry_to_json
from chalicelib.engine.readiness import Run
from chalicelib.engine.writes import Exactly, Free, Put
from chalicelib.flow.plan import StepPlan
from chalicelib.kit.values import Succeeded, Waits
from chalicelib.worker.budget import to_milliseconds, to_text
from chalicelib.worker.flight import Landing, finished, nothing_done
from chalicelib.worker.ledger import Finished
from chalicelib.worker.packing import json_text
from chalicelib.worker.stage import Opening, Stage


async def land(stage: Stage, step: StepPlan, landing: Landing) -> None:
    """What a flight brought: a fact, a wait, or another try later."""
    name = stage.name_of(step)
    if step.id in stage.done:
        return  # another worker recorded it meanwhile: one result wins
    if landing.delay_seconds is not None:
        _put_off(stage, name, landing, landing.delay_seconds)
    elif isinstance(landing.outcome, Waits):
        await wait(stage, step, landing, landing.outcome)
    elif not landing.was_stopped:
        is_urgent = step.effect.is_leased or stage.course.plan.durability == "every"
        await settle(stage, await finished(stage.course, landing, name), urgent=is_urgent)


def _put_off(stage: Stage, name: str, landing: Landing, delay_seconds: float) -> None:
    """The next try is for another invocation."""
    due = stage.course.now() + int(delay_seconds * 1000)
    if stage.ledger is None:  # a turn that keeps nothing begins again
        stage.put_off(landing.prepared.step, due)
        return
    number, code = landing.attempts[-1].number, landing.attempts[-1].code
    told = json_text(entry_to_json(Entry(None, None, landing.attempts)))
    stage.openings[name] = Opening(landing, Put(Retrying(due, number, code), landing.guard), number, due, told)


async def settle(stage: Stage, each: Finished, *, urgent: bool = False) -> None:
    """A step is settled here: others may be ready now."""
    step, done = each.step, each.done
    if stage.ledger is None:
        # A turn that keeps nothing has no record to order its facts: they count as they come.
        done = replace(done, order=len(stage.done))
    else:
        stage.pending.append(each)
        if step.uses == "respond" and done.how is How.SUCCEEDED:
            stage.answers.append((each.name, each.entry.value))
        stage.urgent |= urgent or step.feeds_count or bool(stage.answers)
    stage.done[step.id] = done
    stage.values.entries[each.name] = each.entry
    stage.board.settle(step.id, done)
    stage.ready.extend(stage.board.take_ready())


async def wait(stage: Stage, step: StepPlan, landing: Landing, waits: Waits) -> None:
    """A step that goes on at a moment: recorded first, then slept through or left to the queue."""
    due = to_milliseconds(waits.until)
    landing.outcome = Succeeded(waits.value)
    if stage.ledger is None:
        stage.sleep(step, landing, due)
        return
    fact = Waiting("timer", due, stage.course.now())
    landing.guard = Exactly(fact)
    stage.openings[stage.name_of(step)] = Opening(landing, Put(fact, Free()), 1, due)


async def go_on_waiting(stage: Stage, ready: Run, fact: Waiting, now: int) -> None:
    """A wait that an earlier invocation recorded."""
    outcome = Succeeded({"until": to_text(fact.due)})
    attempts = (Attempt(1, fact.since, max(now, fact.due)),)
    landing = Landing(nothing_done(ready.step), ready.sees, {}, Exactly(fact), outcome, attempts)
    if fact.due <= now:
        await settle(stage, await finished(stage.course, landing, stage.name_of(ready.step)))
    else:
        until(stage, ready.step, landing, fact.due, now)


def until(stage: Stage, step: StepPlan, landing: Landing, due: int, now: int) -> None:
    """Sleep through a short wait, in a loop's turn through whatever fits; leave a long one to the queue."""
    seconds = max(0.0, (due - now) / 1000)
    is_short = bool(stage.grounds.path) or seconds <= stage.course.tools.settings.inline_wait_seconds
    if is_short and stage.course.budget.fits(now, seconds):
        stage.sleep(step, landing, due)
    else:
        stage.put_off(step, due)
