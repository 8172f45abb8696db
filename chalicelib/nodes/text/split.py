"""`text.split`."""

from typing import Annotated

from pydantic import Field

from chalicelib.errors import ParameterError
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.nodes.text.regular import Flag, pattern_of


class Split(Action):
    """Cut text into pieces, at a separator or wherever a pattern matches."""

    example = Example(given={"text": "a, b,, c", "trim": True, "drop_empty": True}, returns=["a", "b", "c"])
    more_examples = (
        Example(
            given={"text": "one 1 two 22 three", "pattern": r"\s*[0-9]+\s*"},
            returns=["one", "two", "three"],
            about="At a pattern",
        ),
        Example(given={"text": "k=v=w", "separator": "=", "limit": 2}, returns=["k", "v=w"], about="Only so often"),
    )

    text: LongText
    """The text to cut."""
    separator: Annotated[str, Field(min_length=1)] = ","
    """What stands between the pieces."""
    pattern: str | None = None
    """A regular expression, instead of a separator."""
    flags: list[Flag] = []
    """How the pattern is read: `ignore_case`, `multiline`, `dot_all`."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """The most pieces; the last one holds the rest."""
    trim: bool = False
    """Whether to take white space off both ends of each piece."""
    drop_empty: bool = False
    """Whether to leave out pieces with nothing in them."""

    def run(self) -> Json:
        """The pieces, in order."""
        if self.pattern is None:
            # There are no more pieces than that, and `split` takes no number of any size.
            most = len(self.text) + 1 if self.limit is None else min(self.limit, len(self.text) + 1)
            pieces = self.text.split(self.separator, most - 1)
        elif "separator" in self.model_fields_set:
            raise ParameterError("Say either `separator` or `pattern`.")
        else:
            pieces = self._by_pattern(self.pattern)
        if self.trim:
            pieces = [piece.strip() for piece in pieces]
        return [piece for piece in pieces if piece or not self.drop_empty]

    def _by_pattern(self, pattern: str) -> list[str]:
        cuts = pattern_of(pattern, self.flags).find(self.text)
        pieces: list[str] = []
        end = 0
        for cut in cuts if self.limit is None else cuts[: self.limit - 1]:
            pieces.append(self.text[end : cut.start])
            end = cut.end
        return [*pieces, self.text[end:]]
