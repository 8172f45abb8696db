"""Telling the loops of an execution that it is ending: no claim in them succeeds any more (I12)."""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.engine.facts import Waiting, fact_name
from chalicelib.engine.records import Image
from chalicelib.engine.writes import Cancel
from chalicelib.flow.plan import Plan
from chalicelib.ports import Facts


def loops_under_way(plan: Plan, image: Image) -> list[str]:
    """The ordinary steps whose loop keeps a record of its own and is not over."""
    facts = ((step, image.facts.get(fact_name(step.ordinal))) for step in plan.steps)
    return [step.id for step, fact in facts if isinstance(fact, Waiting) and fact.kind == "loop"]


async def stop_loops(facts: Facts, plan: Plan, image: Image, cancel: Cancel) -> Sequence[Image]:
    """Write `cancel` (made for the head) to the record of each loop under way; the records as they are then."""
    stopped: list[Image] = []
    for step in loops_under_way(plan, image):
        answer = await facts.write(replace(cancel, key=replace(image.key, part=step)))
        if answer.image is not None:
            stopped.append(answer.image)
    return stopped
