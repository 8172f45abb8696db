"""`data.limit`."""

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows


class Limit(Action):
    """Keep only so many rows, from the start or from the end."""

    example = Example(given={"items": [1, 2, 3, 4], "count": 2, "skip": 1}, returns=[2, 3])
    more_examples = (
        Example(given={"items": [1, 2, 3, 4], "count": 2, "take": "last"}, returns=[3, 4], about="From the end"),
    )

    items: Rows
    """The rows to choose from."""
    count: Annotated[int, Field(ge=0)]
    """How many rows to keep."""
    skip: Annotated[int, Field(ge=0)] = 0
    """How many rows to pass over first."""
    take: Literal["first", "last"] = "first"
    """Whether to count from the start or from the end."""

    def run(self) -> Json:
        """The rows kept, in their order."""
        if self.take == "first":
            return self.items[self.skip : self.skip + self.count]
        end = max(len(self.items) - self.skip, 0)
        return self.items[max(end - self.count, 0) : end]
