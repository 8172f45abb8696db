"""A flow that starts when another one fails: which failures it hears of, however its trigger names them."""

import pytest

from chalicelib.engine.records import Status
from chalicelib.ports import Listing
from tests.worker.house import House, run

FAILING = """
flow: {name}
steps:
  stop: {{uses: fail, with: {{code: on_purpose, message: "It is meant to."}}}}
"""
LISTENER = """
flow: listener
triggers:
  failed: {{uses: error{named}}}
steps:
  note: {{uses: set, with: {{of: "${{ trigger.flow }}", code: "${{ trigger.code }}", status: "${{ trigger.status }}"}}}}
output: "${{ steps.note }}"
"""


@pytest.mark.parametrize(
    ("named", "heard"),
    [
        ("", ["billing", "orders"]),
        (", with: {flows: orders}", ["orders"]),
        (", with: {flows: [orders]}", ["orders"]),
        (", with: {flows: [billing, orders]}", ["billing", "orders"]),
        (", with: {flows: other}", []),
    ],
)
def test_an_error_trigger_hears_of_the_flows_that_it_names_one_or_a_list(named, heard):
    async def story():
        house = House()
        await house.publish(LISTENER.format(named=named))
        for name in ("orders", "billing"):
            entered = await house.enter(FAILING.format(name=name), respond="accepted")
            await house.drain()
            assert (await house.image(entered.execution)).status is Status.FAILED
        page = await house.facts.page(Listing("main", "listener"))
        return [(await house.details(each.id)).output for each in page.items]

    outputs = run(story())
    assert sorted(each["of"] for each in outputs) == heard
    assert all((each["code"], each["status"]) == ("on_purpose", "failed") for each in outputs)
