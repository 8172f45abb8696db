"""`text.pad`."""

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example


class Pad(Action):
    """Fill text up to a length. Text that is longer stays as it is."""

    example = Example(given={"text": "42", "length": 6, "filler": "0"}, returns="000042")
    more_examples = (
        Example(
            given={"text": "abc", "length": 8, "side": "both", "filler": "-+"}, returns="-+abc-+-", about="Centered"
        ),
    )

    text: str
    """The text to fill up."""
    length: Annotated[int, Field(ge=0, le=100_000)]
    """How many characters there shall be."""
    filler: Annotated[str, Field(min_length=1)] = " "
    """What to fill up with, repeated and cut off as needed."""
    side: Literal["start", "end", "both"] = "start"
    """Where to fill up."""

    def run(self) -> Json:
        """The text, at least `length` characters long."""
        short = max(self.length - len(self.text), 0)
        before = {"start": short, "end": 0, "both": short // 2}[self.side]
        return f"{self._fill(before)}{self.text}{self._fill(short - before)}"

    def _fill(self, length: int) -> str:
        return (self.filler * (length // len(self.filler) + 1))[:length]
