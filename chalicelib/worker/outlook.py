"""What the plan lets expect of the writes to come on a record: for who chooses where values lie (`engine.packs`)."""

from collections.abc import Collection, Mapping

from chalicelib.engine.facts import Done, Fact, fact_name
from chalicelib.engine.packs import Outlook
from chalicelib.flow.plan import Plan, StepPlan

FACT_BYTES = 24
"""About what a settled step's fact weighs, its attribute's name included."""

OPEN_BYTES = 40
"""The same of a claim, a wait or a retry."""

IN_A_LOOP = Outlook(8, 2 * FACT_BYTES)
"""A loop's record gets a write for every few turns; how many turns come is nowhere in the plan."""

_WAITS = frozenset({"wait", "callback", "approval", "call"})


def outlook(plan: Plan | None, facts: Mapping[str, Fact], settled: Collection[str]) -> Outlook:
    """The writes that may follow on a head with these facts and these steps settled; without a plan, on a loop's."""
    if plan is None:
        return IN_A_LOOP
    left = writes = 0
    for step in plan.steps:
        name = fact_name(step.ordinal)
        if name in settled or isinstance(facts.get(name), Done):
            continue
        left += 1
        writes += plan.durability == "every" or _is_written_for(step)
    return Outlook(max(1, writes), left * FACT_BYTES // max(1, writes))


def _is_written_for(step: StepPlan) -> bool:
    """Whether a write is made for this step's sake; a step that only computes or reads goes with the next there is."""
    return step.effect.needs_barrier or step.apart or step.feeds_count or step.body is not None or step.uses in _WAITS
