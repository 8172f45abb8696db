"""`text.match`."""

from typing import Annotated

from pydantic import Field

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.nodes.text.regular import Flag, pattern_of


class Match(Action):
    """Find every place where a regular expression matches, with its groups.

    Look-around and back-references are not supported; in return no pattern can make a flow hang.
    """

    example = Example(
        given={"text": "sent to ada@x.org", "pattern": r"(?<user>[a-z]+)@([a-z.]+)"},
        returns={
            "matched": True,
            "matches": [
                {"text": "ada@x.org", "start": 8, "end": 17, "groups": ["ada", "x.org"], "named": {"user": "ada"}}
            ],
        },
    )
    more_examples = (
        Example(
            given={"text": "none", "pattern": "[0-9]+"}, returns={"matched": False, "matches": []}, about="Nothing"
        ),
    )

    text: LongText
    """The text to look through."""
    pattern: str
    """The regular expression, as in `$match(text, /.../)`."""
    flags: list[Flag] = []
    """How the pattern is read: `ignore_case`, `multiline`, `dot_all`."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """The most places to find."""

    def run(self) -> Json:
        """`{matched, matches: [{text, start, end, groups, named}]}`; a group that took no part is null."""
        pattern = pattern_of(self.pattern, self.flags)
        found = pattern.find(self.text, self.limit)
        return {
            "matched": bool(found),
            "matches": [
                {
                    "text": match.text,
                    "start": match.start,
                    "end": match.end,
                    "groups": list(match.groups),
                    "named": {name: group for name, group in zip(pattern.names, match.groups, strict=True) if name},
                }
                for match in found
            ],
        }
