"""What the reading of an expression finds: mentions, mistakes, and the record they are gathered in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Shape = Literal["one", "many", "any"]
"""`one` value, a list (`many`), or nothing, one or a list by the number of rows (`any`)."""


_MOST = 50


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

    Attributes:
        mentions: every `steps.x` and `errors.x`, in the order they are read.
        names: the first names used besides steps and errors (`trigger`, `inputs`, `item` ...).
        mistakes: what the check refuses; with any of them the rest may be incomplete.
        warnings: what the check only warns of.
        path: when the whole expression is a plain path (names, quoted names after a dot, `[0]`), its parts.
        shape: `any` is what an untyped place refuses: it must say `[...]` or `[0]`.
        rewritten: the text for jsonatapy, where the scope is one plain document: `$steps.a` became `$$.steps.a`.
        functions: the functions used, ours and JSONata's, without their `$`.
        defines_function: whether a function is made here (also by leaving out an argument with `?`).
    """

    mentions: tuple[Mention, ...]
    names: frozenset[str]
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]
    path: tuple[str | int, ...] | None
    shape: Shape
    rewritten: str
    functions: frozenset[str]
    defines_function: bool


Mentioned: TypeAlias = tuple[Literal["steps", "errors"], str, int]


@dataclass(slots=True)
class Findings:
    """The record that grows while an expression is read."""

    text: str
    mentioned: list[Mentioned] = field(default_factory=list[Mentioned])
    ways_out: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    names: set[str] = field(default_factory=set[str])
    functions: set[str] = field(default_factory=set[str])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    warnings: list[Mistake] = field(default_factory=list[Mistake])
    edits: list[tuple[int, int, int, str]] = field(default_factory=list[tuple[int, int, int, str]])
    defines_function: bool = False

    def refuse(self, offset: int, what: str, do: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(offset, what, do))

    def warn(self, offset: int, what: str, do: str) -> None:
        """Note something that is allowed, and probably not meant."""
        self.warnings.append(Mistake(offset, what, do))

    def replace(self, start: int, end: int, text: str) -> None:
        """Hand other text to the engine in place of a token."""
        self.edits.append((start, 2, end, text))

    def wrap(self, start: int, end: int) -> None:
        """Put brackets around a stretch of the text, for the engine."""
        self.edits.append((start, 1, start, "("))
        self.edits.append((end, 0, end, ")"))

    def mentions(self) -> tuple[Mention, ...]:
        """Give the mentions, each with its way out; one sweep, however deeply the ways out are nested."""
        changes = [0] * (len(self.mentioned) + 1)
        for first, behind in self.ways_out:
            changes[first] += 1
            changes[behind] -= 1
        result: list[Mention] = []
        ways = 0
        for (kind, step, offset), change in zip(self.mentioned, changes, strict=False):
            ways += change
            result.append(Mention(kind, step, ways > 0, offset))
        return tuple(result)

    def rewritten(self) -> str:
        """Give the text with every edit made; at one offset closing brackets come first, then opening ones."""
        pieces: list[str] = []
        position = 0
        for start, _, end, text in sorted(self.edits):
            pieces += (self.text[position:start], text)
            position = end
        return "".join([*pieces, self.text[position:]])


def in_order(found: Iterable[Mistake]) -> tuple[Mistake, ...]:
    """Sort mistakes by where they stand, each said once, the first fifty of them."""
    return tuple(sorted(dict.fromkeys(found), key=lambda mistake: mistake.offset)[:_MOST])
