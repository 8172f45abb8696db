"""What the nodes that take a regular expression share: its flags, and what a replacement refers to."""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from chalicelib.errors import ParameterError
from chalicelib.flow.patterns import Match, Pattern

Flag: TypeAlias = Literal["ignore_case", "multiline", "dot_all"]
"""`ignore_case`; `multiline`: ^ and $ also match at line ends; `dot_all`: the dot also matches a line end."""

_REFERENCE = re.compile(r"\$(?:(\$)|(&)|([0-9]{1,2})|<([A-Za-z_][A-Za-z0-9_]{0,99})>)")


def pattern_of(text: str, flags: list[Flag]) -> Pattern:
    """The pattern with its flags."""
    return Pattern(text, ignore_case="ignore_case" in flags, multiline="multiline" in flags, dot_all="dot_all" in flags)


class Replacement:
    """What stands in for a match: text in which `$1`, `$<name>`, `$&` (all of it) and `$$` (a dollar) are filled in."""

    __slots__ = ("_parts",)

    def __init__(self, text: str, pattern: Pattern) -> None:
        """Understand the text; raises ParameterError where it names a group that the pattern does not have."""
        self._parts: list[str | int] = []
        end = 0
        for found in _REFERENCE.finditer(text):
            self._parts.append(text[end : found.start()])
            end = found.end()
            dollar, whole, number, name = found.groups()
            self._parts.append("$" if dollar else number_of(pattern, 0 if whole else int(number) if number else name))
        self._parts.append(text[end:])

    def pieces(self, match: Match) -> Iterator[str]:
        """The text for one match, in pieces; a group that took no part is empty."""
        for part in self._parts:
            yield part if isinstance(part, str) else group_of(match, part) or ""


def number_of(pattern: Pattern, group: int | str) -> int:
    """The number of a group, given its number or name; 0 is the whole match. ParameterError where there is none."""
    if isinstance(group, int):
        if 0 <= group <= len(pattern.names):
            return group
        raise ParameterError(f"The pattern has {len(pattern.names)} groups, and group {group} is asked for.")
    if group in pattern.names:
        return pattern.names.index(group) + 1
    raise ParameterError(f"The pattern has no group called `{group[:60]}`. Name one with (?<name>...).")


def group_of(match: Match, number: int) -> str | None:
    """What a group matched; None where it took no part."""
    return match.text if number == 0 else match.groups[number - 1]
