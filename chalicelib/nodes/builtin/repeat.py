"""Steps that run again until something holds."""

from typing import Annotated

from pydantic import Field

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Condition, Duration


class Repeat(Control):
    """Run the steps below it again and again until a condition holds."""

    not_built = {
        "*": "repeating steps cannot be done yet; http.request pages by itself (paging), foreach goes over a list"
    }
    example = Example(
        given={"until": True, "every": "30s", "max": 60},
        returns={"state": "ready"},
        about="With a body whose output is `${ steps.ask.body }`: the last round's output is the value.",
    )

    until: Condition
    """Asked after each round, inside the body; true ends it."""
    every: Duration | None = None
    """How long to wait between rounds."""
    max: Annotated[int, Field(ge=1, le=10_000)] = 100
    """The most rounds; reaching it is an error."""
    collect: bool = False
    """Whether the value is the outputs of all rounds, as `results`, instead of the last."""
