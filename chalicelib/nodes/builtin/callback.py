"""A wait for somebody else's request."""

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Duration


class Callback(Control):
    """Wait for a request to an address made for this step: leaves by `received`, or by `expired`."""

    ports = ("received", "expired")
    not_built = {"*": "waiting for a callback cannot be done yet; start a second flow from a webhook instead"}
    example = Example(given={"expires": "2h"}, returns={"body": {"ok": True}}, port="received")

    expires: Duration | None = None
    """After how long it stops waiting and leaves by `expired`."""
