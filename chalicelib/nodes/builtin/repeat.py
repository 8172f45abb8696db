"""Steps that run again until something holds."""

from typing import Annotated

from pydantic import Field

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Condition, Pause


class Repeat(Control):
    """Run the steps below it again and again until a condition holds.

    In `steps`, `round` is the number of the round, counted from 1, and `last` what the round before gave: missing in
    the first. `until` is asked after each round: there `last` is what this round gave, and the steps of the body can be
    named too. A `repeat` in a `repeat` has `last` and `round` of its own. The value is the last round's `output` (or
    that of the body's only last step).

    Where `max` rounds did not suffice, the step fails with the code `repeat_max`. A round that fails, fails the step.
    """

    example = Example(
        given={"until": True, "every": "30s", "max": 60},
        returns={"state": "ready"},
        about="With a body whose output is `${ steps.ask.body }`, and `until: \"${ last.state = 'ready' }\"`.",
    )

    until: Condition
    """Asked after each round, inside the body; true ends it."""
    every: Pause | None = None
    """How long to wait between rounds; at most `366d`."""
    max: Annotated[int, Field(ge=1, le=10_000)] = 100
    """The most rounds; when `until` is not true after the last of them, the step fails."""
    collect: bool = False
    """Whether the value is `{"results"}`, the outputs of all rounds in order, instead of the last."""
