"""Finds the expressions in a text: `${ ... }` is one, `$${` is a literal `${`."""

from dataclasses import dataclass

from chalicelib.errors import NotBuiltYetError


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression's text as written between `${` and `}`, and where that text begins in the value."""

    text: str
    offset: int


class NotClosed(ValueError):  # noqa: N818
    """A `${` that no `}` ends; `offset` is that of the `${`."""

    def __init__(self, offset: int) -> None:
        super().__init__("`${` is not closed.")
        self.offset = offset


def scan(text: str) -> tuple[str | Hole, ...]:
    """Cut a text into literal pieces (unescaped) and holes, in order; raises NotClosed."""
    raise NotBuiltYetError


def has_hole(text: str) -> bool:
    """Say whether a text holds an expression, closed or not."""
    raise NotBuiltYetError
