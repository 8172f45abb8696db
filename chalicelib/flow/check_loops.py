"""Checks that a loop's body says what each turn gives: by `output`, or by its only last step."""

from collections.abc import Iterator

from chalicelib.flow.check_runs import waits_of
from chalicelib.flow.findings import Finding, quoted
from chalicelib.flow.model import FlowModel, StepModel
from chalicelib.flow.needs import Wired
from chalicelib.flow.sources import scopes_of


def last_steps(body: tuple[StepModel, ...], wired: Wired) -> list[str]:
    """The steps of a body that no other step of it waits for."""
    waited = {source for step in body for source in waits_of(wired.steps[step.id])}
    return [step.id for step in body if step.id not in waited]


def check_loops(flow: FlowModel, wired: Wired) -> Iterator[Finding]:
    """Every loop without `output` whose body has several last steps."""
    for _, steps in scopes_of(flow):
        for step in steps:
            if not step.body or "output" in step.data:
                continue
            last = last_steps(step.body, wired)
            if len(last) > 1:
                what = f"The loop `{step.id}` does not say what each turn gives: its body ends with {quoted(last)}."
                yield Finding(step.pointer, what, f"Add `output:`, such as ${{ steps.{last[-1]} }}.", at_key=True)
