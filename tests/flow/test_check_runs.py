"""What the check says can never run, held against every run of small flows by the table of design 3.2."""

import re
from collections.abc import Iterator
from itertools import product

from hypothesis import given, settings

from chalicelib.flow.check import check
from chalicelib.flow.plan import Need, Plan, StepPlan
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import Document
from tests.flow.catalogue import CATALOGUE
from tests.flow.test_check_anything import nearly_right

NEVER = re.compile(r"`(\w+)` can never run|no alternative for `(\w+)`")
MOST_RUNS = 3_000


def ends_of(step: StepPlan) -> list[str]:
    """How a step that runs can end: by a port, by a failure somebody handles, or declined by its own `if`."""
    return [*step.ports, *(["failed"] if step.is_handled else []), *(["declined"] if step.condition else [])]


def holds(need: Need, plan: Plan, run: dict[str, str]) -> bool:
    """One cell of the table, for a source that is settled."""
    end = run[need.source]
    step = plan.by_id.get(need.source)
    if need.port == "settled":
        return True
    if end in {"skipped", "declined"}:
        return need.port == "skipped"
    if end == "failed":
        assert step is not None
        if step.on_error is not None:
            return need.port in {"done", step.ports[0]}
        return need.port == "error"
    return need.port == "done" or (need.port == end and need.port != "skipped")


def runs_now(step: StepPlan, plan: Plan, run: dict[str, str]) -> bool:
    plain = all(holds(need, plan, run) for need in step.needs)
    return plain and all(
        sum(holds(need, plan, run) for need in group.needs) >= (group.at_least or 1) for group in step.groups
    )


def every_run(plan: Plan) -> Iterator[dict[str, str]]:
    """Every way the flow can go; the steps of these flows stand in an order in which needs point backwards."""
    for started in ("done", "skipped"):
        for ends in product(*(ends_of(step) for step in plan.steps)):
            run = dict.fromkeys(plan.triggers, started)
            for step, end in zip(plan.steps, ends, strict=True):
                run[step.id] = end if runs_now(step, plan, run) else "skipped"
            yield run


def count_of_runs(plan: Plan) -> int:
    count = 2
    for step in plan.steps:
        count *= len(ends_of(step))
    return count


def test_a_clean_flow_has_a_run_for_each_of_its_steps_and_what_never_runs_is_refused():
    seen = {"runs": 0, "never": 0}

    @settings(max_examples=500, deadline=None, database=None, derandomize=True)
    @given(nearly_right())
    def look(flow):
        report = check(Document("x.json", flow, {}, {}, ""), CATALOGUE)
        plan = make_plan(flow, CATALOGUE)
        if count_of_runs(plan) > MOST_RUNS or any("cannot count here" in one.what for one in report.problems):
            return
        ran = {name for run in every_run(plan) for name, end in run.items() if end not in {"skipped", "declined"}}
        never = {step.id for step in plan.steps} - ran
        named = {found[1] for one in report.problems if (found := NEVER.match(one.what)) and found[1]}
        assert named <= never
        # What only follows from another step that never runs is not named again, but something always is.
        if not report.problems:
            assert never == set()
        seen["never" if never else "runs"] += 1

    look()
    assert seen["runs"] > 50
    assert seen["never"] > 10
