"""Finds the expressions in a text: `${ ... }` is one, `$${` is a literal `${`."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.flow.tokens import tokens
from chalicelib.flow.values import Json


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression's text as written between `${` and `}`, and where that text begins in the value."""

    text: str
    offset: int


class NotClosed(ValueError):  # noqa: N818
    """A `${` that no `}` ends; `offset` is that of the `${`. The check makes a problem of it."""

    def __init__(self, offset: int) -> None:
        super().__init__("`${` is not closed.")
        self.offset = offset


def scan(text: str) -> tuple[str | Hole, ...]:
    """Cut a text into literal pieces (never empty, `$${` already `${`) and holes, in the order they stand.

    A text without holes gives one piece, an empty one none. Strings, comments, regular expressions and braces inside
    an expression do not end it. Raises NotClosed.
    """
    pieces: list[str | Hole] = []
    literal: list[str] = []
    position = 0
    while (opening := text.find("${", position)) >= 0:
        # The dollar before it must not be one that the last hole or escape has already taken.
        if opening > position and text[opening - 1] == "$":
            literal.append(text[position : opening - 1] + "${")
            position = opening + 2
            continue
        literal.append(text[position:opening])
        ending = ending_of(text, opening)
        if any(literal):
            pieces.append("".join(literal))
        literal = []
        pieces.append(Hole(text[opening + 2 : ending], opening + 2))
        position = ending + 1
    literal.append(text[position:])
    if any(literal):
        pieces.append("".join(literal))
    return tuple(pieces)


def has_hole(text: str) -> bool:
    """Say whether a text holds an expression, closed or not."""
    position = 0
    while (opening := text.find("${", position)) >= 0:
        if opening == position or text[opening - 1] != "$":
            return True
        position = opening + 2
    return False


def holds_hole(value: Json | Mapping[str, Json]) -> bool:
    """Say whether an expression, closed or not, stands in any text of a value; keys do not count."""
    waiting: list[Json | Mapping[str, Json]] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and has_hole(one):
            return True
        waiting.extend(one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ())
    return False


def ending_of(text: str, opening: int) -> int:
    """Find the `}` that ends the hole opened at `opening`; raises NotClosed.

    Only braces are counted: a missing `)` or `]` is then a mistake of this expression and swallows no others.
    """
    depth = 0
    for token in tokens(text, opening + 2):
        match token.text:
            case "{":
                depth += 1
            case "}" if depth == 0:
                return token.start
            case "}":
                depth -= 1
            case _:
                pass
    raise NotClosed(opening)
