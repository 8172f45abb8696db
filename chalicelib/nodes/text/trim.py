"""`text.trim`."""

from typing import Literal

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText


class Trim(Action):
    """Take white space, or other characters, off the ends of a text."""

    example = Example(given={"text": "  two  words \n"}, returns="two  words")
    more_examples = (
        Example(
            given={"text": "/path//", "characters": "/", "side": "end"}, returns="/path", about="Slashes at the end"
        ),
        Example(given={"text": " a \n\t b ", "inside": True}, returns="a b", about="Runs of white space inside, too"),
    )

    text: LongText
    """The text to trim."""
    side: Literal["both", "start", "end"] = "both"
    """Which end to trim."""
    characters: str | None = None
    """The characters to take off, in any order; left out, white space."""
    inside: bool = False
    """Whether to make every run of white space inside one space as well."""

    def run(self) -> Json:
        """The trimmed text."""
        match self.side:
            case "both":
                text = self.text.strip(self.characters)
            case "start":
                text = self.text.lstrip(self.characters)
            case "end":
                text = self.text.rstrip(self.characters)
        if not self.inside:
            return text
        lead = " " if text[:1].isspace() else ""
        tail = " " if text[-1:].isspace() and text.strip() else ""
        return f"{lead}{' '.join(text.split())}{tail}"
