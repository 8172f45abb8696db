"""One flow starts another."""

from typing import Annotated, Any

from pydantic import Field

from chalicelib.errors import NotBuiltYetError
from chalicelib.flow.model import FLOW_NAME
from chalicelib.kit.action import Control, Conversation, Example
from chalicelib.kit.fields import AnyObject
from chalicelib.kit.values import Moment, Started, StartFlow


class Call(Control):
    """Start another flow and go on at once, without waiting for its end.

    The same step starts the same execution however often it is tried. The value is the execution's `id` and `url`.
    """

    effect = "idempotent"
    not_built = {
        "wait": "waiting for the other flow's end cannot be done yet; without `wait` it is started and left alone"
    }
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

    flow: Annotated[str, Field(pattern=f"^{FLOW_NAME.pattern}$")]
    """The name of the flow to start."""
    inputs: AnyObject = {}
    """Its inputs."""
    wait: bool = False
    """Whether to wait for its end; not yet."""

    def decide(self, moment: Moment) -> Conversation:
        """Ask for the start."""
        if self.wait:
            raise NotBuiltYetError(f"with.wait: {self.not_built['wait']}")
        started: Any = yield StartFlow(self.flow, self.inputs)
        return {"id": started.id, "url": started.url}
