"""Answering a step that waits, with a key: what its link does for strangers, without the link."""

from collections.abc import Mapping

from chalicelib.api.executions import execution_id, standing
from chalicelib.api.request import Answer
from chalicelib.api.tools import Call
from chalicelib.errors import LinkWrongError, NotFoundError, ParameterError, UsageError
from chalicelib.flow.values import Json
from chalicelib.ports import Link, Signal


async def answer(call: Call) -> Answer:
    """Approve, reject, or answer a callback; the key's id is recorded as who did it.

    Raises NotFoundError, LinkUsedError, LinkExpiredError, ExecutionEndedError, and UsageError for a port or a field
    that the step has not.
    """
    execution, step = execution_id(call), call.names["step"]
    signal = signal_of(call.body, call.who)
    try:
        link = await _link(call, execution, step)
        image = await call.tools.door.signal(link, signal)
    except LinkWrongError as error:
        raise NotFoundError(
            f"The execution has no step `{step[:60]}` that waits for an answer. Its page shows those that do."
        ) from error
    except ParameterError as error:
        raise UsageError(f"The step cannot be answered so. {error.detail}", problems=error.problems) from error
    return standing(call, image)


async def _link(call: Call, execution: str, step: str) -> Link:
    """The place of the step: a turn in a loop is known by its link alone, so that none can be named that is not there.

    Raises UsageError where the link is another step's, NotFoundError where there is no such step, or only in a loop.
    """
    given = call.body.get("link")
    if isinstance(given, str):
        link = await call.tools.door.read_link(given.rpartition("/")[2])
        if (link.tenant, link.execution, link.step) != (call.tenant, execution, step):
            raise UsageError("The link is another step's. Leave `link` out, or name its execution and its step.")
        return link
    details = await call.tools.door.details(call.tenant, execution)
    if not any(each.id == step for each in details.steps):
        raise NotFoundError(
            f"The execution has no step `{step[:60]}` outside its loops. A step in a loop is answered by the `link` of "
            "its turn."
        )
    return Link(call.tenant, execution, "", step, ())


def signal_of(body: Mapping[str, Json], who: str) -> Signal:
    """The answer that a body means; raises UsageError where it has what the port does not take."""
    port = str(body["port"])
    if port == "received":
        if "comment" in body:
            raise UsageError("A callback takes no `comment`: give `value`.")
        return Signal(port, {"body": body.get("value"), "headers": {}, "query": {}, "method": "POST"})
    if "value" in body:
        raise UsageError("An approval takes no `value`: give `comment`.")
    return Signal(port, {"by": who, "comment": body.get("comment") or "", "via": "api"})
