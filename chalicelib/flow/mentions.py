"""What an expression says before it is evaluated: the steps it mentions, its mistakes, its shape."""

from dataclasses import dataclass
from typing import Literal

from chalicelib.errors import NotBuiltYetError


@dataclass(frozen=True, slots=True)
class Mention:
    """`steps.<id>` or `errors.<id>`, where it begins, and whether the expression gets by without it."""

    kind: Literal["steps", "errors"]
    id: str
    way_out: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something refused (or warned of): where in the expression's text, what it is, what to write."""

    offset: int
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that is known of an expression from its text alone.

    `names` are the first names used besides steps and errors; `path` is there when the whole expression is a plain
    path; `shape` "any" is what may be nothing, one or a list by the number of rows; `rewritten` is the text for
    jsonatapy over one plain scope document; `functions` are the built-in names used, without their `$`.
    """

    mentions: tuple[Mention, ...]
    names: frozenset[str]
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]
    path: tuple[str | int, ...] | None
    shape: Literal["one", "many", "any"]
    rewritten: str
    functions: frozenset[str]
    defines_function: bool


def analyse(text: str, names: frozenset[str]) -> Analysis:
    """Analyse one expression; `names` are the first names allowed besides `steps` and `errors`. Never raises."""
    raise NotBuiltYetError
