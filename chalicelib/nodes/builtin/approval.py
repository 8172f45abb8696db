"""A question to a person."""

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Duration, LongText


class Approval(Control):
    """Ask a person and wait for the answer: leaves by `approved`, `rejected` or `expired`."""

    ports = ("approved", "rejected", "expired")
    not_built = {"*": "asking a person cannot be done yet; decide with `switch`, or start a second flow by hand"}
    example = Example(
        given={"ask": "Ship 250 € to Ann?", "expires": "2d"},
        returns={"by": "ann@shop.example", "comment": ""},
        port="approved",
    )

    ask: LongText
    """The question."""
    expires: Duration | None = None
    """After how long it counts as unanswered and leaves by `expired`."""
