"""`text.lines`."""

import re

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText

_LINE_END = re.compile(r"\r\n|\n|\r")


class Lines(Action):
    r"""Cut text into its lines; every kind of line end counts (`\n`, `\r\n`, `\r`), the last one adds no line."""

    example = Example(given={"text": "first\r\nsecond\n\nthird\n"}, returns=["first", "second", "", "third"])
    more_examples = (
        Example(given={"text": " a \n\n b ", "trim": True, "drop_empty": True}, returns=["a", "b"], about="Tidied"),
    )

    text: LongText
    """The text to cut."""
    trim: bool = False
    """Whether to take white space off both ends of each line."""
    drop_empty: bool = False
    """Whether to leave out lines with nothing in them."""

    def run(self) -> Json:
        """The lines, without their ends."""
        lines = _LINE_END.split(self.text)
        if not lines[-1]:
            lines.pop()
        if self.trim:
            lines = [line.strip() for line in lines]
        return [line for line in lines if line or not self.drop_empty]
