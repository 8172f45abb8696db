"""A way in over HTTP."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from chalicelib.kit.action import Trigger
from chalicelib.kit.fields import one_as_list
from chalicelib.kit.rates import PATTERN as RATE

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _as_list(value: Any) -> Any:
    """A single method stands for a list of one; methods may be written in lower case."""
    return [one.upper() if isinstance(one, str) else one for one in one_as_list(value)]


class Webhook(Trigger):
    """Start an execution when a request arrives at the flow's own address.

    The address is `/hooks/<flow>/<trigger>`, with an unguessable token at its end where nothing is verified. What
    is verified, and what is answered, stand beside `with`: `verify` and `respond`.
    """

    hands_over = {
        "name": "The trigger's id.",
        "at": "When the request was received.",
        "body": "The body: parsed JSON, the fields of a form, else text; null where there was none.",
        "headers": "The headers, their names in lower case: `trigger.headers.'x-shop'`.",
        "query": "The query parameters; of a repeated one the first value.",
        "queries": "The query parameters, each a list of its values.",
        "method": "The request's method.",
        "path": "The path of the request, without the token.",
        "files": "The files of a multipart form, by field name.",
    }
    verifies = True
    example = {"method": "POST"}

    method: Annotated[
        list[Method], BeforeValidator(_as_list), Field(min_length=1, json_schema_extra={"x-one": True})
    ] = ["POST"]
    """The method it answers, or a list of them; any other is told 405."""
    limit_bytes: Annotated[int, Field(ge=1, le=6_000_000)] | None = None
    """The largest body it takes, in bytes, where that is less than the deployment's limit."""
    rate: Annotated[str, Field(pattern=RATE, json_schema_extra={"examples": ["100/minute"]})] | None = None
    """How often it takes a delivery, such as `100/minute` (or second, hour, day): so many at once, and so many again
    over that time. Deliveries beyond are told 429 and when to come again; without it, as the deployment says."""
