"""What a flow waits to be told of: the failures that its error triggers name."""

from collections.abc import Mapping

from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json

ERROR = "error"
"""The event that any flow's failure is; `error:<flow>` is that of one flow."""


def listens_of(plan: Plan) -> tuple[str, ...]:
    """The events that a flow's triggers listen to, each once, in order: `error`, `error:<flow>`.

    They are stored beside the pointer to the published version (`ports.Live.listens`).
    """
    errors = [trigger.parameters for trigger in plan.triggers.values() if trigger.uses == ERROR]
    return tuple(dict.fromkeys(event for parameters in errors for event in _events(parameters)))


def event_of(flow: str) -> str:
    """The event that a failure of this flow is, for those who named it."""
    return f"{ERROR}:{flow}"


def flows_heard(parameters: Mapping[str, Json]) -> tuple[str, ...]:
    """The flows that an error trigger names; none where it hears of all."""
    named = parameters.get("flows")
    flows = named if isinstance(named, list) else [named]
    return tuple(dict.fromkeys(flow for flow in flows if isinstance(flow, str)))


def _events(parameters: Mapping[str, Json]) -> tuple[str, ...]:
    return tuple(event_of(flow) for flow in flows_heard(parameters)) or (ERROR,)
