"""What becomes of a step that has come back: a fact, a wait, or another try later."""

from chalicelib.engine.facts import Retrying
from chalicelib.engine.packs import Entry, entry_to_json
from chalicelib.engine.writes import Put
from chalicelib.flow.plan import StepPlan
from chalicelib.kit.values import Waits
from chalicelib.worker.flight import Landing, finished
from chalicelib.worker.packing import json_text
from chalicelib.worker.settling import settle
from chalicelib.worker.stage import Opening, Stage
from chalicelib.worker.waits import begin_waiting


async def land(stage: Stage, step: StepPlan, landing: Landing) -> None:
    """What a flight brought: a fact, a wait, or another try later."""
    name = stage.name_of(step)
    if step.id in stage.done:
        return  # another worker recorded it meanwhile: one result wins
    if landing.delay_seconds is not None:
        _put_off(stage, name, landing, landing.delay_seconds)
    elif isinstance(landing.outcome, Waits):
        await begin_waiting(stage, step, landing, landing.outcome)
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
