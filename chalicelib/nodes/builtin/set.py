"""Values made on the way."""

from pydantic import ConfigDict

from chalicelib.kit.action import Control, Example
from chalicelib.kit.values import Moment, Outcome, Succeeded


class Set(Control):
    """Make values: whatever stands in `with`, with its expressions evaluated, is the step's value."""

    model_config = ConfigDict(frozen=True, extra="allow")

    example = Example(
        given={"email": "ann@shop.example", "tags": ["new", "eu"]},
        returns={"email": "ann@shop.example", "tags": ["new", "eu"]},
    )

    def decide(self, moment: Moment) -> Outcome:
        """The parameters themselves."""
        return Succeeded(self.__pydantic_extra__ or {})
