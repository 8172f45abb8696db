"""`text.truncate`."""

from typing import Annotated

from pydantic import Field

from chalicelib.errors import ParameterError
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText


class Truncate(Action):
    """Cut text off after so many characters, the sign that something is missing included."""

    example = Example(given={"text": "A long description", "length": 10}, returns="A long de…")
    more_examples = (
        Example(
            given={"text": "A long description", "length": 12, "whole_words": True, "ending": " ..."},
            returns="A long ...",
            about="Between words",
        ),
    )

    text: LongText
    """The text to shorten."""
    length: Annotated[int, Field(ge=1)]
    """The most characters there may be."""
    ending: str = "…"
    """What stands at the end where something was cut off."""
    whole_words: bool = False
    """Whether to cut between words; a first word that is too long is cut all the same."""

    def run(self) -> Json:
        """The text, at most `length` characters long."""
        if len(self.text) <= self.length:
            return self.text
        room = self.length - len(self.ending)
        if room < 0:
            raise ParameterError(f"`ending` alone is longer than {self.length} characters.")
        kept = self.text[:room]
        if self.whole_words and not self.text[room].isspace():
            words = kept.rsplit(maxsplit=1)
            starts_a_word = kept[-1:].isspace()
            kept = kept if starts_a_word or len(words) < 2 else words[0]
        return (kept.rstrip() if self.whole_words else kept) + self.ending
