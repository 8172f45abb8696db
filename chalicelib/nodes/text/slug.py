"""`text.slug`."""

from typing import Annotated

from pydantic import Field

from chalicelib.flow.functions_text import slug
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example


class Slug(Action):
    """Make text fit for an address or a file name: letters and digits in lower case, dashes between the words."""

    example = Example(given={"text": "Größe & Preis: 20 €"}, returns="grosse-preis-20")
    more_examples = (
        Example(given={"text": "A very long title", "length": 8, "separator": "_"}, returns="a_very", about="Bounded"),
    )

    text: str
    """The text to start from."""
    separator: Annotated[str, Field(pattern=r"^[-_.]?$")] = "-"
    """What stands between the words."""
    length: Annotated[int, Field(ge=1)] | None = None
    """The most characters; it is cut between words where that is possible."""

    def run(self) -> Json:
        """The slug; empty where the text has neither letters nor digits."""
        words = slug(self.text).split("-")
        made = self.separator.join(words)
        if self.length is None or len(made) <= self.length:
            return made
        while len(words) > 1 and len(self.separator.join(words)) > self.length:
            words.pop()
        return self.separator.join(words)[: self.length]
