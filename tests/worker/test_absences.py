"""Why a step has no value, as the reason of a failure says it."""

from typing import Any

import pytest

from tests.worker.house import House, run

FLOW = """flow: a
triggers: {m: {uses: manual}, n: {uses: manual}}
steps:
  size: {uses: switch, with: {cases: {small: "${ inputs.total < 5 }"}}}
  review: {uses: set, after: size.else, with: {by: 1}}
  next: {uses: set, with: {by: "${ steps.review.by }"}}
  tr: {uses: set, after: n, with: {by: 1}}
  bad: {uses: fail, with: {message: no}}
  bs: {uses: set, after: bad, with: {x: 1}}
  be: {uses: set, after: size.error, with: {x: 1}}
  h: {uses: set, after: bad.error, with: {x: 1}}
  g: {uses: set, after: {any: [next, review]}, with: {x: 1}}
  no: {uses: set, if: "${ inputs.total > 5 }", with: {by: 1}}
  after_no: {uses: set, after: no, with: {by: 1}}
"""


async def reason_of(text: str) -> str:
    house = House()
    entered = await house.enter(text, {"total": 1})
    return (await house.image(entered.execution)).reason.message


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("review", "was skipped (switch `size` took `small`)"),
        ("next", "was skipped (switch `size` took `small`)"),
        ("tr", "was skipped (trigger `n` did not start this)"),
        ("bad", "failed"),
        ("bs", "was skipped (`bad` failed)"),
        ("be", "was skipped (`size` did not fail)"),
        ("g", "was skipped (none of its alternatives came about)"),
        ("no", "was skipped (its `if` was not true)"),
        ("after_no", "was skipped (the `if` of `no` was not true)"),
    ],
)
def test_what_has_no_value_says_why(step: str, why: str):
    said = run(reason_of(f'{FLOW}output: {{a: "${{ steps.{step}.by }}"}}\n'))
    assert said == f"`output`: `steps.{step}` {why}, so it has no value.  ->  ${{ steps.{step}.by ?? null }}."


def test_a_step_with_a_value_is_asked_for_what_lies_in_it():
    said = run(reason_of(f'{FLOW}output: {{a: "${{ steps.size.by }}"}}\n'))
    assert said.startswith("`output`: nothing at `steps.size.by`.  `steps.size` has: case.")


def test_the_output_of_a_turn_says_why_too():
    text = (
        'flow: a\nsteps:\n  a:\n    uses: foreach\n    with: {over: "${ [1] }"}\n    output: "${ steps.s.x }"\n'
        '    steps: {s: {uses: set, if: "${ item = 2 }", with: {x: 1}}}\n'
    )

    async def failure() -> Any:
        house = House()
        entered = await house.enter(text)
        return next(step.failure for step in (await house.details(entered.execution)).steps if step.failure)

    assert "`steps.s` was skipped (its `if` was not true), so it has no value." in str(run(failure()))


def test_a_step_that_names_a_skipped_one_with_a_way_out_is_told_why_where_it_finds_nothing_else():
    text = (
        'flow: a\nsteps:\n  review: {uses: set, if: "${ inputs.total > 5 }", with: {by: 1}}\n'
        '  b: {uses: set, after: review.settled, with: {x: "${ $exists(steps.review) ? 1 : steps.review.by ?? inputs.z }"}}\n'
    )

    async def failure() -> Any:
        house = House()
        entered = await house.enter(text, {"total": 1})
        return next(step.failure for step in (await house.details(entered.execution)).steps if step.failure)

    assert "`steps.review` was skipped (its `if` was not true), so it has no value." in str(run(failure()))
