"""`text.replace`."""

import re

from chalicelib.errors import ParameterError
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.nodes.text.regular import Flag, Replacement, pattern_of

LONGEST_RESULT = 5_000_000
"""More characters than this no replacement makes."""


class Replace(Action):
    """Replace every place where something stands, or where a pattern matches.

    In `replacement`, for a pattern, `$1` is its first group, `$<name>` a named one, `$&` all of it and `$$` a dollar.
    """

    example = Example(
        given={"text": "Order 17 of 2026-11-20", "pattern": r"(\d{4})-(\d\d)-(\d\d)", "replacement": "$3.$2.$1"},
        returns="Order 17 of 20.11.2026",
    )
    more_examples = (
        Example(
            given={"text": "costs $1 or $1", "find": "$1", "replacement": "$2", "first_only": True},
            returns="costs $2 or $1",
            about="Plain text: nothing has a meaning of its own",
        ),
    )

    text: LongText
    """The text to change."""
    find: str | None = None
    """The text to look for, as it stands."""
    pattern: str | None = None
    """A regular expression to look for, instead."""
    replacement: str = ""
    """What takes its place; left out, it is deleted."""
    flags: list[Flag] = []
    """How it is looked for: `ignore_case`, and for a pattern `multiline` and `dot_all`."""
    first_only: bool = False
    """Whether to replace only the first place."""

    def run(self) -> Json:
        """The changed text."""
        if self.find is not None and self.pattern is None:
            return self._plainly(self.find)
        if self.pattern is not None and self.find is None:
            return self._by_pattern(self.pattern)
        raise ParameterError("Say either what to `find` or a `pattern`.")

    def _plainly(self, find: str) -> str:
        if not find:
            raise ParameterError("`find` is empty. Say what to look for.")
        if "ignore_case" in self.flags:
            # Literal text cannot backtrack.
            places = [(one.start(), one.end()) for one in re.finditer(re.escape(find), self.text, re.IGNORECASE)]
            return self._put_together(places[:1] if self.first_only else places, [[self.replacement]] * len(places))
        count = self.text.count(find)
        most = min(count, 1) if self.first_only else count
        if most * len(self.replacement) > LONGEST_RESULT:
            raise _too_long()
        return self.text.replace(find, self.replacement, most)

    def _by_pattern(self, pattern: str) -> str:
        compiled = pattern_of(pattern, self.flags)
        replacement = Replacement(self.replacement, compiled)
        matches = compiled.find(self.text, 1 if self.first_only else None)
        places = [(match.start, match.end) for match in matches]
        return self._put_together(places, [list(replacement.pieces(match)) for match in matches])

    def _put_together(self, places: list[tuple[int, int]], replacements: list[list[str]]) -> str:
        pieces: list[str] = []
        end = length = 0
        for (start, stop), replacement in zip(places, replacements, strict=False):
            pieces.append(self.text[end:start])
            pieces.extend(replacement)
            end = stop
            length += sum(map(len, replacement))
            if length > LONGEST_RESULT:
                raise _too_long()
        return "".join([*pieces, self.text[end:]])


def _too_long() -> ParameterError:
    return ParameterError(f"The text would have more than {LONGEST_RESULT} characters. Replace less.")
