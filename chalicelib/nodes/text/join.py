"""`text.join`."""

from chalicelib.errors import ExpressionError, ParameterError
from chalicelib.flow.functions_text import joined
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows


class Join(Action):
    """Put the entries of a list together as one text.

    Numbers and booleans become text, objects and lists JSON, null nothing.
    """

    example = Example(given={"items": ["a", 1, 2.5, True], "separator": "; "}, returns="a; 1; 2.5; true")
    more_examples = (
        Example(
            given={"items": ["a", None, ""], "drop_empty": True, "before": "- ", "separator": "\n"},
            returns="- a",
            about="A list in text, without what is empty",
        ),
    )

    items: Rows
    """The entries."""
    separator: str = ", "
    """What stands between two entries."""
    before: str = ""
    """What stands before each entry."""
    after: str = ""
    """What stands after each entry."""
    drop_empty: bool = False
    """Whether to leave out null and empty text."""

    def run(self) -> Json:
        """The text."""
        try:
            entries = [joined([item], "") for item in self.items if not self.drop_empty or item not in (None, "")]
        except ExpressionError as error:
            raise ParameterError(error.detail) from error
        return self.separator.join(f"{self.before}{entry}{self.after}" for entry in entries)
