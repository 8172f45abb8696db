"""One flow starts another."""

from typing import Annotated, Any

from pydantic import Field

from chalicelib.flow.model import FLOW_NAME
from chalicelib.kit.action import Control, Conversation, Example
from chalicelib.kit.fields import AnyObject
from chalicelib.kit.values import Moment, Started, StartFlow, Succeeded, Waits


class Call(Control):
    """Start another flow; with `wait`, go on once it has ended.

    The same step starts the same execution however often it is tried. Without `wait` the value is the execution's `id`
    and `url`. With `wait` it is the other flow's `output`; when that flow fails, is cancelled or times out, the step
    fails with the code `child_failed`, `child_cancelled` or `child_timed_out`, and `errors.<step>.detail` is
    `{"execution", "code", "message", "step"}`. Cancelling this execution cancels those that it waits for.

    `timeout` and `retry` are about the start alone. How long the other flow may take is its own `deadline`. Calls that
    wait stand in each other at most 10 deep; one more fails with the code `call_too_deep`.
    """

    effect = "idempotent"
    example = Example(
        given={"flow": "send-invoice", "inputs": {"order": 17}},
        sends=(StartFlow("send-invoice", {"order": 17}),),
        receives=(
            Started("01jd3v5m2k8r6w9x4z7b0c1e2f", "https://penstock.example/executions/01jd3v5m2k8r6w9x4z7b0c1e2f"),
        ),
        returns={
            "id": "01jd3v5m2k8r6w9x4z7b0c1e2f",
            "url": "https://penstock.example/executions/01jd3v5m2k8r6w9x4z7b0c1e2f",
        },
    )
    more_examples = (
        Example(
            given={"flow": "price-of", "inputs": {"sku": "A-1"}, "wait": True},
            sends=(StartFlow("price-of", {"sku": "A-1"}, is_waited=True),),
            receives=(
                Started("01jd3v5m2k8r6w9x4z7b0c1e2f", "https://penstock.example/executions/01jd3v5m2k8r6w9x4z7b0c1e2f"),
            ),
            returns=Waits(
                None,
                {
                    "id": "01jd3v5m2k8r6w9x4z7b0c1e2f",
                    "url": "https://penstock.example/executions/01jd3v5m2k8r6w9x4z7b0c1e2f",
                },
                for_="call",
            ),
            becomes=Succeeded({"cents": 1999}),
            about="With `output: {cents: ...}` in the other flow.",
        ),
    )

    flow: Annotated[str, Field(pattern=f"^{FLOW_NAME.pattern}$")]
    """The name of the flow to start."""
    inputs: AnyObject = {}
    """Its inputs."""
    wait: bool = False
    """Whether to wait for its end, and give its `output`."""

    def decide(self, moment: Moment) -> Conversation:
        """Ask for the start, and then for the end where that is waited for."""
        started: Any = yield StartFlow(self.flow, self.inputs, is_waited=self.wait)
        where = {"id": started.id, "url": started.url}
        return Waits(None, where, for_="call") if self.wait else where
