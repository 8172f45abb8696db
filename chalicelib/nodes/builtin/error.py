"""A way in for failures."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from chalicelib.flow.model import FLOW_NAME
from chalicelib.kit.action import Trigger
from chalicelib.kit.fields import one_as_list

_MOST_FLOWS: Final = 100


def _named(flows: list[str]) -> list[str]:
    """Flows to listen to, each once."""
    if not flows:
        raise ValueError("names no flow; leave it out to hear of every other flow")
    return list(dict.fromkeys(flows))


class Error(Trigger):
    """Start an execution when one of another flow has failed or timed out.

    It starts once the failed execution has ended, its `on_failure` steps included. A failure that the flow itself
    handles, and a cancel, start nothing. Neither does the failure of an execution that an error trigger started: no
    failure leads to a circle.
    """

    hands_over = {
        "name": "The trigger's id.",
        "at": "When the other execution ended.",
        "execution": "The id of the execution that failed.",
        "flow": "The name of its flow.",
        "step": "The step that failed; null where it was none, as when the deadline passed.",
        "code": "Why, for programs.",
        "message": "Why, for people.",
        "url": "Where the execution can be looked at.",
        "status": "`failed` or `timed_out`.",
    }
    example = {"flows": ["order-intake", "send-invoice"]}

    flows: (
        Annotated[
            list[Annotated[str, Field(pattern=f"^{FLOW_NAME.pattern}$")]],
            BeforeValidator(one_as_list),
            Field(max_length=_MOST_FLOWS),
            AfterValidator(_named),
            Field(json_schema_extra={"x-one": True}),
        ]
        | None
    ) = None
    """The flows whose failures it hears of, one or a list; without it, those of every other flow."""
