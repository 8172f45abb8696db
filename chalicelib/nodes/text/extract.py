"""`text.extract`."""

from typing import Literal

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.nodes.text.regular import Flag, group_of, number_of, pattern_of


class Extract(Action):
    """Take the part of a text that a regular expression matches, or one group of it."""

    example = Example(
        given={"text": "Ticket #4711: broken, see #4712", "pattern": "#([0-9]+)", "group": 1}, returns="4711"
    )
    more_examples = (
        Example(
            given={"text": "Ticket #4711, see #4712", "pattern": "#(?<id>[0-9]+)", "group": "id", "which": "all"},
            returns=["4711", "4712"],
            about="All of them, as a list",
        ),
        Example(given={"text": "no ticket", "pattern": "#[0-9]+"}, returns=None, about="Nothing found"),
    )

    text: LongText
    """The text to look through."""
    pattern: str
    """The regular expression."""
    group: int | str = 0
    """The group to take, by number or name; 0 is the whole match."""
    which: Literal["first", "all"] = "first"
    """The first one, or all of them as a list."""
    flags: list[Flag] = []
    """How the pattern is read: `ignore_case`, `multiline`, `dot_all`."""

    def run(self) -> Json:
        """The text found, null where there is none; with `all` a list."""
        pattern = pattern_of(self.pattern, self.flags)
        number = number_of(pattern, self.group)
        if self.which == "all":
            return [group_of(match, number) for match in pattern.find(self.text)]
        found = pattern.find(self.text, 1)
        return group_of(found[0], number) if found else None
